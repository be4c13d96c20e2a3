"""Where corrections are written from: the rows of a run, what is suggested for them, and the file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbtune.data.corrections import Correction, append, content_of, correction, entries_of, fingerprint, same
from nbtune.errors import DataError, did_you_mean
from nbtune.tasks.task import Task
from nbtune.values import Example, Inventory, Part


@dataclass(frozen=True, slots=True)
class Change:
    """What to put in place of what: answers, or parts of answers that are lists."""

    given: Any
    found: Any

    def of(self, answer: Any) -> Any:
        """The answer after it; unchanged where it does not have what is given."""
        if not isinstance(answer, list):
            return self.found if same(answer, self.given) else answer
        gone, come = (part if isinstance(part, list) else [part] for part in (self.given, self.found))
        if any(part not in answer for part in gone):
            return answer
        kept = [part for part in answer if part not in gone]
        return sorted([*kept, *(part for part in come if part not in kept)])


def _changed(changes: Iterable[Change], answer: Any) -> Any:
    for change in changes:
        answer = change.of(answer)
    return answer


@dataclass(eq=False)
class Book:
    """Writes corrections of the rows of `parts`, as they were read, to `path`."""

    task: Task
    inventory: Inventory
    parts: Mapping[Part, Sequence[Example]]
    path: Path
    _suggested: dict[tuple[Part, int], list[Change]] = field(default_factory=dict)
    _rows: dict[Part, dict[int, int]] = field(default_factory=dict)

    def suggest(self, changes: Mapping[tuple[Part, int], Sequence[Change]]) -> None:
        """Take down changes for `accept`, those of a row together."""
        for key, own in changes.items():
            known = self._suggested.setdefault(key, [])
            known += [change for change in own if change not in known]

    def correct(
        self, row: int, new: Any, *, part: Part | None, why: str, who: str | None, new_label: bool
    ) -> list[Correction]:
        example = self._example(self._part_of(row, part), row)
        corrected = self._corrected(example, new)
        strange = set(self.task.labels_of(corrected)) - set(self.inventory.labels)
        if strange and self.inventory.labels and not new_label:
            name = min(strange)
            hint = f"{did_you_mean(name, self.inventory.labels)} To bring a new one, say new_label=True"
            raise DataError(f"no training row has the label {name!r}", hint)
        return self._write([(example, lambda _: new)], why, who)

    def answer(self, row: int, part: Part) -> Any:
        """The answer of a row as the file of corrections now has it, in the form of the data."""
        said = [entry for _, entry in entries_of(self.path, content_of(self.path))] if self.path.exists() else []
        return self.task.answer(self._now(self._example(self._part_of(row, part), row), said))

    def accept(self, rows: Sequence[int], *, part: Part | None, why: str, who: str | None) -> list[Correction]:
        changing = []
        for row in rows:
            found = self._part_of(row, part, suggested=True)
            changes = self._suggested.get((found, row))
            if not changes:
                raise DataError(f"nothing is suggested for row {row}", "correct(row, answer) gives it one of your own")
            changing.append((self._example(found, row), functools.partial(_changed, changes)))
        return self._write(changing, why or "suggested by the model", who)

    def _write(
        self, changing: Iterable[tuple[Example, Callable[[Any], Any]]], why: str, who: str | None
    ) -> list[Correction]:
        """Append what the file does not say already; each example comes with what makes a new answer of its present."""
        said = [entry for _, entry in entries_of(self.path, content_of(self.path))] if self.path.exists() else []
        entries: list[Correction] = []
        for example, change in changing:
            current = self._now(example, (*said, *entries))
            new = change(self.task.answer(current))
            if not same(self.task.answer(self._corrected(current, new)), self.task.answer(current)):
                entries.append(correction(self.task, current, new, who=who, why=why))
        if entries:
            append(self.path, entries)
        return entries

    def _now(self, example: Example, said: Iterable[Correction]) -> Example:
        """The example with what is said of it so far."""
        mark = fingerprint(example)
        for entry in said:
            if entry.fingerprint == mark and same(self.task.answer(example), entry.old):
                example = self._corrected(example, entry.new)
        return example

    def _corrected(self, example: Example, new: Any) -> Example:
        try:
            return self.task.corrected(example, new)
        except ValueError as reason:
            raise DataError(f"row {example.row}: the answer {reason}", "write it as the data has it") from None

    def _part_of(self, row: int, part: Part | None, *, suggested: bool = False) -> Part:
        """The part that a row is in; of several, the one with a suggestion for it."""
        holders = [each for each in ((part,) if part else self.parts) if row in self._places(each)]
        if len(holders) > 1 and suggested:
            holders = [each for each in holders if (each, row) in self._suggested] or holders
        if len(holders) > 1:
            words = " and ".join(holders)
            raise DataError(f"row {row} is in {words}, which come from different tables", f"say part={holders[0]!r}")
        if not holders:
            raise DataError(f"there is no row {row} in {part or ' or '.join(self.parts)}", "see the column row")
        return holders[0]

    def _places(self, part: Part) -> Mapping[int, int]:
        if part not in self._rows:
            own = enumerate(self.parts.get(part, ()))
            self._rows[part] = {example.row: place for place, example in own}
        return self._rows[part]

    def _example(self, part: Part, row: int) -> Example:
        example: Example = self.parts[part][self._places(part)[row]]
        return example
