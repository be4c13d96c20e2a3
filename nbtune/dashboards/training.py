"""A run while it trains: the same picture as in a cell, and the controls beside it."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import ipywidgets as widgets

from nbtune.control import Control
from nbtune.dashboards.desk import Desk
from nbtune.dashboards.look import Notice, button, column, html, named, picture, row
from nbtune.drawing import tag
from nbtune.errors import RunError
from nbtune.events import Adjusted, Ended, Event, Paused, Resumed, Started
from nbtune.notebook.memory import held
from nbtune.notebook.run_picture import final_picture, run_picture
from nbtune.notebook.showing import whereabouts
from nbtune.notebook.state import RunState, Throttle
from nbtune.running import background, seeds
from nbtune.running.log import Tail, grown

if TYPE_CHECKING:
    from nbtune.running.run import Run

_REFRESH = 0.5
_NOTHING = "Nothing has been trained here yet. Choose task and data in Set up, and press Start."
_FOLLOWED = 1.0
"""Seconds between two looks at the log of a run that another kernel trains."""


class Live:
    """A watcher that has what it sees drawn, at most twice a second. `next_begins` is called for each further seed."""

    def __init__(
        self,
        show: Callable[[RunState], None],
        past: Iterable[Event] = (),
        next_begins: Callable[[], None] | None = None,
    ) -> None:
        self.state = RunState.of(past)
        self._show = show
        self._next_begins = next_begins
        self._throttle = Throttle(_REFRESH)

    def on_event(self, event: Event) -> None:
        self.state.absorb(event)
        # what is rare is drawn at once: a silence may follow
        rare = isinstance(event, (Started, Paused, Resumed, Adjusted, Ended)) or self.state.ended is not None
        if rare or self._throttle.ready():
            self._show(self.state)

    def of_another_run(self) -> Live:
        """What watches the next of several seeds, in the same place."""
        if self._next_begins is not None:
            self._next_begins()
        return Live(self._show, next_begins=self._next_begins)


class Training:
    """Starts a run, or goes on with one, and steers whatever trains in this kernel."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._control: Control | None = None
        self.state = RunState()
        self._seed = self._seeds = 1
        self.picture = picture(html(_NOTHING))
        self.place = picture()  # which of several seeds
        self.notice = Notice()
        self.pause = button("Pause", self._pause, tooltip="wait after the current step", enabled=False)
        self.stop = button("Stop", self._stop, kind="danger", tooltip="end now and keep the model", enabled=False)
        self.rate = named(widgets.FloatText, "learning rate", width="260px", step=None, disabled=True)
        self.set_rate = button("Set", self._set_rate, tooltip="the new peak, from the next step on", enabled=False)
        controls = row(self.pause, self.stop, self.rate, self.set_rate)
        self.widget = column(controls, self.notice.widget, self.place, self.picture)
        desk.on_run(lambda run: None if run is not None or self.going else self._forget())

    @property
    def going(self) -> bool:
        """Whether a run trains that this dashboard steers."""
        return self._control is not None

    def steers(self, training: background.Training) -> bool:
        """Whether this is what the controls here are for."""
        return training.control is self._control

    def begin(self, launch: Callable[..., Run], past: Iterable[Event] = ()) -> None:
        """Have `launch` start a run in the background: called in the dashboard's thread with watchers and control.

        Raises:
            NbtuneError: what was asked for cannot be done.
        """
        other = background.current()
        if other is not None:
            raise background.second(other)
        control = Control()
        self._steer(control)
        try:
            run = launch(watchers=[Live(self._show, past, self._next_seed)], control=control, background=True)
        except BaseException:
            self._let_go()
            raise
        self._seeds = run.spec.seeds
        self._tell_seed()
        self.rate.value = run.spec.learning_rate
        self._desk.take(run)
        self._in_thread(self._until_end, run)

    def open(self, run: Run) -> None:
        """Show a run from what is on disk; one that is being trained is followed to its end. While one trains that is
        steered here, that one stays in sight, because the controls are its own."""
        if self.going:
            return
        training = background.training_in(run.folder)
        if training is not None:
            self._join(training, run)
        elif run.status == "running":
            self._in_thread(self._follow, run)
        else:
            self._draw_from_disk(run)

    def _join(self, training: background.Training, run: Run) -> None:
        """Watch and steer a run that was started elsewhere in this kernel."""
        tail = Tail(run.folder / "events.jsonl")
        live = Live(self._show, tail.new(), self._next_seed)
        with training.telling:  # nothing is told meanwhile
            for event in tail.new():
                live.state.absorb(event)
            if live.state.ended is None:
                training.join(live)
        self._steer(training.control)
        self._seeds = run.spec.seeds
        self._tell_seed()
        self.rate.value = run.spec.learning_rate
        self._show(live.state)
        self._in_thread(self._until_end, run)

    def _until_end(self, run: Run) -> None:
        try:
            run.wait()
        except BaseException as error:  # kept by the run since its thread ended with it
            self.notice.refuse(error)
        self._enable(False)
        if self._seeds > 1:
            self.place.value = html(tag("div", _of_family(run), css="nbtune-soft"))
        if self._desk.run is not None and self._desk.run.folder == run.folder:
            self._desk.take(run)
        self._control = None

    def _next_seed(self) -> None:
        self._seed += 1
        self._tell_seed()

    def _tell_seed(self) -> None:
        words = (
            f"Seed {self._seed} of {self._seeds}: each is a run of its own, one after the other. Stop ends them all."
        )
        self.place.value = html(tag("div", words, css="nbtune-soft")) if self._seeds > 1 else ""

    def _follow(self, run: Run) -> None:
        """Keep up with the log that another kernel writes, while the run is the one in sight."""
        tail = Tail(run.folder / "events.jsonl")
        live = Live(self._show, tail.new())
        live.state.whereabouts, _ = whereabouts(run, followed=True)
        self._show(live.state)
        for events in grown(tail, run.folder, lambda: time.sleep(_FOLLOWED)):
            if self._desk.run is not run:
                break
            for event in events:
                live.on_event(event)
            if live.state.ended is not None:
                break
        if self._desk.run is run:
            self._draw_from_disk(run)
            self._desk.take(run)

    def _in_thread(self, work: Callable[[Run], None], run: Run) -> None:
        safely = functools.partial(self._desk.guarded, self.notice, functools.partial(work, run))
        threading.Thread(target=safely, name="nbtune dashboard watches", daemon=True).start()

    def _draw_from_disk(self, run: Run) -> None:
        state = RunState.of(run.events())
        state.whereabouts, state.cut_off = whereabouts(run)
        self._show(state)

    def _show(self, state: RunState) -> None:
        if state.ended is None and not state.whereabouts:
            state.memory = held()
        drawn = final_picture(state) if state.ended is not None else run_picture(state)
        self.picture.value = drawn.html
        self.state = state
        self.pause.description = "Resume" if state.paused else "Pause"

    def _forget(self) -> None:
        self.picture.value = html(_NOTHING)
        self.place.value = ""
        self.notice.clear()

    def _steer(self, control: Control) -> None:
        self._control = control
        self._seed = self._seeds = 1
        self.place.value = ""
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


def _of_family(run: Run) -> str:
    """What became of several seeds."""
    if seeds.only_further_missing(run):
        return f"Not all seeds of {run.name} are trained: Resume in Runs goes on with them."
    return (
        "Below is the last of the seeds; Evaluate has the mean and spread of all." if run.status == "finished" else ""
    )
