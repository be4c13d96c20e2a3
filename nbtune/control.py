"""The one way back into a running loop: stop, pause, change a setting. Safe from any thread."""

from __future__ import annotations

import threading


class Stop(KeyboardInterrupt):
    """A stop was heard in the middle of work that is no use half done. Not an `Exception`: what a plugin or a
    library catches of its own failures must not swallow it."""


class Control:
    """Requests to a run, heard at the next step boundary (and between the batches of an evaluation)."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()
        self._lock = threading.Lock()
        self._learning_rate: float | None = None

    def stop(self) -> None:
        """End after the current step, keeping the model. Also ends a pause."""
        self._stop.set()
        self._go.set()

    def pause(self) -> None:
        """Wait after the current step until `resume` or `stop`."""
        if not self._stop.is_set():
            self._go.clear()

    def resume(self) -> None:
        """Go on after a pause."""
        self._go.set()

    def set_learning_rate(self, value: float) -> None:
        """Make `value` the peak learning rate from the next step on; the schedule's shape stays.

        Raises:
            ValueError: `value` is not a positive, finite number.
        """
        if not 0 < value < float("inf"):
            raise ValueError(f"the learning rate must be positive, not {value!r}")
        with self._lock:
            self._learning_rate = float(value)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def heed(self) -> None:
        """For work between two steps: end it here if a stop was asked for.

        Raises:
            Stop: it was.
        """
        if self.stopping:
            raise Stop

    @property
    def paused(self) -> bool:
        return not self._go.is_set()

    def wait_while_paused(self, timeout: float | None = None) -> bool:
        """Block until not paused; False if `timeout` seconds passed first."""
        return self._go.wait(timeout)

    def take_learning_rate(self) -> float | None:
        """The learning rate asked for since the last call, if any. For the loop."""
        with self._lock:
            value, self._learning_rate = self._learning_rate, None
        return value
