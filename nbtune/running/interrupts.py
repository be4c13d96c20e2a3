"""The interrupt key while a run trains: the first press stops and keeps the model, the second raises."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from nbtune.control import Control


class Interrupts:
    """How often the key was pressed; `insisted` after the second press."""

    def __init__(self) -> None:
        self.insisted = False


@contextlib.contextmanager
def heard_by(control: Control) -> Iterator[Interrupts]:
    """Turn SIGINT into `control.stop()` inside the block. Does nothing outside the main thread, where python
    delivers no signals."""
    state = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return
    previous = signal.getsignal(signal.SIGINT)

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        if control.stopping:
            state.insisted = True
            raise KeyboardInterrupt
        control.stop()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield state
    finally:
        signal.signal(signal.SIGINT, previous)
