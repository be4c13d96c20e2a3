"""The dashboard itself: its parts in tabs, and what passes between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from nbtune.dashboards.code import Code
from nbtune.dashboards.desk import Desk
from nbtune.dashboards.form import Form
from nbtune.dashboards.look import column, theme
from nbtune.dashboards.training import Training
from nbtune.drawing import panel
from nbtune.errors import NbtuneError
from nbtune.notebook.picture import Bundle

_TEXT = "nbtune dashboard: run this cell in a notebook to open it"
_VIEW = "application/vnd.jupyter.widget-view+json"


class Dashboard:
    """What a cell ends with to show it."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.desk = Desk(namespace)
        self.code = Code()
        self.training = Training(self.desk)
        self.form = Form(self.desk, self._changed, self._start)
        parts = {
            "Set up": self.form.widget,
            "Train": self.training.widget,
            "Copy as code": self.code.widget,
        }
        self.tabs = widgets.Tab(children=list(parts.values()), titles=list(parts))
        self.widget = column(theme(), self.tabs)
        self._changed()

    def open_tab(self, name: str) -> None:
        self.tabs.selected_index = list(self.tabs.titles).index(name)

    def _changed(self) -> None:
        if not hasattr(self, "form"):  # it is being made
            return
        try:
            self.code.show(self.form.asked())
        except NbtuneError as error:
            self.code.show(None, f"{error.message}: {error.hint}")

    def _start(self) -> None:
        self.desk.ask(self.form.notice, "reading the data and opening the model", self._started)

    def _started(self) -> None:
        from nbtune.running.launch import finetune

        asked = self.form.asked()

        def launch(**more: Any) -> Any:
            self.open_tab("Train")
            return finetune(asked.task, **asked.settings, namespace=self.desk.namespace, **more)

        self.training.begin(launch)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        bundle = {"text/plain": _TEXT, "text/html": panel(_TEXT)}
        return {**bundle, _VIEW: self.widget._repr_mimebundle_()[_VIEW]}

    def __repr__(self) -> str:
        return _TEXT
