"""A panel of a task's own in the dashboard: a few inputs, and what is drawn of them. It knows nothing of widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Choices = Callable[[Any], Sequence[str]]
"""Takes the run's opened `nbtune.api.Model`, gives what may be chosen."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One input. With `choices` they are offered, and others may be typed; otherwise a text of so many `lines`."""

    name: str
    label: str
    default: str = ""
    choices: Choices | None = None
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Panel:
    """Something to look at that a model answers.

    `draw(model, given)` takes the run's opened `nbtune.api.Model` and what was typed, by the names of `asks`. It gives
    one thing or several in a list: a DataFrame (drawn as a table, escaped), an object with `_repr_mimebundle_`, or
    HTML as a string, with every piece of data passed through `nbtune.api.escape`. An `NbtuneError` is shown in words.
    """

    title: str
    asks: Sequence[Ask]
    draw: Callable[[Any, Mapping[str, str]], Any]
    help: str = ""
