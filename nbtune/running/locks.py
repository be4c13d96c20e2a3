"""One owner a run: a lock on a file in its folder. The system lets go of it when the owner dies, however it dies."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from nbtune.errors import RunError

LOCK = ".lock"
_PATIENCE = 0.2
"""Seconds to try: whoever asks `is_held` has the lock for a moment."""


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Own a run inside the block.

    Raises:
        RunError: another process, or another run of this one, owns it; or the folder cannot be written.
    """
    handle = _acquire(folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone
            if sys.platform != "win32":  # which removes no open file
                os.unlink(folder / LOCK)
        os.close(handle)


def is_held(folder: Path) -> bool:
    """Whether somebody trains in the folder at this moment."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(handle, shared=True)
    finally:
        os.close(handle)


def _acquire(folder: Path) -> int:
    path = folder / LOCK
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise RunError(
                f"the run {folder.name!r} cannot be written: {error.strerror}",
                f"see that the disk is there and that {str(folder)!r} may be written",
            ) from None
        if _lock(handle) and _same(handle, path):
            os.truncate(handle, 0)
            with contextlib.suppress(OSError):  # a full disk: the lock holds without words
                os.write(handle, json.dumps({"process": os.getpid(), "host": socket.gethostname()}).encode())
            return handle
        os.close(handle)
        if time.monotonic() > give_up:
            raise RunError(
                f"the run {folder.name!r} is being trained{owner(folder)}",
                "wait for it, stop it there, or choose another name",
            )
        time.sleep(_PATIENCE / 20)


def _same(handle: int, path: Path) -> bool:
    """Whether the locked file still has the name: its last owner removes it when it is done."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except OSError:
        return False


def owner(folder: Path) -> str:
    """Who trains in the folder, in words that follow others: " by process 12"."""
    try:
        told = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        here = told["host"] == socket.gethostname()
        if here and told["process"] == os.getpid():
            return " in this process"
        return f" by process {told['process']}" + ("" if here else f" on {told['host']}")
    except (OSError, ValueError, KeyError, TypeError):
        return " elsewhere"


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, shared: bool = False) -> bool:  # noqa: ARG001  # windows has exclusive ones only
        """Lock a byte far behind the words, which stay readable that way."""
        os.lseek(handle, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(handle, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(handle: int, shared: bool = False) -> bool:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: nobody can be refused there
            return True
        return True
