"""Corrections of gold answers: a small file beside the data, applied when the data is read. The data stays as it is.

One JSON object a line: `fingerprint` of the row's inputs, `old` and `new` answer, `who`, `when` (ISO 8601) and `why`.
Rows are told by what they say, not by their number, so data that is sorted anew keeps its corrections.
"""

from __future__ import annotations

import codecs
import datetime
import getpass
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nbtune.data.packing import PackedExamples, pack
from nbtune.errors import DataError, did_you_mean
from nbtune.tasks.task import Task
from nbtune.values import Example

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One line of the file."""

    fingerprint: str
    old: Any
    new: Any
    who: str = ""
    when: str = ""
    why: str = ""


def fingerprint(example: Example) -> str:
    """128 bits of the example's inputs, in hexadecimal."""
    return next(fingerprints(pack([example])))


def fingerprints(examples: PackedExamples) -> Iterator[str]:
    """The fingerprint of each example, in order."""
    for start in range(0, len(examples), _AT_ONCE):
        inputs, _ = examples.written(start, min(start + _AT_ONCE, len(examples)))
        for each in inputs:
            yield hashlib.sha256(each.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def same(one: Any, other: Any) -> bool:
    """Whether two answers are the same; the order of several labels or entities means nothing."""
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(json.dumps, one)) == sorted(map(json.dumps, other))
    return bool(one == other)


def correction(task: Task, example: Example, new: Any, *, who: str | None, why: str) -> Correction:
    """The entry that gives an example another answer, signed and dated; `who` is the user of the machine if not given.

    Raises:
        DataError: `new` is no answer to this example, or the one it has.
    """
    old = task.answer(example)
    try:
        found = task.answer(task.corrected(example, new))
    except ValueError as reason:
        raise DataError(f"row {example.row}: the answer {reason}", "write it as the data has it") from None
    if same(found, old):
        raise DataError(f"row {example.row} has this answer already", "give another one, or leave the row as it is")
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return Correction(fingerprint=fingerprint(example), old=old, new=found, who=_user(who), when=when, why=why)


def append(path: Path, entries: Sequence[Correction]) -> None:
    """Add entries at the end of the file, which is made if need be; others may add to it at the same time.

    Raises:
        DataError: it cannot be written.
    """
    lines = "".join(json.dumps(asdict(entry), ensure_ascii=True) + "\n" for entry in entries).encode()
    try:
        # one write at the end of the file as it then is: lines of two writers never mix
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            if _last_byte(handle) not in (b"", b"\n"):  # somebody's editor left the last line open
                lines = b"\n" + lines
            written = os.write(handle, lines)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}", "give another path: corrections=...") from None
    if written != len(lines):
        raise DataError(f"{path} was cut short: the disk is full", "free some space, and remove its last line")


def content_of(path: Path) -> bytes:
    """The file as it is.

    Raises:
        DataError: there is none.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        words = "leave corrections out, or let mistakes(...).correct(row, new) write one"
        raise DataError(f"there is no file of corrections {str(path)!r}", words) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "corrections is a file of JSON lines") from None


def entries_of(path: Path, content: bytes) -> Iterator[tuple[int, Correction]]:
    """The entries of a file with the numbers of their lines.

    Raises:
        DataError: a line is not an entry.
    """
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if line.strip():
            try:
                yield number, _entry(line)
            except ValueError as reason:
                raise DataError(f"{path}, line {number}: {reason}", "correct or remove the line") from None


def _entry(line: bytes) -> Correction:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("this is not JSON") from None
    if not isinstance(content, dict):
        raise ValueError("this is not a JSON object")
    names = [field.name for field in fields(Correction)]
    for name in content:
        if name not in names:
            raise ValueError(f"there is no field {name!r}; {did_you_mean(name, names)}")
    for name in ("fingerprint", "old", "new"):
        if name not in content:
            raise ValueError(f"it has no {name!r}")
    for name in ("fingerprint", "who", "when", "why"):
        if not isinstance(content.get(name, ""), str):
            raise ValueError(f"{name!r} is not a text")
    return Correction(**content)


def _last_byte(handle: int) -> bytes:
    size = os.lseek(handle, 0, os.SEEK_END)
    os.lseek(handle, max(0, size - 1), os.SEEK_SET)
    return os.read(handle, 1)


def _user(who: str | None) -> str:
    try:
        return getpass.getuser() if who is None else who
    except (OSError, KeyError):  # an account without a name, as in some containers
        return ""
