"""The dashboard itself: its parts in tabs, and what passes between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from nbtune.dashboards.code import Code
from nbtune.dashboards.desk import Desk
from nbtune.dashboards.evaluating import Evaluating
from nbtune.dashboards.extras import Extra, extras_of
from nbtune.dashboards.fallback import fallback, shown_twice
from nbtune.dashboards.form import Form
from nbtune.dashboards.look import ROOT, Notice, column, heard, html, picture, theme
from nbtune.dashboards.mistakes import Mistakes
from nbtune.dashboards.runs import Runs
from nbtune.dashboards.training import Training
from nbtune.dashboards.trying import Trying
from nbtune.drawing import Markup, callout
from nbtune.errors import NbtuneError
from nbtune.notebook.picture import Bundle
from nbtune.running import background

if TYPE_CHECKING:
    from nbtune.running.run import Run

_VIEW = "application/vnd.jupyter.widget-view+json"


class Dashboard:
    """What a cell ends with to show it."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.desk = Desk(namespace)
        self.code = Code()
        self.training = Training(self.desk)
        self.form = Form(self.desk, self._changed, self._start)
        self.evaluating = Evaluating(self.desk)
        self.trying = Trying(self.desk)
        self.mistakes = Mistakes(self.desk, self._use_corrections)
        self.runs = Runs(self.desk, self._open, self._resume)
        self.extras: list[Extra] = []
        self._extras_of: Run | None = None
        self._quiet = Notice()  # of work that nobody waits for
        self.state = picture()
        self.tabs = heard(widgets.Tab())
        self.widget = column(theme(), self.state, self.desk.notice.widget, self.tabs)
        self.widget.add_class(ROOT)
        self._fill_tabs()
        self.tabs.observe(lambda _: self.desk.guarded(self.desk.notice, self._visited), names="selected_index")
        self.desk.on_run(self._of_run)
        self.form.open()
        self._visited()

    def open_tab(self, name: str) -> None:
        self.tabs.selected_index = list(self.tabs.titles).index(name)

    def _go_to(self, name: str, place: Any) -> None:
        """Open another tab, and put the keys there: what had them is hidden now."""
        self.open_tab(name)
        place.focus()

    def _fill_tabs(self) -> None:
        parts = {
            "Set up": self.form.widget,
            "Train": self.training.widget,
            "Evaluate": self.evaluating.widget,
            "Try it": self.trying.widget,
            "Mistakes": self.mistakes.widget,
            **{each.title: each.widget for each in self.extras},
            "Runs": self.runs.widget,
            "Copy as code": self.code.widget,
        }
        chosen = list(self.tabs.titles)[self.tabs.selected_index] if self.tabs.children else "Set up"
        self.tabs.children, self.tabs.titles = list(parts.values()), list(parts)
        self.tabs.selected_index = list(parts).index(chosen) if chosen in parts else 0

    def _visited(self) -> None:
        """What other cells and kernels did meanwhile is looked up whenever a tab is opened."""
        words = [*self._told_of_others(), *self.runs.cut_off()]
        self.state.value = html(*words) if words else ""
        opened = list(self.tabs.titles)[self.tabs.selected_index]
        if opened == "Runs":
            self.runs.look()
        for each in self.extras:
            if each.title == opened:
                each.visited()

    def _told_of_others(self) -> list[Markup]:
        going = background.current()
        if going is None or self.training.steers(going) or self.mistakes.steers(going):
            return []
        remedy = " Runs can open it here." if going.path.is_dir() else ""  # models of folds have no folder
        return [callout(f"{going.name} trains in this kernel, started elsewhere.{remedy}")]

    def _of_run(self, run: Run | None) -> None:
        self._visited()
        if run is None or self._extras_of is None or run.folder != self._extras_of.folder or not self.extras:
            self.extras = extras_of(self.desk, run)
            self._extras_of = run
            self._fill_tabs()

    def _changed(self) -> None:
        try:
            self.code.show(self.form.asked())
        except NbtuneError as error:
            self.code.show(None, f"{error.message}: {error.hint}")
        if self.form.data.value:
            from nbtune.running.launch import import_libraries

            # seconds that whoever presses Start need not wait
            self.desk.ask(self._quiet, "loading libraries", import_libraries)

    def _start(self) -> None:
        self.desk.ask(self.form.notice, "reading the data and opening the model", self._started)

    def _started(self) -> None:
        from nbtune.running.launch import finetune

        asked = self.form.asked()

        def launch(**more: Any) -> Run:
            self._go_to("Train", self.training.pause)
            try:
                return finetune(asked.task, **asked.settings, namespace=self.desk.namespace, **more)
            except BaseException:
                self._go_to("Set up", self.form.start)  # where the notice stands that tells what is wrong
                raise

        self.training.begin(launch)

    def _open(self, run: Run) -> None:
        whole = self.form.take(run.spec)
        self.desk.take(run)
        self.training.open(run)
        words = "" if whole else " Its data cannot be found again by name: choose it in Set up to train anew."
        self.runs.notice.good(f"{run.name} is open: see the other tabs.{words}")

    def _resume(self, run: Run) -> None:
        past = list(run.events())

        def launch(**more: Any) -> Run:
            self._go_to("Train", self.training.pause)
            try:
                return run.resume(**more)
            except BaseException:
                self._go_to("Runs", self.runs.resume)
                raise

        self.training.begin(launch, past)

    def _use_corrections(self, path: str) -> None:
        self.form.settings.use("corrections", path)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for bundle in shown_twice(self._view()):
            display(bundle, raw=True)  # type: ignore[no-untyped-call]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return {**fallback()._repr_mimebundle_(), **self._view()}

    def _view(self) -> Bundle:
        return {_VIEW: self.widget._repr_mimebundle_()[_VIEW]}

    def __repr__(self) -> str:
        return fallback().text
