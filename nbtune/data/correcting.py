"""Corrected answers for the examples of the data, from the file beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbtune.data.corrections import Correction, content_of, entries_of, fingerprints, same
from nbtune.data.packing import PackedExamples, pack
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Example, Finding, Part

_KEPT = 100
_REMEDY = "rows that are gone, or were mended in the data, need these lines no more"


@dataclass(frozen=True, slots=True)
class Applied:
    """The parts with corrected answers. `facts` are for `data.json`: the file, its SHA-256, the entries applied and
    the rows that changed."""

    parts: dict[Part, PackedExamples]
    facts: dict[str, Any]
    findings: tuple[Finding, ...]


def apply(task: Task, parts: Mapping[Part, Sequence[Example]], path: Path) -> Applied:
    """Give the examples the answers that the file has for them, one entry after the other.

    An entry changes every row with its inputs and its old answer. What cannot be applied is a finding.

    Raises:
        DataError: the file is not there, or a line is not an entry.
    """
    content = content_of(path)
    entries = list(entries_of(path, content))
    rows = _Rows(task, parts, {entry.fingerprint for _, entry in entries})
    missing: list[int] = []
    other: list[int] = []
    done: list[int] = []
    for line, entry in entries:
        found = rows.of(entry)
        if found is None:
            missing.append(line)
            continue
        try:
            changed = rows.change(found, entry)
        except ValueError as reason:
            raise DataError(f"{path}, line {line}: the new answer {reason}", "correct or remove the line") from None
        (done if changed else other).append(line)
    facts: dict[str, Any] = {"file": str(path), "sha256": hashlib.sha256(content).hexdigest()}
    facts |= {"entries": len(entries), "applied": len(done), "rows": len(rows.changed)}
    findings = [
        *rows.findings(path.name),
        *_unapplied("no row has this text", path.name, missing),
        *_unapplied("the row has another answer than the old one", path.name, other),
    ]
    return Applied(rows.corrected(), facts, tuple(findings))


class _Rows:
    """The examples that entries may be about, with the answers that they have by now."""

    def __init__(self, task: Task, parts: Mapping[Part, Sequence[Example]], wanted: set[str]) -> None:
        self._task = task
        self._parts = {part: pack(examples) for part, examples in parts.items()}
        self._places: dict[str, list[tuple[Part, int]]] = {}
        for part, examples in self._parts.items():
            for position, mark in enumerate(fingerprints(examples)):
                if mark in wanted:
                    self._places.setdefault(mark, []).append((part, position))
        self.changed: dict[tuple[Part, int], Example] = {}

    def of(self, entry: Correction) -> list[tuple[Part, int]] | None:
        """Where the rows of an entry are; None if there are none."""
        return self._places.get(entry.fingerprint)

    def change(self, places: Iterable[tuple[Part, int]], entry: Correction) -> bool:
        """Whether any of them had the old answer, and so has the new one now.

        Raises:
            ValueError: the new one is no answer to it.
        """
        changed = False
        for part, position in places:
            example = self.changed.get((part, position)) or self._parts[part][position]
            if same(self._task.answer(example), entry.old):
                self.changed[part, position] = self._task.corrected(example, entry.new)
                changed = True
        return changed

    def corrected(self) -> dict[Part, PackedExamples]:
        touched = {part for part, _ in self.changed}
        return {
            part: pack(self.changed.get((part, at), each) for at, each in enumerate(examples))
            if part in touched
            else examples
            for part, examples in self._parts.items()
        }

    def findings(self, name: str) -> Iterator[Finding]:
        if not self.changed:
            return
        rows = tuple(example.row for example in self.changed.values())
        words = f"{name} corrected the answers of {len(rows):,} rows"
        yield Finding("note", words if len(rows) > 1 else f"{name} corrected the answer of one row", "", rows[:_KEPT])
        known = {
            label for examples in self._parts.values() for each in examples for label in self._task.labels_of(each)
        }
        for example in self.changed.values():
            for label in self._task.labels_of(example):
                if label not in known:
                    known.add(label)
                    yield Finding("warning", f"{name} brings a new label: {label!r}", "is it a slip?", (example.row,))


def _unapplied(what: str, name: str, lines: Sequence[int]) -> Iterator[Finding]:
    if lines:
        shown = ", ".join(map(str, lines[:5])) + (" ..." if len(lines) > 5 else "")
        yield Finding("warning", f"not applied, because {what}: line {shown} of {name}", _REMEDY, (), len(lines))
