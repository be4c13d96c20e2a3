"""Where a run stands, folded from its events: live ones and replayed ones alike."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from nbtune.drawing import thin
from nbtune.events import (
    Adjusted,
    Ended,
    Evaluated,
    Event,
    Noted,
    Paused,
    Prepared,
    Preparing,
    Resumed,
    Saved,
    Started,
    Stepped,
)

_KEEP = 4000
"""Losses kept for the curve; beyond, they are thinned to half, so that a million steps cost no more than this."""


@dataclass
class RunState:
    """What a display needs to know. Feed it with `absorb`."""

    preparing: Preparing | None = None
    prepared: Prepared | None = None
    started: Started | None = None
    step: int = 0
    epoch: float = 0.0
    seconds: float = 0.0
    learning_rate: float = 0.0
    losses: list[tuple[float, float]] = field(default_factory=list)
    evaluations: list[Evaluated] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    changes: list[Adjusted] = field(default_factory=list)
    paused: bool = False
    saved: Saved | None = None
    ended: Ended | None = None
    whereabouts: str = ""  # of a run that is not watched where it trains, in words; whoever shows it sets this
    cut_off: bool = False  # nobody trains it, and it has not said how it ended
    memory: tuple[int, int] = (0, 0)  # bytes of the process, and on its device; set by the display
    seen_at: str = ""  # the time of day when it was drawn; set by the display
    busy: bool = False  # its cell keeps the kernel from running others; set by the display
    _pace: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=50))
    _clean: bool = False  # whether the time since the last step was spent on a step alone

    @classmethod
    def of(cls, events: Iterable[Event]) -> RunState:
        """The state after all of these events."""
        state = cls()
        for event in events:
            state.absorb(event)
        return state

    def absorb(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case Preparing():
                self.preparing = None if event.done >= event.total > 0 else event
                self._clean = False
            case Prepared():
                self.prepared = event
            case Started():
                self._start(event)
            case Stepped():
                self._step(event)
            case Evaluated():
                self.evaluations.append(event)
                self.preparing, self._clean = None, False
            case Noted():
                self.notes.append(event)
            case Adjusted():
                self.changes.append(event)
            case Paused() | Resumed():
                self.paused, self._clean = isinstance(event, Paused), False
            case Saved():
                self.saved, self._clean = event, False
            case Ended():
                self.ended, self.paused, self.preparing = event, False, None
                self.seconds = max(self.seconds, event.seconds)

    @property
    def status(self) -> str:
        """In a word: preparing, training, evaluating, paused, unfinished, or how the run ended."""
        if self.ended is not None:
            return self.ended.status
        if self.cut_off:
            return "unfinished"
        if self.paused:
            return "paused"
        if self.started is None:
            return "preparing"
        return "evaluating" if self.preparing is not None else "training"

    @property
    def headline(self) -> str:
        """The metric that picks the best checkpoint; "" before the first evaluation."""
        return self.evaluations[-1].headline if self.evaluations else ""

    @property
    def best(self) -> Evaluated | None:
        """The evaluation whose weights the run keeps."""
        return next((evaluated for evaluated in reversed(self.evaluations) if evaluated.best), None)

    @property
    def tokens_per_second(self) -> float | None:
        seconds = sum(pace[0] for pace in self._pace)
        return sum(pace[1] for pace in self._pace) / seconds if seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the last steps and evaluations; None while there is nothing to estimate from."""
        if self.started is None or self.ended is not None or self.cut_off or not self._pace:
            return None
        per_step = sum(pace[0] for pace in self._pace) / sum(pace[2] for pace in self._pace)
        left = max(0, self.started.total_steps - self.step)
        estimate = left * per_step
        if self.evaluations and self.step:
            every = self.step / len(self.evaluations)
            estimate += left / every * self.evaluations[-1].seconds
        return estimate

    def _start(self, event: Started) -> None:
        self.started, self.step, self.ended, self.paused, self.preparing = event, event.step, None, False, None
        # a resumed run repeats the steps after its checkpoint
        self.losses = [point for point in self.losses if point[0] <= event.step]
        self.evaluations = [evaluated for evaluated in self.evaluations if evaluated.step <= event.step]
        self._pace.clear()
        self._clean = False

    def _step(self, event: Stepped) -> None:
        if self._clean and event.step > self.step:
            self._pace.append((event.seconds - self.seconds, event.tokens, event.step - self.step))
        self.step, self.epoch, self.seconds = event.step, event.epoch, event.seconds
        self.learning_rate, self._clean, self.preparing = event.learning_rate, True, None
        if event.loss is not None:
            self.losses.append((float(event.step), event.loss))
            if len(self.losses) > _KEEP:
                self.losses = thin(self.losses, _KEEP // 2)


class Throttle:
    """Lets something happen at most once in `interval` seconds."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._last = -interval

    def ready(self) -> bool:
        now = time.monotonic()
        if now - self._last < self.interval:
            return False
        self._last = now
        return True
