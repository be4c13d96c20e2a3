"""Every public function and method has an example in its docstring, and the examples run, offline, as they stand."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from nbtune_sentiment.task import Sentiment

import nbtune
from nbtune.control import Control
from nbtune.events import Event, Stepped
from nbtune.tasks import pretrained

PLAIN = {"folder", "name", "spec", "task", "trusted"}
"""Attributes of a run that need no example."""


class Upside(Sentiment):
    """A task that is in no package."""

    name = "upside"


def documented() -> dict[str, Any]:
    """What users call, by its full name."""
    found: dict[str, Any] = {"nbtune": nbtune}
    for name in nbtune.__all__:
        each = getattr(nbtune, name)
        if inspect.isfunction(each) and not name.endswith("_ipython_extension"):
            found[f"nbtune.{name}"] = each
    for kind, names in ((nbtune.Run, None), (nbtune.Report, ("to_frame", "by_slice", "plot"))):
        for name, member in inspect.getmembers_static(kind):
            if not name.startswith("_") and name not in PLAIN and (names is None or name in names):
                found[f"{kind.__name__}.{name}"] = member
    return found


class StopsSoon:
    """A watcher that ends a run after its second step."""

    def __init__(self) -> None:
        self.control = Control()

    def on_event(self, event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 2:
            self.control.stop()


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Iterator[dict[str, Any]]:
    """What the examples talk of. The embedded model is a tiny one here."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NBTUNE_RUNS_DIR", str(folder / "runs"))
        patch.setenv("NBTUNE_CACHE_DIR", str(folder / "cache"))
        tiny = replace(pretrained.ALIASES["minilm-l6"], hub=tiny_model, package="nbtune_has_no_such_package")
        patch.setitem(pretrained.ALIASES, "minilm-l6", tiny)
        rows = [
            (f"{word} {thing}", mood, shop)
            for word, mood in (("a fine", "positive"), ("an awful", "negative"))
            for thing in ("film", "book", "play", "song", "meal", "walk")
            for shop in ("north", "south")
        ]
        reviews = pd.DataFrame(rows, columns=["text", "sentiment", "shop"]).drop_duplicates("text", ignore_index=True)
        reviews["shop"] = ["north", "south"] * (len(reviews) // 2)
        given: dict[str, Any] = {"data": reviews, "validation": reviews, "test": reviews, "watchers": []}
        for name, seed in (("reviews", 0), ("other", 1)):
            nbtune.finetune("sentiment", name=name, seed=seed, epochs=1, **given)
        for name in ("cut-off", "cut-off-too"):
            watcher = StopsSoon()
            again = {**given, "watchers": [watcher], "control": watcher.control}
            nbtune.finetune("sentiment", name=name, epochs=2, batch_size=4, **again)
        known = {"nbtune": nbtune, "pd": pd, "reviews_df": reviews, "test_df": reviews, "Upside": Upside}
        yield {**known, "run": nbtune.load("reviews")}


@pytest.mark.parametrize("name", documented())
def test_its_example_runs(name: str, names: dict[str, Any]) -> None:
    words = inspect.getdoc(documented()[name]) or ""
    test = doctest.DocTestParser().get_doctest(words, dict(names), name, None, None)
    assert test.examples, f"{name} has no example in its docstring"
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test, out=told.append).failed == 0, "".join(told)
