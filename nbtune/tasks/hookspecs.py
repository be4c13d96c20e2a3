"""The hooks. A hook only says who exists; ordinary typed methods do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from nbtune.control import Control
from nbtune.events import Event

if TYPE_CHECKING:
    from nbtune.tasks.task import Task

PROJECT = "nbtune"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Watcher(Protocol):
    """Reads a run's events as they come (a logger, a tracker, a stopping rule that calls `control.stop()`)."""

    def on_event(self, event: Event) -> None: ...


@hookspec
def nbtune_tasks() -> list[Task]:  # type: ignore[empty-body]
    """The tasks this plugin contributes."""


@hookspec
def nbtune_watchers(run: Any, control: Control) -> list[Watcher]:  # type: ignore[empty-body]
    """Watchers for a run that is about to train; `run` has `.name` and `.folder`."""
