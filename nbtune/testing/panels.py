"""The panels that a task brings to the dashboard: offered their choices and drawn with the saved model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nbtune.errors import NbtuneError, PluginError
from nbtune.tasks.panels import Ask, Panel
from nbtune.testing.walk import Walk

_HOSTILE = "<script>alert('nbtune')</script>"


def check(walk: Walk) -> Iterator[str]:
    given = walk.task.panels()
    if not isinstance(given, Sequence) or not all(isinstance(each, Panel) for each in given):
        yield f"panels gave {given!r:.80}: give a sequence of nbtune.api.Panel"
        return
    if not given:
        return
    titles = [each.title for each in given]
    if len(set(titles)) < len(titles) or not all(title.strip() for title in titles):
        yield f"the titles of the panels are {titles}: each names a tab, so give every panel its own"
    for each in given:
        yield from _one(each, walk.opened)


def _one(shown: Panel, model: Any) -> Iterator[str]:
    names = [ask.name for ask in shown.asks]
    if len(set(names)) < len(names):
        yield f"two inputs of the panel {shown.title!r} share a name: {names}"
        return
    answers: dict[str, str] = {}
    for ask in shown.asks:
        choices = ask.choices(model) if ask.choices is not None else ()
        if isinstance(choices, str) or not all(isinstance(choice, str) for choice in choices):
            yield f"the choices of {ask.name!r} in the panel {shown.title!r} are {choices!r:.80}: give texts"
            return
        answers[ask.name] = _typed(ask, choices)
    # as they are offered, as somebody leaves them who presses Show at once, and as nobody should be hurt by
    for typed in (answers, dict.fromkeys(answers, ""), dict.fromkeys(answers, _HOSTILE)):
        found = _drawn(shown, model, typed)
        if found:
            yield found
            return


def _drawn(shown: Panel, model: Any, typed: dict[str, str]) -> str:
    """What is wrong with what the panel draws; "" if nothing is."""
    from nbtune.dashboards.extras import piece

    try:
        drawn = shown.draw(model, typed)
        html = "".join(piece(each) for each in (drawn if isinstance(drawn, (list, tuple)) else [drawn]))
    except PluginError as error:
        return f"the panel {shown.title!r} with {typed}: {error.message}; {error.hint}"
    except NbtuneError:  # is shown in words
        return ""
    if _HOSTILE in html:
        return f"the panel {shown.title!r} gives what was typed as markup: pass every piece of data through escape"
    return ""


def _typed(ask: Ask, choices: Sequence[str]) -> str:
    return ask.default or next(iter(choices), "")
