"""A run while it trains: the same picture as in a cell, and the controls beside it."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import ipywidgets as widgets

from nbtune.control import Control
from nbtune.dashboards.desk import Desk
from nbtune.dashboards.look import NAMED, Notice, button, column, html, picture, row
from nbtune.drawing import callout
from nbtune.errors import RunError
from nbtune.events import Ended, Event, Paused, Resumed, Started
from nbtune.notebook.progress import final_picture, run_picture
from nbtune.notebook.state import RunState, Throttle
from nbtune.running import background

if TYPE_CHECKING:
    from nbtune.running.run import Run

_REFRESH = 0.5
_NOTHING = "Nothing has been trained here yet. Choose task and data in Set up, and press Start."
_FOLLOWED = 1.0
"""Seconds between two looks at the events of a run that is trained elsewhere."""


class Live:
    """A watcher that draws what it sees, at most twice a second."""

    def __init__(self, show: Callable[[RunState], None], past: Iterable[Event] = ()) -> None:
        self.state = RunState.of(past)
        self._show = show
        self._throttle = Throttle(_REFRESH)

    def on_event(self, event: Event) -> None:
        self.state.absorb(event)
        # what is rare is drawn at once: a silence may follow
        if isinstance(event, (Started, Paused, Resumed, Ended)) or self.state.ended or self._throttle.ready():
            self._show(self.state)


class Training:
    """Starts a run, or goes on with one, and steers whatever trains in this kernel."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._control: Control | None = None
        self.picture = picture(html(_NOTHING))
        self.notice = Notice()
        self.pause = button("Pause", self._pause, tooltip="wait after the current step", enabled=False)
        self.stop = button("Stop", self._stop, kind="danger", tooltip="end now and keep the model", enabled=False)
        self.rate = widgets.FloatText(
            description="learning rate",
            step=None,
            disabled=True,
            style={"description_width": NAMED},
            layout=widgets.Layout(width="260px"),
        )
        self.set_rate = button("Set", self._set_rate, tooltip="the new peak, from the next step on", enabled=False)
        desk.on_run(lambda run: None if run is not None or self.going else self._forget())
        self.widget = column(row(self.pause, self.stop, self.rate, self.set_rate), self.notice.widget, self.picture)

    @property
    def going(self) -> bool:
        return self._control is not None

    def begin(self, launch: Callable[..., Run], past: Iterable[Event] = ()) -> None:
        """Have `launch` start a run in the background: called in the dashboard's thread with watchers and control.

        Raises:
            NbtuneError: what was asked for cannot be done.
        """
        other = background.current()
        if other is not None:
            raise background.second(other)
        control = Control()
        live = Live(self._show, past)
        self._steer(control)
        try:
            run = launch(watchers=[live], control=control, background=True)
        except BaseException:
            self._let_go()
            raise
        self.rate.value = run.spec.learning_rate
        self._desk.take(run)
        threading.Thread(target=self._until_end, args=(run,), name="nbtune dashboard waits", daemon=True).start()

    def open(self, run: Run) -> None:
        """Show a run from what is on disk; one that is being trained is followed to its end. While one trains that was
        started here, that one stays in sight, because the controls are its own."""
        if self.going:
            return
        self._draw_from_disk(run)
        training = background.training_in(run.folder)
        if training is not None:
            self._steer(training.control)
            self.rate.value = run.spec.learning_rate
        if run.status == "running":
            threading.Thread(target=self._follow, args=(run,), name="nbtune dashboard follows", daemon=True).start()

    def _forget(self) -> None:
        self.picture.value = html(_NOTHING)
        self.notice.clear()

    def _until_end(self, run: Run) -> None:
        try:
            run.wait()
        except BaseException as error:  # kept by the run since its thread ended with it
            self.notice.refuse(error)
        self._enable(False)
        if self._desk.run is not None and self._desk.run.folder == run.folder:
            self._desk.take(run)
        self._control = None

    def _follow(self, run: Run) -> None:
        self._desk.guarded(self.notice, functools.partial(self._followed, run))

    def _followed(self, run: Run) -> None:
        training, looked = background.training_in(run.folder), threading.Event()
        while run.status == "running" and self._desk.run is run:
            self._draw_from_disk(run)
            if training is None:
                looked.wait(_FOLLOWED)
            else:
                with contextlib.suppress(BaseException):  # whoever started it is told
                    training.wait(_FOLLOWED)
        if training is not None:
            self._let_go()
        if self._desk.run is run:
            self._draw_from_disk(run)
            self._desk.take(run)

    def _draw_from_disk(self, run: Run) -> None:
        state = RunState.of(run.events())
        if state.ended is not None or run.status != "unfinished":
            self._show(state)
            return
        words = f"{run.name} was cut off: nobody trains it, and it has not ended. Resume goes on from its checkpoint."
        cut = callout(words, tone="warning")
        self.picture.value = html(cut) + run_picture(state).html

    def _show(self, state: RunState) -> None:
        drawn = final_picture(state) if state.ended is not None else run_picture(state)
        self.picture.value = drawn.html
        self.pause.description = "Resume" if state.paused else "Pause"

    def _steer(self, control: Control) -> None:
        self._control = control
        self.notice.clear()
        self.pause.description = "Pause"
        self._enable(True)

    def _let_go(self) -> None:
        self._control = None
        self._enable(False)

    def _enable(self, enabled: bool) -> None:
        for each in (self.pause, self.stop, self.rate, self.set_rate):
            each.disabled = not enabled

    def _asked(self) -> Control:
        if self._control is None:
            raise RunError("no run trains here now", "start one, or resume one in Runs")
        return self._control

    def _pause(self) -> None:
        def change() -> None:
            control = self._asked()
            if control.paused:
                control.resume()
                self.notice.say("it goes on")
            else:
                control.pause()
                self.notice.say("it waits after the current step")

        self._desk.guarded(self.notice, change)

    def _stop(self) -> None:
        def change() -> None:
            self._asked().stop()
            self.notice.say("it ends after the current step, and its model is kept")

        self._desk.guarded(self.notice, change)

    def _set_rate(self) -> None:
        def change() -> None:
            try:
                self._asked().set_learning_rate(self.rate.value)
            except ValueError as error:
                raise RunError(str(error), "such as 0.00005") from None
            self.notice.say(f"the peak learning rate is {self.rate.value:g} from the next step on")

        self._desk.guarded(self.notice, change)
