"""The display of a run: a watcher that redraws one output in place, and the controls above it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from nbtune.errors import NbtuneError
from nbtune.events import Adjusted, Ended, Event, Paused, Preparing, Resumed, Stepped
from nbtune.notebook.controls import Controls, Place, can_click
from nbtune.notebook.live_chart import LiveChart, check_installed
from nbtune.notebook.memory import held
from nbtune.notebook.outputs import BLANK, Outputs
from nbtune.notebook.picture import Picture
from nbtune.notebook.run_picture import final_picture, live_pictures, run_picture
from nbtune.notebook.state import RunState, Throttle
from nbtune.notebook.terminal import TerminalDisplay
from nbtune.running import background

DisplayKind: TypeAlias = Literal["auto", "html", "text", "live"]
_PATIENCE = 1.5
"""Seconds of preparation after which something must be seen."""


class Display(Protocol):
    """A watcher that shows what it sees, and when the run has ended, what stays."""

    state: RunState

    def on_event(self, event: Event) -> None: ...

    def abandon(self, error: BaseException) -> None:
        """The run ended without saying so: draw that, if anything was drawn. The error itself is shown by others."""


class RunDisplay:
    """Watches a run and keeps one output up to date, at most every `refresh` seconds.

    Nothing is drawn before the data has been read and found good, unless that takes long: a refusal needs no picture.
    `silent` leaves the report out in the end. With `controls` the run that trains in this process gets buttons. `apart`
    has more outputs than one while it trains, for who opens and scrolls what stands below the progress.
    """

    in_cell = True
    """A display for a further run has its place in the same cell, and can be opened while that runs."""

    def __init__(
        self,
        *,
        refresh: float = 0.5,
        kind: DisplayKind = "auto",
        past: Iterable[Event] = (),
        silent: bool = False,
        controls: bool = False,
        apart: bool = False,
    ) -> None:
        self.state = RunState.of(past)
        self._kind = kind
        self._silent = silent
        self._throttle = Throttle(refresh)
        self._began = time.monotonic()
        self._apart = apart
        self._outputs = Outputs()
        self._steering = _Steering(live=kind == "live") if controls else None
        # a display that joins a run is drawn from the cell that asked for it and from the thread that trains
        self._drawing = threading.Lock()

    def on_event(self, event: Event) -> None:
        self.state.absorb(event)
        if self._steering is not None:
            self._steering.see(event)
        if self.state.ended is not None:  # a thread adds after the end why it failed
            self._show([final_picture(self.state, report=not self._silent)])
        elif not self._outputs and self.state.started is not None:
            self.draw()  # a resumed run was found good before
        elif not self._outputs and isinstance(event, Preparing) and time.monotonic() - self._began < _PATIENCE:
            return
        # after these comes a silence that may be long: what they say must stand there meanwhile
        elif isinstance(event, (Paused, Resumed, Adjusted)) or self._throttle.ready():
            self.draw()

    def draw(self) -> None:
        """Draw the run as it stands."""
        training = background.current()
        if not self.state.whereabouts:
            self.state.memory = held()
            self.state.busy = training is not None and not training.behind
        self.state.seen_at = time.strftime("%H:%M:%S")
        curves = self._steering is None or not self._steering.charted
        drawn = live_pictures(self.state, curves=curves) if self._apart else [run_picture(self.state, curves=curves)]
        self._show(drawn)

    def of_another_run(self) -> RunDisplay:
        """A display like this for a run that follows in the same cell."""
        return RunDisplay(
            refresh=self._throttle.interval,
            kind=self._kind,
            silent=self._silent,
            controls=self._steering is not None,
            apart=self._apart,
        )

    def abandon(self, error: BaseException) -> None:
        if self._outputs and self.state.ended is None:
            self.on_event(_end(self.state, error))

    def _show(self, pictures: Sequence[Picture]) -> None:
        bundles = [picture._repr_mimebundle_() if picture.html else BLANK for picture in pictures]
        if self._kind == "text":
            bundles = [{"text/plain": bundle["text/plain"]} for bundle in bundles]
        with self._drawing:
            if self._steering is not None:
                self._steering.show(self.state)
            self._outputs.show(bundles)


class _Steering:
    """The controls of a display, from the time there is a training to control until it ends."""

    def __init__(self, *, live: bool) -> None:
        self._chart = LiveChart() if live else None
        self._place: Place | None = None
        self._controls: Controls | None = None

    @property
    def charted(self) -> bool:
        """Whether the curve of the loss is drawn here."""
        return self._chart is not None and self._controls is not None

    def see(self, event: Event) -> None:
        if self.charted and isinstance(event, Stepped) and event.loss is not None:
            self._chart.add(event.step, event.loss)  # type: ignore[union-attr]
            self._chart.flush()  # type: ignore[union-attr]

    def show(self, state: RunState) -> None:
        training = background.current()
        if self._place is None and state.ended is None:
            self._place = Place()
        if self._controls is None and self._place is not None and training is not None and state.ended is None:
            self._begin(self._place, training, state)
        if self._controls is None or self._place is None:
            return
        if state.ended is None:
            self._controls.reflect(state)
        else:
            self._controls.close()
            self._place.clear()
            self._controls = None

    def _begin(self, place: Place, training: background.Training, state: RunState) -> None:
        from nbtune.running.folder import RunFolder

        changed = [change.new for change in state.changes if change.setting == "learning_rate"]
        rate = changed[-1] if changed else RunFolder(training.path).spec().learning_rate
        self._controls = Controls(training.control, rate, self._chart)
        if self._chart is not None:
            for step, loss in state.losses:
                self._chart.add(int(step), loss)
        place.show(self._controls)


def display_for(
    shell: Any,
    *,
    kind: DisplayKind = "auto",
    refresh: float = 0.5,
    past: Iterable[Event] = (),
    silent: bool = False,
    controls: bool = True,
) -> Display:
    """The display that suits a shell: a terminal has no outputs to redraw.

    `past` are the events of a run that is resumed; `silent` leaves the report out in the end. `controls` are for where
    they can be clicked.

    Raises:
        SpecError: a live chart is asked for, and its package is not there.
    """
    if kind == "live":
        check_installed()
    if kind != "html" and is_terminal(shell):
        return TerminalDisplay(refresh=refresh, past=past, silent=silent)
    seen = kind != "text" and can_click(shell)
    clicked = seen and (controls or kind == "live")
    return RunDisplay(refresh=refresh, kind=kind, past=past, silent=silent, controls=clicked, apart=seen)


def is_terminal(shell: Any) -> bool:
    """Whether a shell is plain IPython's, which has no outputs to redraw."""
    return any(base.__name__ == "TerminalInteractiveShell" for base in type(shell).__mro__)


def _end(state: RunState, error: BaseException) -> Ended:
    stopped = isinstance(error, KeyboardInterrupt)
    reason = "interrupted" if stopped else error.message if isinstance(error, NbtuneError) else repr(error)
    return Ended(status="stopped" if stopped else "failed", step=state.step, reason=reason, seconds=state.seconds)
