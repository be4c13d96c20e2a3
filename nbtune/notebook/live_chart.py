"""The loss of every step as a smooth chart: an anywidget with uPlot inside it, drawn by the browser. Optional."""

from __future__ import annotations

import functools
import importlib.util
import threading
import time
from array import array
from importlib import resources
from typing import Any

from nbtune.errors import SpecError

PIECES_PER_SECOND = 10.0
"""How often points are sent at most: each piece is a message that the training thread has to send."""


def check_installed() -> None:
    """Raises:
    SpecError: anywidget is not there.
    """
    if importlib.util.find_spec("anywidget") is None:
        hint = 'pip install "nbtune[live]" and restart, or leave it at display = "auto"'
        raise SpecError("the live chart needs the package anywidget, which is not installed", hint)


class LiveChart:
    """The chart of one run. Points are added by the thread that trains; `widget` is what is displayed."""

    def __init__(self) -> None:
        self.widget: Any = _widget_class()()
        self.widget.on_msg(self._asked)
        self._points = array("f")
        self._sent = 0
        self._last = 0.0
        self._all = threading.Event()

    def add(self, step: int, loss: float) -> None:
        """Take in a point; it is sent with those that follow soon after."""
        self._points.extend((step, loss))

    def flush(self, *, now: bool = False) -> None:
        """Send what is new, unless that was done a moment ago."""
        if not now and time.monotonic() - self._last < 1 / PIECES_PER_SECOND:
            return
        if self._all.is_set():  # a page has opened the chart anew
            self._all.clear()
            self._sent = 0
        if self._sent < len(self._points):
            piece = self._points[self._sent :].tobytes()
            self.widget.send({"kind": "points", "first": self._sent // 2}, buffers=[piece])
            self._sent = len(self._points)
        self._last = time.monotonic()

    def _asked(self, _widget: Any, content: Any, _buffers: Any) -> None:
        # in whatever thread listens to the page: the one that trains sends
        if content.get("kind") == "all":
            self._all.set()


@functools.cache
def _widget_class() -> type[Any]:
    import anywidget

    static = resources.files("nbtune.notebook") / "static"

    def text(*names: str) -> str:
        return "\n".join((static / name).read_text(encoding="utf-8") for name in names)

    class Chart(anywidget.AnyWidget):
        _esm = text("uPlot.iife.min.js", "chart.js")
        _css = text("uPlot.min.css", "chart.css")

    return Chart
