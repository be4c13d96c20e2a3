"""How far a long prediction has come: one line that counts, in a cell's output or in a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from nbtune.drawing import Markup, duration, escape, progress
from nbtune.notebook.picture import Picture
from nbtune.notebook.state import Throttle

Told = Callable[[int, int], None]
_PATIENCE = 1.5
"""Seconds after which something must be seen; what is done by then needs no line."""


@contextlib.contextmanager
def counting(verb: str, *, terminal: bool, refresh: float = 0.5, silent: bool = False) -> Iterator[Told]:
    """A function to be called with what is done and what there is to do; its line stays, with the time it took.

    `verb` says what is done, as in "predicted".
    """
    if silent:
        yield _nothing
        return
    counter = _Counter(verb, _Lines(sys.stdout) if terminal else _Output(), refresh)
    try:
        yield counter.tell
    finally:
        counter.close()


def _nothing(*_: int) -> None:
    """For who wants to see nothing."""


class _Counter:
    def __init__(self, verb: str, place: _Lines | _Output, refresh: float) -> None:
        self._verb = verb
        self._place = place
        self._throttle = Throttle(refresh)
        self._began = time.monotonic()
        self._done, self._total = 0, 0

    def tell(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        spent = time.monotonic() - self._began
        if spent >= _PATIENCE and self._throttle.ready():
            left = f", {duration(spent / done * (total - done))} left" if done else ""
            self._place.show(self._picture(f"{self._count()}{left}"))

    def close(self) -> None:
        if self._place.used:
            spent = time.monotonic() - self._began
            pace = f", {self._done / spent:,.0f} a second" if spent else ""
            self._place.show(self._picture(f"{self._count()} in {duration(spent)}{pace}"), last=True)

    def _count(self) -> str:
        return f"{self._verb} {self._done:,} of {self._total:,}"

    def _picture(self, words: str) -> Picture:
        html = Markup(f"<div>{progress(self._done, self._total, words)} {escape(words)}</div>")
        return Picture(html=html, markdown=words, text=words)


class _Output:
    """One output of the cell, redrawn in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    @property
    def used(self) -> bool:
        return self._handle is not None

    def show(self, picture: Picture, *, last: bool = False) -> None:
        from IPython.display import display

        bundle = picture._repr_mimebundle_()
        if last:  # what stays needs no bar
            bundle["text/html"] = escape(picture.text)
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


class _Lines:
    """One line of a terminal, rewritten in place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width = 0

    @property
    def used(self) -> bool:
        return self._width > 0

    def show(self, picture: Picture, *, last: bool = False) -> None:
        self._stream.write("\r" + picture.text.ljust(self._width) + ("\n" if last else ""))
        self._stream.flush()
        self._width = len(picture.text)
