"""Named safe fixes of the data, `fix = [...]`: what each changes, and the record of what it changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nbtune.data.duplicates import repeated
from nbtune.data.findings import ROWS_KEPT, called, rows_in_words, s
from nbtune.data.packing import PackedExamples, pack
from nbtune.data.survey import identities
from nbtune.data.wording import normalised
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Example, Finding, Part


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a fix changed in a part: how many rows, and the first of them."""

    fix: str
    part: Part
    count: int
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        done = "left out" if self.fix.startswith("drop_") else "changed"
        where = f" ({rows_in_words(self.rows)})" if self.rows else ""
        return f"fix {self.fix} {done} {self.count:,} {called(self.part)} row{s(self.count)}{where}"


def mend(
    task: Task, parts: Mapping[Part, PackedExamples], fixes: Collection[str]
) -> tuple[dict[Part, PackedExamples], list[Fixed]]:
    """The parts as given with `fixes` done to them, before any part is split off, and what that changed.

    Texts are normalised in every part; rows are dropped from the training data alone.

    Raises:
        DataError: a fix cannot be done to this data, or leaves no training data.
    """
    mended = dict(parts)
    record: list[Fixed] = []
    if "normalise_text" in fixes:
        for part, examples in parts.items():
            changed: list[int] = []
            whole = pack(_normalised(task, examples, changed, strict=True))
            mended[part] = whole if changed else examples
            record.append(_fixed("normalise_text", part, changed))
    for fix in ("drop_leaks", "drop_conflicts", "drop_duplicates"):
        if fix in fixes:
            train = mended["train"]
            gone = _to_drop(task, mended, fix)
            record.append(_fixed(fix, "train", np.sort(train.rows[gone])))
            mended["train"] = train.take(np.setdiff1d(np.arange(len(train)), gone))
    if not mended["train"]:
        last = next(fixed for fixed in reversed(record) if fixed.count)
        raise DataError(f"fix = [{last.fix!r}] leaves no training data: {last}", "leave it out, or give other data")
    return mended, record


def normalise_like_training(task: Task, examples: PackedExamples, fixes: Collection[str]) -> PackedExamples:
    """New data for a model that learned from normalised texts. Spans of characters are never moved: where they would
    be, the text stays as it is."""
    if "normalise_text" not in fixes:
        return examples
    return pack(_normalised(task, examples, [], strict=False))


def repairs(findings: Iterable[Finding], part: Part, fixes: Collection[str]) -> tuple[list[Finding], list[Fixed]]:
    """Of what was noticed while reading a part, what is left to say, and what was repaired by a fix that was asked for.

    Tags are repaired as they are read, because nothing can be read from broken ones: asking for it says that this is
    wanted, and records it.
    """
    left = [finding for finding in findings if finding.fix not in fixes]
    done = [Fixed(each.fix, part, each.count, each.rows) for each in findings if each.fix in fixes]
    return left, done


def notes(record: Iterable[Fixed]) -> Iterator[Finding]:
    """What was done, among the findings."""
    for fixed in record:
        yield Finding("note", str(fixed), rows=fixed.rows, count=fixed.count)


def _normalised(task: Task, examples: PackedExamples, changed: list[int], *, strict: bool) -> Iterator[Example]:
    for example in examples:
        found = task.with_texts(example, normalised)
        if found is None and strict:
            raise DataError(
                f"normalise_text cannot be done to row {example.row}: it would move the characters that spans count",
                "normalise the texts together with their spans before, or give tokens with tags",
            )
        if found is None or found.inputs == example.inputs:
            yield example
        else:
            changed.append(example.row)
            yield replace(found, row=example.row, group=example.group)


def _to_drop(task: Task, parts: Mapping[Part, PackedExamples], fix: str) -> NDArray[np.int64]:
    """Positions in the training data."""
    train = parts["train"]
    if fix == "drop_leaks":
        others = [identities(task, parts[part]) for part in ("validation", "test") if part in parts]
        held_out = np.concatenate(others) if others else np.zeros(0, dtype=np.uint64)
        return np.flatnonzero(np.isin(identities(task, train), held_out))
    again, contrary = repeated(task, train)
    return again if fix == "drop_duplicates" else contrary


def _fixed(fix: str, part: Part, rows: list[int] | NDArray[np.int64]) -> Fixed:
    return Fixed(fix, part, len(rows), tuple(int(row) for row in rows[:ROWS_KEPT]))
