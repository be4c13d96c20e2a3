"""The report of a run, and its score on other data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtune.dashboards.desk import Desk
from nbtune.dashboards.look import Notice, button, column, html, picture, row
from nbtune.dashboards.sources import Source
from nbtune.errors import RunError, SpecError
from nbtune.notebook.picture import bundle_of

if TYPE_CHECKING:
    from nbtune.running.run import Run

NO_RUN = RunError("there is no run yet", "train one in Set up, or open one in Runs")


class Evaluating:
    """Shows the report that the training ended with, until other data is scored."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.data = Source("other data", desk.namespace, lambda: None, without="the run's own held-out data")
        self.score = button("Score", self._score, kind="primary", tooltip="score the run on this data")
        self.notice = Notice()
        self.picture = picture()
        self.widget = column(self.data.widget, row(self.score), self.notice.widget, self.picture)
        desk.on_run(self._show)
        self._show(None)

    def _show(self, run: Run | None) -> None:
        self.data.offer([f"sample:{run.task}"] if run is not None else [])
        report = run.report if run is not None else None
        if report is not None:
            self.picture.value = bundle_of(report)["text/html"]
        elif run is None:
            self.picture.value = html(f"{NO_RUN.message}: {NO_RUN.hint}")
        else:
            self.picture.value = html(f"{run.name} has no report yet: it is made when the training ends.")

    def _score(self) -> None:
        self._desk.ask(self.notice, "scoring", self._scored)

    def _scored(self) -> None:
        run = self._desk.run
        if run is None:
            raise NO_RUN
        if run.status == "running":
            raise SpecError(f"{run.name} is still training", "wait for its end, or stop it")
        source = self.data.value or None
        told = self.notice.counting("scored")
        report = run.evaluate(source, namespace=self._desk.namespace, progress=told)
        if self._desk.run is run:
            self.picture.value = bundle_of(report)["text/html"]
