"""The interrupt key while a run trains: the first press stops and keeps the model, the second raises.

How soon a press may be heard depends on the work. Steps and batches end first (`heard_by`), what is written is written
whole (`whole`), and long work that looks at no control is cut in the middle (`at_once`). Each swaps the handler of
SIGINT for the length of its block; outside the main thread, where python delivers no signals, only `control` counts.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar

from nbtune.control import Control, Stop
from nbtune.tasks.head import Forward
from nbtune.values import Feature

Given = ParamSpec("Given")
Written = TypeVar("Written")


@contextlib.contextmanager
def heard_by(control: Control) -> Iterator[None]:
    """A press is `control.stop()`; after a stop was asked for, it raises."""

    def press() -> None:
        if control.stopping:
            raise KeyboardInterrupt
        control.stop()

    with _handling(press):
        yield


@contextlib.contextmanager
def at_once(control: Control) -> Iterator[None]:
    """A press, or a stop asked for before, cuts the block. For work that leaves nothing half done behind.

    Raises:
        Stop: the first press; a further one is a plain `KeyboardInterrupt`.
    """

    def press() -> None:
        again = control.stopping
        control.stop()
        raise KeyboardInterrupt if again else Stop

    with _handling(press):
        control.heed()
        yield
    control.heed()  # somebody's code may have swallowed the exception


def whole(control: Control, write: Callable[Given, Written], *args: Given.args, **kwargs: Given.kwargs) -> Written:
    """Call `write` and let no press cut it. A second press is raised when it is done; only a third one (a disk that
    hangs) cuts it.

    Raises:
        KeyboardInterrupt: there was a second press.
    """
    insisted = False

    def press() -> None:
        nonlocal insisted
        if insisted:
            raise KeyboardInterrupt
        insisted = control.stopping
        control.stop()

    with _handling(press):
        written = write(*args, **kwargs)
    if insisted:
        raise KeyboardInterrupt
    return written


def between_batches(control: Control, forward: Forward) -> Forward:
    """A forward for use inside `at_once` that hears a press only between two outputs: cut in the middle of a batch,
    torch could stay in inference mode."""

    def run(features: Iterable[Feature]) -> Iterator[Any]:
        outputs = iter(forward(features))
        while True:
            with heard_by(control):
                try:
                    output = next(outputs)
                except StopIteration:
                    return
            control.heed()
            yield output

    return run


@contextlib.contextmanager
def _handling(press: Callable[[], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda _number, _frame: press())
    try:
        yield
    finally:
        # None: whoever set it is not python
        signal.signal(signal.SIGINT, signal.SIG_DFL if previous is None else previous)
