"""The display of a run: a watcher that redraws one output in place, or a line in a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any, Literal, Protocol, TextIO, TypeAlias

from nbtune.drawing import Markup, visible
from nbtune.errors import NbtuneError
from nbtune.events import Ended, Evaluated, Event, Noted, Paused, Prepared, Preparing, Resumed, Stepped
from nbtune.notebook.html import run_panel
from nbtune.notebook.picture import Picture, bundle_of
from nbtune.notebook.plain import run_line, run_markdown, run_text
from nbtune.notebook.state import RunState, Throttle

DisplayKind: TypeAlias = Literal["auto", "html", "text"]
_PATIENCE = 1.5
"""Seconds of preparation after which something must be seen."""


def run_picture(state: RunState, *, folder: str = "", report: Any = None) -> Picture:
    """A run as it stands, with its report where there is one."""
    drawn = bundle_of(report)
    return Picture(
        html=run_panel(state, report=Markup(drawn.get("text/html", "")), folder=folder),
        markdown="\n\n".join(filter(None, (run_markdown(state, folder=folder), drawn.get("text/markdown")))),
        text="\n\n".join(filter(None, (run_text(state, folder=folder), drawn.get("text/plain")))),
    )


class Display(Protocol):
    """A watcher that shows what it sees, and when the run has ended, what stays."""

    def on_event(self, event: Event) -> None: ...

    def abandon(self, error: BaseException) -> None:
        """The run ended without saying so: draw that, if anything was drawn. The error itself is shown by others."""


class RunDisplay:
    """Watches a run and keeps one output up to date, at most every `refresh` seconds.

    Nothing is drawn before the data has been read and found good, unless that takes long: a refusal needs no picture.
    `silent` leaves the report out in the end.
    """

    def __init__(
        self, *, refresh: float = 0.5, kind: DisplayKind = "auto", past: Iterable[Event] = (), silent: bool = False
    ) -> None:
        self.state = RunState.of(past)
        self._kind = kind
        self._silent = silent
        self._throttle = Throttle(refresh)
        self._began = time.monotonic()
        self._handle: Any = None

    def on_event(self, event: Event) -> None:
        self.state.absorb(event)
        if self.state.ended is not None:  # a thread adds after the end why it failed
            self._show(final_picture(self.state, report=not self._silent))
        elif self._handle is None and self.state.started is not None:
            self._show(run_picture(self.state))  # a resumed run was found good before
        elif self._handle is None and isinstance(event, Preparing) and time.monotonic() - self._began < _PATIENCE:
            return
        # after these comes a silence that may be long: what they say must stand there meanwhile
        elif isinstance(event, (Paused, Resumed)) or self._throttle.ready():
            self._show(run_picture(self.state))

    def of_another_run(self) -> RunDisplay:
        """A display like this for a run that follows in the same cell."""
        return RunDisplay(refresh=self._throttle.interval, kind=self._kind, silent=self._silent)

    def abandon(self, error: BaseException) -> None:
        if self._handle is not None and self.state.ended is None:
            self.on_event(_end(self.state, error))

    def _show(self, picture: Picture) -> None:
        from IPython.display import display

        bundle = picture._repr_mimebundle_()
        if self._kind == "text":
            bundle = {"text/plain": bundle["text/plain"]}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


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


def display_for(
    shell: Any,
    *,
    kind: DisplayKind = "auto",
    refresh: float = 0.5,
    past: Iterable[Event] = (),
    silent: bool = False,
) -> Display:
    """The display that suits a shell: a terminal has no outputs to redraw.

    `past` are the events of a run that is resumed; `silent` leaves the report out in the end.
    """
    if kind != "html" and is_terminal(shell):
        return TerminalDisplay(refresh=refresh, past=past, silent=silent)
    return RunDisplay(refresh=refresh, kind=kind, past=past, silent=silent)


def is_terminal(shell: Any) -> bool:
    """Whether a shell is plain IPython's, which has no outputs to redraw."""
    return any(base.__name__ == "TerminalInteractiveShell" for base in type(shell).__mro__)


def final_picture(state: RunState, *, report: bool = True) -> Picture:
    """A run that has ended, with the report and the place that are on disk by then."""
    from nbtune.running.catalog import load

    if state.started is None:
        return run_picture(state)
    try:
        run = load(state.started.run)
        return run_picture(state, folder=str(run.folder), report=run.report if report else None)
    except (NbtuneError, OSError, ValueError, KeyError):  # a stream replayed without its folder
        return run_picture(state)


def _end(state: RunState, error: BaseException) -> Ended:
    stopped = isinstance(error, KeyboardInterrupt)
    reason = "interrupted" if stopped else error.message if isinstance(error, NbtuneError) else repr(error)
    return Ended(status="stopped" if stopped else "failed", step=state.step, reason=reason, seconds=state.seconds)
