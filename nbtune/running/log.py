"""The events of a run on disk, one JSON line each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nbtune import events
from nbtune.errors import RunError
from nbtune.events import Event, Preparing, Started
from nbtune.running import locks

_TAIL = 1 << 16
"""Bytes in which the newest event is looked for first."""


class EventLog:
    """`events.jsonl`. Lines the disk has no room for wait in memory until it has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []

    def write(self, event: Event) -> str:
        """Append an event; progress that is only for the eye is left out. Gives words where the disk has just begun
        to refuse: that is no reason to stop learning.

        Raises:
            RunError: the folder is gone.
        """
        if isinstance(event, Preparing):
            return ""
        behind = bool(self._waiting)
        self._waiting.append(events.to_json(event) + "\n")
        try:
            _append(self.path, "".join(self._waiting).encode("utf-8", "surrogatepass"))
        except FileNotFoundError:
            raise RunError(
                f"the folder of the run {self.path.parent.name!r} is gone: {str(self.path.parent)!r}",
                "it was removed or its disk was taken away while training; put it back and resume, or start a new run",
            ) from None
        except OSError as error:
            words = f"the events cannot be written to {self.path.name} ({error.strerror}); they are kept in memory"
            return "" if behind else f"{words} until they can"
        self._waiting.clear()
        return ""

    def read(self) -> Iterator[Event]:
        """The events so far."""
        if self.path.is_file():
            with open(self.path, encoding="utf-8", errors="surrogateescape") as file:
                yield from _parsed(file)

    def last(self) -> Event | None:
        """The newest event, found from the end: the log of a long run is long."""
        if not self.path.is_file():
            return None
        with open(self.path, "rb") as file:
            file.seek(max(0, self.size() - _TAIL))
            lines = file.read().splitlines(keepends=True)
        for line in reversed(lines):
            try:
                if line.endswith(b"\n"):
                    return events.from_json(line.decode("utf-8", "surrogateescape"))
            except json.JSONDecodeError:  # half a line, as the first one may be
                continue
        newest: Event | None = None
        for newest in self.read():  # noqa: B007  # the last one is wanted
            pass
        return newest

    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def cut(self, size: int) -> None:
        """Forget what comes after the first `size` bytes: a resumed run tells it again."""
        if self.size() > size:
            os.truncate(self.path, size)
        self._drop_half_line()

    def cut_to_start(self) -> None:
        """Forget all but what came before the training."""
        kept = 0
        if self.path.is_file():
            for line in self.path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n") or f'"event": "{Started.__name__}"'.encode() in line[:30]:
                    break
                kept += len(line)
        self.cut(kept)

    def _drop_half_line(self) -> None:
        """After a power cut the file may be shorter than it was known to be, and end anywhere."""
        content = self.path.read_bytes() if self.path.is_file() else b""
        if content and not content.endswith(b"\n"):
            os.truncate(self.path, content.rfind(b"\n") + 1)


class Tail:
    """Reads a log that grows, a piece at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[Event]:
        """The events since the last call; after a resume has cut the log, those from its new end on."""
        try:
            with open(self._path, "rb") as file:
                self._offset = min(self._offset, os.fstat(file.fileno()).st_size)
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]  # the rest of a line is still being written
        self._offset += len(whole)
        lines = whole.decode("utf-8", "surrogateescape").split("\n")[:-1]  # data may hold other ends of lines
        return list(_parsed(f"{line}\n" for line in lines))


def grown(tail: Tail, folder: Path, wait: Callable[[], object]) -> Iterator[list[Event]]:
    """What is written to the log of the run in `folder`, a piece after each `wait`, until nobody trains there."""
    while True:
        held = locks.is_held(folder)  # before the last look at what was written
        yield tail.new()
        if not held:
            return
        wait()


def _parsed(lines: Iterable[str]) -> Iterator[Event]:
    """The events of lines. One cut short by a kill or a power cut is passed over."""
    for line in lines:
        try:
            if line.endswith("\n"):
                yield events.from_json(line)
        except json.JSONDecodeError:
            continue


def _append(path: Path, content: bytes) -> None:
    """All of it or nothing."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    try:
        size = os.fstat(handle).st_size
        try:
            while content:
                content = content[os.write(handle, content) :]
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
