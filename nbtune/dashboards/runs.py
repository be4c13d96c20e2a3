"""All runs: opened, compared, resumed, removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from nbtune.dashboards.desk import Desk
from nbtune.dashboards.look import Notice, button, column, html, listing, picture, row
from nbtune.drawing import callout, number, shorten, visible
from nbtune.errors import SpecError
from nbtune.notebook.picture import bundle_of

if TYPE_CHECKING:
    from nbtune.running.run import Run

_STATUS = {"unfinished": "cut off", "running": "training now"}
_RESUMED = ("cut off", "stopped", "failed")
_SEED = re.compile(r"\.seed\d+$")


class Runs:
    """`open_run` shows one in the other tabs, `resume` goes on with one."""

    def __init__(self, desk: Desk, open_run: Callable[[Run], None], resume: Callable[[Run], None]) -> None:
        self._desk = desk
        self._open_run, self._resume_run = open_run, resume
        self._rows: dict[str, dict[str, Any]] = {}
        self.list = listing("runs", widgets.SelectMultiple)
        self.open = button("Open", self._open, kind="primary", tooltip="show it in the other tabs")
        self.resume = button("Resume", self._resume, tooltip="go on with a run that was stopped or cut off")
        self.compare = button("Compare", self._compare, tooltip="two runs or more, on the same examples")
        self.delete = button("Delete …", self._ask_delete, tooltip="asks before it removes anything")
        self.refresh = button("Refresh", self.look)
        self.sure = button("", self._delete, kind="danger")
        self.keep = button("Keep it", self._keep)
        self.question = row(self.sure, self.keep)
        self.state, self.picture = picture(), picture()
        self.notice = Notice()
        self.widget = column(
            self.state, self.list, row(self.open, self.resume, self.compare, self.delete, self.refresh),
            self.question, self.notice.widget, self.picture,
        )  # fmt: skip
        self.list.observe(lambda _: self._chosen_changed(), names="value")
        desk.on_run(lambda _: self.look())
        self.look()

    def look(self) -> None:
        """Read the list anew, and say what trains and what was cut off."""
        self._desk.guarded(self.notice, self._looked)

    def _looked(self) -> None:
        from nbtune.running.catalog import runs

        chosen = set(self.list.value)
        found = [{str(name): cell for name, cell in each.items()} for each in runs().to_dict("records")]
        self._rows = {str(each["name"]): each for each in reversed(found)}
        self.list.options = [(_line(each), name) for name, each in self._rows.items()]
        self.list.value = tuple(name for name in self._rows if name in chosen)
        self.state.value = "" if self._rows else html("There are no runs yet.")
        self._chosen_changed()

    def cut_off(self) -> list[Any]:
        """Which runs were cut off, and what to do; for the line above all tabs."""
        cut = [self._first(name) for name, each in self._rows.items() if _status(each) == "cut off"]
        if cut:
            cut = list(dict.fromkeys(cut))
            names = ", ".join(shorten(name, 40) for name in cut[:5]) + (", …" if len(cut) > 5 else "")
            remedy = "nobody trains it any more. Choose it and press Resume: it goes on from its last checkpoint."
            return [callout(f"Cut off before its end: {names}; {remedy}", tone="warning")]
        return []

    def _chosen_changed(self) -> None:
        names = self.list.value
        self._keep()
        self.open.disabled = self.delete.disabled = len(names) != 1
        self.resume.disabled = len(names) != 1 or not self._can_go_on(names[0])
        self.compare.disabled = len(names) < 2

    def _can_go_on(self, name: str) -> bool:
        from nbtune.running.catalog import load
        from nbtune.running.seeds import only_further_missing

        status = _status(self._rows[name])
        return status in _RESUMED or (status == "finished" and only_further_missing(load(name)))

    def _first(self, name: str) -> str:
        """The run to resume: of several seeds the first, which goes on with all."""
        first = _SEED.sub("", name)
        return first if first in self._rows and self._can_go_on(first) else name

    def _one(self) -> Run:
        from nbtune.running.catalog import load

        if len(self.list.value) != 1:
            raise SpecError("no run is chosen", "choose one in the list")
        return load(self.list.value[0])

    def _open(self) -> None:
        self._desk.guarded(self.notice, lambda: self._open_run(self._one()))

    def _resume(self) -> None:
        self._desk.ask(self.notice, "reading what the run kept", lambda: self._resume_run(self._one()))

    def _compare(self) -> None:
        names = list(self.list.value)

        def compared() -> None:
            from nbtune.running.comparing import compare

            found = compare(names, namespace=self._desk.namespace, progress=self.notice.counting("answered"))
            self.picture.value = bundle_of(found)["text/html"]

        self._desk.ask(self.notice, "comparing", compared)

    def _ask_delete(self) -> None:
        self.sure.description = shorten(visible(f"Delete {self.list.value[0]} with its model for good"), 80)
        self.question.layout.display = ""

    def _keep(self) -> None:
        self.question.layout.display = "none"

    def _delete(self) -> None:
        from nbtune.running.catalog import delete

        def removed() -> None:
            run = self._one()
            delete(run.folder)
            if self._desk.run is not None and self._desk.run.folder == run.folder:
                self._desk.take(None)
            self.look()
            self.notice.say(f"{run.name} was deleted")

        self._keep()
        self._desk.guarded(self.notice, removed)


def _status(each: dict[str, Any]) -> str:
    return _STATUS.get(str(each["status"]), str(each["status"]))


def _model(model: Any) -> Any:
    """What a model is called: of a folder its last part, because a list cuts long lines off."""
    return Path(model).name if isinstance(model, str) and Path(model).is_absolute() else model


def _line(each: dict[str, Any]) -> str:
    score = f"{each['headline']} {number(each['score'])}" if isinstance(each.get("headline"), str) else ""
    when = f"{each['created']:%Y-%m-%d %H:%M}"
    known = [each["name"], _status(each), score, each.get("task"), when, _model(each.get("model"))]
    return shorten(visible(" · ".join(str(part) for part in known if isinstance(part, str) and part)), 160)
