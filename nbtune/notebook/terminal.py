"""The display of a run in a terminal, which has no outputs to redraw: a line rewritten in place."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from nbtune.drawing import visible
from nbtune.events import Ended, Evaluated, Event, Noted, Paused, Prepared, Preparing, Resumed, Stepped
from nbtune.notebook.plain import run_line, run_text
from nbtune.notebook.run_picture import final_picture
from nbtune.notebook.state import RunState, Throttle


class TerminalDisplay:
    """Watches a run from a terminal: one line rewritten in place, or a line now and then where it is no terminal."""

    def __init__(
        self,
        *,
        refresh: float = 0.5,
        stream: TextIO | None = None,
        past: Iterable[Event] = (),
        silent: bool = False,
    ) -> None:
        self.state = RunState.of(past)
        self._silent = silent
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._refresh = refresh
        self._throttle = Throttle(refresh if self._live else max(refresh, 10.0))
        self._width = 0

    def on_event(self, event: Event) -> None:
        self.state.absorb(event)
        if isinstance(event, Prepared):
            self._line(run_text(self.state))
        elif isinstance(event, Ended):
            self._line(final_picture(self.state, report=not self._silent).text)
        elif isinstance(event, Noted):
            self._line(visible(f"{event.severity}: {event.message}"))
        elif isinstance(event, (Evaluated, Paused, Resumed)):
            self._line(run_line(self.state))
        elif isinstance(event, (Stepped, Preparing)) and self._throttle.ready():
            if self._live:
                self._rewrite(run_line(self.state))
            else:
                self._line(run_line(self.state))

    def of_another_run(self) -> TerminalDisplay:
        """A display like this for a run that follows."""
        return TerminalDisplay(refresh=self._refresh, stream=self._stream, silent=self._silent)

    def abandon(self, error: BaseException) -> None:
        if self._width:
            self._line(run_line(self.state))

    def _rewrite(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)

    def _line(self, text: str) -> None:
        blank = "\r" + " " * self._width + "\r" if self._width else ""
        self._stream.write(f"{blank}{text}\n")
        self._stream.flush()
        self._width = 0
