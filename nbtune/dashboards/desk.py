"""What all parts of one dashboard share: the user's variables, the worker, and the run they are about."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbtune.dashboards.look import Notice
from nbtune.dashboards.work import Job, Work

if TYPE_CHECKING:
    from nbtune.running.run import Run


class Desk:
    """`run` is what Evaluate, Try it and Mistakes are about; None before one was trained or opened. `notice` is for
    what concerns the dashboard as a whole."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.namespace = namespace
        self.work = Work()
        self.run: Run | None = None
        self.notice = Notice()
        self._told: list[Callable[[Run | None], None]] = []

    def on_run(self, told: Callable[[Run | None], None]) -> None:
        """Call `told` whenever there is another run, or the run has come to its end."""
        self._told.append(told)

    def take(self, run: Run | None) -> None:
        """Make all parts be about this run, as it now is."""
        self.run = run
        for told in self._told:
            self.guarded(self.notice, functools.partial(told, run))

    def ask(self, notice: Notice, doing: str, job: Job) -> None:
        self.work.ask(notice, doing, job)

    def guarded(self, notice: Notice, quick: Job) -> None:
        """Do something quick at once; what goes wrong is said, and the dashboard stays usable."""
        try:
            quick()
        except Exception as error:
            notice.refuse(error)
