"""A text, what the model says of it, and what that rests on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nbtune.dashboards.desk import Desk
from nbtune.dashboards.evaluating import NO_RUN
from nbtune.dashboards.look import Notice, area, button, column, entry, hint, html, picture, row
from nbtune.drawing import Markup, callout, number, shorten, table
from nbtune.errors import DataError, RunError
from nbtune.notebook.overview import predictions_picture
from nbtune.notebook.picture import bundle_of
from nbtune.running.folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.running.run import Run

_TEXTS = ("text", "tokens")


class Trying:
    """An input for each column that the run reads; most tasks read one text."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shown: str | None = None
        self.inputs: dict[str, Any] = {}
        self._place = column()
        self.predict = button("Predict", self._ask, kind="primary")
        self.explain = button("Predict and explain", self._ask_why, tooltip="with the words that the answer rests on")
        self.notice = Notice()
        self.answer, self.reasons = picture(), picture()
        self._buttons = row(self.predict, self.explain)
        self.widget = column(self._place, self._buttons, self.notice.widget, self.answer, self.reasons)
        desk.on_run(self._show)
        self._show(None)

    def _show(self, run: Run | None) -> None:
        name = run.name if run is not None else None
        if name == self._shown and run is not None:
            return  # what was typed stays while the same run goes on
        self._shown = name
        self.answer.value = self.reasons.value = ""
        self.inputs = {}
        if run is None:
            self._place.children = (hint(f"{NO_RUN.message}: {NO_RUN.hint}"),)
            return
        columns = _columns(run)
        for role, kind, taken in columns:
            tall = kind in _TEXTS
            self.inputs[taken] = area(role, rows=4 if len(columns) == 1 else 2) if tall else entry(role)
            if kind == "time":  # what is asked is asked now
                self.inputs[taken].value = time.strftime("%Y-%m-%dT%H:%M:%S")
        self._place.children = tuple(self.inputs.values())

    def _ask(self) -> None:
        self._desk.ask(self.notice, "predicting", lambda: self._answer(self._run()))

    def _ask_why(self) -> None:
        self._desk.ask(self.notice, "predicting, and looking for the reasons", self._explained)

    def _run(self) -> Run:
        if self._desk.run is None:
            raise NO_RUN
        return self._desk.run

    def _answer(self, run: Run) -> None:
        self.reasons.value = ""
        rows = [self._row()]
        drawn, answers = run.render(rows), run.predict(rows)
        # without a drawing of the task's own the table is the answer, and not folded
        self.answer.value = predictions_picture(drawn, answers).html if drawn else html(_table(answers))

    def _explained(self) -> None:
        run = self._run()
        self._answer(run)
        try:
            found = run.explain(self._row())
        except RunError as error:  # of a task that explains nothing
            self.reasons.value = html(callout(error.message))
            return
        self.reasons.value = bundle_of(found)["text/html"]

    def _row(self) -> Any:
        """A text where the run reads one, else the columns of a row that were filled in."""
        typed = {name: place.value for name, place in self.inputs.items()}
        filled = {name: value for name, value in typed.items() if value.strip()}
        if not filled:
            raise DataError("there is nothing to predict", "type a text")
        missing = [role for role, _, taken in _columns(self._run(), required=True) if taken not in filled]
        if missing:
            raise DataError(f"{' and '.join(missing)} must not be empty", "as they stand in the data")
        return next(iter(filled.values())) if len(typed) == 1 else filled


def _table(answers: pd.DataFrame) -> Markup:
    cells = ((name, answers[name].iloc[0]) for name in answers.columns)
    rows = [(shorten(name, 60), value if isinstance(value, float) else _shown(value)) for name, value in cells]
    return table(("", "prediction"), rows)


def _shown(value: Any) -> str:
    """A cell in words; of several answers, each with its probability."""
    if isinstance(value, list) and value and all(isinstance(each, tuple) and len(each) == 2 for each in value):
        value = ", ".join(f"{answer} {number(share) if isinstance(share, float) else share}" for answer, share in value)
    return shorten(value, 400)


def _columns(run: Run, *, required: bool = False) -> list[tuple[str, str, str]]:
    """What the run reads to predict: the task's name of a column, its kind, and its name in the training data. Of
    `required` ones alone, those that no row can do without."""
    from nbtune.tasks.registry import registry

    content = RunFolder(run.folder).read_json("data.json") or {}
    taken = content.get("columns", {})
    found: list[tuple[str, str, str]] = []
    for each in registry().task(run.task).columns:
        name = taken.get(each.name)
        if not each.target and isinstance(name, str) and (each.required or not required):
            found.append((each.name, each.kind, name))
    return found
