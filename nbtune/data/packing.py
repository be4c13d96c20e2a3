"""Examples as a few bytes each: a million of them as Python objects would take half a gigabyte."""

from __future__ import annotations

import functools
import gc
import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune.errors import PluginError
from nbtune.values import Example

# control characters never stand in JSON as they are, so these cannot be part of a value
_BETWEEN, _END = b"\x00", b"\x01"
_AT_ONCE = 1000
_FEW_BYTES = 4_000_000
"""Up to here (some 50,000 short texts) examples stay objects once they were looked at: it saves time at little cost."""

_plain = json.JSONEncoder(ensure_ascii=False, sort_keys=True, check_circular=False).encode
_escaped = json.JSONEncoder(ensure_ascii=True, sort_keys=True, check_circular=False).encode


class PackedExamples(Sequence[Example]):
    """Examples that come into being when they are looked at and, where they are many, are not kept.

    Iterating is fast, a million a second; an index costs several times as much; a slice is a list. `rows` holds the
    row of each in its table, `groups` the group, or is None where no example has one.
    """

    def __init__(
        self,
        lines: bytearray,
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        rows: NDArray[np.int64],
        groups: NDArray[np.object_] | None,
    ) -> None:
        self._lines = lines
        self._starts = starts
        self._ends = ends
        self.rows = rows
        self.groups = groups
        self.identities: NDArray[np.uint64] | None = (
            None  # found as they are read or by `survey`, taken along by `take`
        )
        self._kept: list[Example] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Example]:
        if self._kept is not None:
            return iter(self._kept)
        if int((self._ends - self._starts).sum()) <= _FEW_BYTES:
            self._kept = list(self._unpacked())
            return iter(self._kept)
        return self._unpacked()

    def __getitem__(self, index: Any) -> Any:
        if self._kept is not None:
            return self._kept[index]
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return list(self._examples(start, max(start, stop)))
            return list(self.take(np.arange(start, stop, step, dtype=np.int64)))
        position = range(len(self))[index]
        return next(self._examples(position, position + 1))

    def tied(self, groups: NDArray[np.object_]) -> PackedExamples:
        """The same examples in these groups, None being none."""
        tied = PackedExamples(self._lines, self._starts, self._ends, self.rows, groups)
        tied.identities = self.identities
        return tied

    def take(self, positions: NDArray[Any]) -> PackedExamples:
        """The examples at `positions`, which share the memory of these."""
        groups = None if self.groups is None else self.groups[positions]
        taken = PackedExamples(
            self._lines, self._starts[positions], self._ends[positions], self.rows[positions], groups
        )
        if self.identities is not None:
            taken.identities = self.identities[positions]
        return taken

    def written(self, start: int, stop: int) -> tuple[list[str], list[str]]:
        """The inputs and the targets of some examples, as JSON."""
        pairs = [line.split(_BETWEEN) for line in self._joined(start, stop).split(_END)[:-1]]
        return [inputs.decode() for inputs, _ in pairs], [target.decode() for _, target in pairs]

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over inputs and targets in order."""
        digest = hashlib.sha256()
        for start in range(0, len(self), _AT_ONCE):
            digest.update(self._joined(start, start + _AT_ONCE))
        return digest.hexdigest()

    def _unpacked(self) -> Iterator[Example]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._examples(start, min(start + _AT_ONCE, len(self)))

    def _joined(self, start: int, stop: int) -> bytes:
        lines = self._lines
        bounds = zip(self._starts[start:stop].tolist(), self._ends[start:stop].tolist(), strict=True)
        return b"".join([lines[first:last] for first, last in bounds])

    def _examples(self, start: int, stop: int) -> Iterator[Example]:
        # one array of inputs and targets in turn: one call of the parser, and keys are shared
        content = self._joined(start, stop).replace(_BETWEEN, b",").replace(_END, b",")
        values = _parsed(b"[" + content + b"0]")
        rows = self.rows[start:stop].tolist()
        if self.groups is None:
            return map(Example, values[0:-1:2], values[1::2], rows)
        return map(Example, values[0:-1:2], values[1::2], rows, self.groups[start:stop].tolist())


def _parsed(content: bytes) -> list[Any]:
    """JSON without the collector of circles, which would look at the new lists again and again and find none: of
    examples with lists of words, parsing them takes four times as long otherwise."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        values: list[Any] = json.loads(content)
    finally:
        if collecting:
            gc.enable()
    return values


def pack(examples: Iterable[Example]) -> PackedExamples:
    """Examples packed one by one; those that are packed already are given back.

    Raises:
        PluginError: an example holds something else than plain JSON values.
    """
    if isinstance(examples, PackedExamples):
        return examples
    lines, ends, rows = bytearray(), array("q"), array("q")
    groups: list[str | None] = []
    known: dict[str, str] = {}
    for example in examples:
        lines += _line(example)
        ends.append(len(lines))
        rows.append(example.row)
        group = example.group
        groups.append(None if group is None else known.setdefault(group, group))
    return from_lines(lines, np.array(ends, dtype=np.int64), np.array(rows, dtype=np.int64), groups if known else None)


def from_lines(
    lines: bytearray, ends: NDArray[np.int64], rows: NDArray[np.int64], groups: Sequence[str | None] | None
) -> PackedExamples:
    """Packed examples from lines that `join_line` made, one after the other; `ends` says where each stops."""
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1]
    named = None if groups is None else np.array(groups, dtype=np.object_)
    return PackedExamples(lines, starts, ends, rows, named)


def join_line(inputs: str, target: str) -> bytes:
    """One packed example from its parts as JSON."""
    return f"{inputs}\x00{target}\x01".encode()


def _line(example: Example) -> bytes:
    try:
        return join_line(_plain(example.inputs), _plain(example.target))
    except UnicodeEncodeError:  # half a surrogate pair, of broken text, survives as \uXXXX
        return join_line(_escaped(example.inputs), _escaped(example.target))
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"the example of row {example.row} cannot be written down: {error}",
            "inputs and target must be plain JSON values: str, numbers, lists and dicts",
        ) from None
