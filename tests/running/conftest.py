"""Small data to train on, and watchers that act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import nbtune
from nbtune.events import Event

WORDS = {"praise": ["good", "lovely", "superb", "kind"], "blame": ["bad", "awful", "rude", "dull"]}
THINGS = ("meal", "day", "film", "guide", "room")
DATA = pd.DataFrame(
    [(f"a {word} {thing}", label) for label, some in WORDS.items() for word in some for thing in THINGS]
)
DATA.columns = pd.Index(["text", "label"])


class Recorder:
    """A watcher that remembers, and may act on an event."""

    def __init__(self, act: Callable[[Any], object] | None = None) -> None:
        self.events: list[Event] = []
        self.act = act

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        if self.act:
            self.act(event)

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


@pytest.fixture
def record() -> type[Recorder]:
    """Makes a watcher that remembers, and may act on an event."""
    return Recorder


@pytest.fixture
def fit(tiny_model: str, runs_dir: Any) -> Callable[..., nbtune.Run]:
    """Trains the tiny model on a few rows: `fit(name, **settings)`."""

    def finetune(name: str = "first", **settings: Any) -> nbtune.Run:
        given = {"data": DATA, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "watchers": [], **settings}
        return nbtune.finetune("classification", name=name, **{"model": tiny_model, **given})

    return finetune
