"""A dashboard in this process: driven through the values of its widgets, as a browser would."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbtune.dashboards import open_dashboard
from nbtune.dashboards.app import Dashboard
from nbtune.running import background

PATIENCE = 60.0


class Driver:
    """A dashboard over the variables given, and what there is to wait for."""

    def __init__(self, namespace: dict[str, Any], model: str) -> None:
        self.namespace = namespace
        self.model = model
        self.board: Dashboard = open_dashboard(namespace)

    def settle(self) -> None:
        """Wait until the dashboard works at nothing."""
        assert self.board.desk.work.wait(PATIENCE)

    def choose(self, task: str, data: str, columns: dict[str, str] | None = None, **settings: Any) -> None:
        form = self.board.form
        form.task.value = task
        assert form.data.take(data)
        self.settle()
        for role, name in (columns or {}).items():
            form.columns.chosen(role).value = name
        form.settings.model.value = self.model
        for name, value in {"epochs": 1, "max_length": 32, **settings}.items():
            form.settings.use(name, value)

    def start(self) -> None:
        self.board.form.start.click()
        self.settle()

    def finish(self) -> None:
        """Wait for the end of what trains, and until all parts know of it."""
        until(lambda: not self.board.training.going and background.current() is None)
        self.settle()

    def said(self, notice: Any) -> str:
        return str(notice.widget.value)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def drive(runs_dir: Path, tiny_model: str) -> Iterator[Callable[..., Driver]]:
    """Opens a dashboard: `drive(df=table)`."""
    opened: list[Driver] = []

    def open_new(**namespace: Any) -> Driver:
        opened.append(Driver(namespace, tiny_model))
        return opened[-1]

    yield open_new
    training = background.current()
    if training is not None:
        training.control.stop()
        training.wait(PATIENCE)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A fresh shell after `%load_ext nbtune`, the one `get_ipython()` finds, without a history on disk."""
    main = sys.modules["__main__"]
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config)
    made.run_line_magic("load_ext", "nbtune")
    yield made
    made.run_line_magic("unload_ext", "nbtune")
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


@pytest.fixture
def reviews() -> pd.DataFrame:
    """24 rows that say good or bad."""
    rows = [{"body": f"a {word} film, number {row}", "verdict": word} for row in range(12) for word in ("good", "bad")]
    return pd.DataFrame(rows)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    return until


def pictures(widget: Any) -> Iterator[str]:
    """What stands in all pictures of a dashboard."""
    if type(widget).__name__ == "HTML":
        yield str(widget.value)
    for child in getattr(widget, "children", ()):
        yield from pictures(child)


@pytest.fixture
def drawn() -> Callable[[Any], list[str]]:
    """All pictures below a widget."""
    return lambda widget: list(pictures(widget))
