"""Files and folders that are replaced whole, and what the disk says when it refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file so that a crash leaves the old or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(aside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def settled(path: Path) -> Path:
    """A folder that is replaced in two renames, put right where a kill fell between them."""
    before = _before(path)
    if not path.exists() and before.is_dir():
        with contextlib.suppress(OSError):  # someone else was faster, or may not write here
            before.rename(path)
    return path


def replace_folder(aside: Path, path: Path) -> None:
    """Put a folder in place of another. No system renames over a full folder: the old one is moved, then removed."""
    before = _before(path)
    if path.exists():
        shutil.rmtree(before, ignore_errors=True)
        path.rename(before)
    try:
        aside.rename(path)
    except OSError:
        if not path.exists():
            raise
        # a reader took the moment between the two renames for a kill, and put the old one back
        replace_folder(aside, path)
    shutil.rmtree(before, ignore_errors=True)


def reason_of(error: BaseException, folder: Path | None = None) -> str:
    """Why the disk refused, in words."""
    if folder is not None and not folder.is_dir():
        return "its folder is gone"
    number = getattr(error, "errno", None) or _number_in(str(error))
    if number in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return "the disk is full"
    return os.strerror(number) if number else str(error).splitlines()[0]


def is_of_the_disk(error: Exception) -> bool:
    # safetensors wraps what the system says into an error of its own
    return isinstance(error, OSError) or (type(error).__name__ == "SafetensorError" and _number_in(str(error)) > 0)


def _number_in(words: str) -> int:
    found = re.search(r"(?:code: |os error )(\d+)", words)
    return int(found.group(1)) if found else 0


def _before(path: Path) -> Path:
    return path.with_name(f".{path.name}.before")
