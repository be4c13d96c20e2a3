"""Buttons beside the picture of a run: pause, stop and the learning rate, heard also while the cell runs.

They only add to the picture, which needs none of this: they are closed when the run ends, and the saved notebook has no
trace of them. The interrupt key is always enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from nbtune.control import Control
from nbtune.notebook.live_chart import LiveChart
from nbtune.notebook.outputs import BLANK
from nbtune.notebook.state import RunState

VIEW = "application/vnd.jupyter.widget-view+json"
_DEAF = "the interrupt key stops the run and keeps its model"
"""What a frontend shows that knows no widgets."""


def can_click(shell: Any) -> bool:
    """Whether there is somebody in front of this shell who sees widgets and can click them.

    A kernel is needed, and a cell that may be asked for input: what executes notebooks unattended (nbclient, papermill)
    allows none, and would write the widgets into the notebook. VS Code delivers no click to a busy kernel, and mixed up
    two updated outputs of one cell; there the key and `%nbtune stop` are the way.
    """
    kernel = getattr(shell, "kernel", None)
    if getattr(kernel, "comm_manager", None) is None or "__vsc_ipynb_file__" in shell.user_ns:
        return False
    try:
        return bool(shell.get_parent()["content"]["allow_stdin"])
    except (AttributeError, KeyError, TypeError):
        return False


class Controls:
    """The controls of the run that trains in this process. Their callbacks run in whatever thread listens to the page:
    they set flags of `control`, and draw nothing. All drawing is done in `reflect`, by who draws the run."""

    def __init__(self, control: Control, learning_rate: float, chart: LiveChart | None = None) -> None:
        import ipywidgets

        self._control = control
        self._rate = learning_rate
        small = ipywidgets.Layout(width="auto")
        self._pause = ipywidgets.Button(description="Pause", tooltip="wait after the current step", layout=small)
        self._stop = ipywidgets.Button(
            description="Stop", tooltip="end after the current step and keep the model", layout=small
        )
        self._field = ipywidgets.FloatText(
            value=learning_rate,
            description="peak learning rate",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "230px"},
        )
        halve, double = (
            ipywidgets.Button(description=f"× {sign}", tooltip=f"{words} the learning rate", layout=small)
            for sign, words in (("½", "halve"), ("2", "double"))
        )
        row = ipywidgets.HBox([self._pause, self._stop, self._field, halve, double], layout={"flex_flow": "row wrap"})
        row.add_class("nbtune-controls")
        self.widget: Any = ipywidgets.VBox([row, chart.widget]) if chart else row
        for widget in _all_of(self.widget):
            hear_while_busy(widget.comm)
        self._pause.on_click(self._pause_clicked)
        self._stop.on_click(lambda _: control.stop())
        halve.on_click(lambda _: self._ask_for(self._rate / 2))
        double.on_click(lambda _: self._ask_for(self._rate * 2))
        self._field.observe(lambda change: self._ask_for(change["new"]), "value")

    def reflect(self, state: RunState) -> None:
        """Show what the run does now."""
        self._pause.description = "Resume" if state.paused else "Pause"
        self._pause.tooltip = "go on training" if state.paused else "wait after the current step"
        self._stop.description = "Stopping" if self._control.stopping else "Stop"
        self._field.value = self._rate

    def close(self) -> None:
        """Take them off the page and out of the kernel."""
        for widget in list(_all_of(self.widget)):
            widget.close()

    def _pause_clicked(self, _: Any) -> None:
        if self._control.paused:
            self._control.resume()
        else:
            self._control.pause()

    def _ask_for(self, rate: float) -> None:
        # a value that is none is put back by the next `reflect`, whose own change of the field comes by here as well
        if rate != self._rate and math.isfinite(rate) and rate > 0:
            self._rate = rate
            self._control.set_learning_rate(rate)


def hear_while_busy(comm: Any) -> None:
    """Have messages on `comm` handled by the thread that the frontend sends them to, and not by the busy one.

    JupyterLab sends clicks to a subshell. ipykernel 7.4 hands them to the shell that last published on the comm, which
    for a button made by a running cell is the one that is busy. The name is private: where it is missing nothing
    is changed, and clicks are heard when the cell allows. tests/browser/test_live.py tells when this breaks.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default


class Place:
    """The output that controls stand in, above the picture. It is blank before there are any, and after."""

    def __init__(self) -> None:
        from IPython.display import display

        self._handle: Any = display(BLANK, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def show(self, controls: Controls) -> None:
        view = {"version_major": 2, "version_minor": 0, "model_id": controls.widget.model_id}
        self._handle.update({VIEW: view, "text/plain": _DEAF}, raw=True)

    def clear(self) -> None:
        self._handle.update(BLANK, raw=True)


def _all_of(widget: Any) -> Iterator[Any]:
    """The widget and all that belongs to it alone."""
    for child in getattr(widget, "children", ()):
        yield from _all_of(child)
    yield from (part for part in (getattr(widget, "style", None), getattr(widget, "layout", None)) if part is not None)
    yield widget
