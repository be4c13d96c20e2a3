"""Quick checks of every data set, before anything is trained; what a task checks by itself comes on top."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune.data.packing import PackedExamples, pack
from nbtune.data.survey import identities
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Example, Finding, Inventory, Part

_ROWS_KEPT = 100
_ROWS_SHOWN = 5


def check(task: Task, parts: Mapping[Part, Sequence[Example]], inventory: Inventory) -> tuple[Finding, ...]:
    """What is worth knowing about the data, the worst first.

    Raises:
        DataError: a finding is an error: the first is its message, its remedy the hint.
    """
    packed = {part: pack(examples) for part, examples in parts.items()}
    findings = [
        *_few_labels(task, packed, inventory),
        *_unseen_labels(task, packed, inventory),
        *_duplicates(task, packed),
        *_imbalance(inventory),
        *task.check(packed, inventory),
    ]
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more such finding{_s(len(errors) - 1)})" if len(errors) > 1 else ""
        raise DataError(errors[0].message + more, errors[0].remedy)
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(findings, key=lambda finding: order[finding.severity]))


def _few_labels(task: Task, parts: Mapping[Part, Sequence[Example]], inventory: Inventory) -> Iterator[Finding]:
    if len(inventory.labels) >= task.minimum_labels:
        return
    has = f"only one label, {inventory.labels[0]!r}" if len(inventory.labels) == 1 else "no labels"
    if len(inventory.labels) > 1:
        has = f"only {len(inventory.labels)} labels"
    yield Finding(
        "error",
        f"the training data has {has}; the task {task.name!r} needs at least {task.minimum_labels}",
        "check that [columns] names the right column, and that the rows are not all of one kind",
        count=len(parts["train"]),
    )


def _unseen_labels(task: Task, parts: Mapping[Part, Sequence[Example]], inventory: Inventory) -> Iterator[Finding]:
    """An unseen label in validation is most often a misspelling, or a split gone wrong: it stops the run.

    In test data it can only be got wrong, which the score then says.
    """
    if not inventory.labels:
        return
    known = set(inventory.labels)
    for part in ("validation", "test"):
        rows: dict[str, list[int]] = defaultdict(list)
        for example in parts.get(part, ()):
            for label in set(task.labels_of(example)) - known:
                rows[label].append(example.row)
        for label, where in sorted(rows.items()):
            near = get_close_matches(label, inventory.labels, n=1, cutoff=0.6)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            yield Finding(
                "error" if part == "validation" else "warning",
                f"the label {label!r} is in the {part} data but not in the training data ({rows_in_words(where)})",
                f"correct it there, or add examples of it to the training data{meant}",
                rows=tuple(where[:_ROWS_KEPT]),
                count=len(where),
            )


def _duplicates(task: Task, parts: Mapping[Part, PackedExamples]) -> Iterator[Finding]:
    seen: dict[Part, PackedExamples] = {}
    for part, examples in parts.items():
        own = identities(task, examples)
        for other, theirs in seen.items():
            rows = np.sort(examples.rows[np.isin(own, identities(task, theirs))])
            if len(rows):
                where = f"{_are(len(rows))} also in the {_called(other)} data ({rows_in_words(rows)})"
                yield Finding(
                    "warning",
                    f"{len(rows):,} of the {len(examples):,} {part} examples {where}",
                    f"the score may be too good: take them out of {other} or {part}",
                    rows=tuple(rows[:_ROWS_KEPT].tolist()),
                    count=len(rows),
                )
        seen[part] = examples
    if "train" in parts:
        yield from _repeats(parts["train"], identities(task, parts["train"]))


def _repeats(train: PackedExamples, identity: NDArray[np.uint64]) -> Iterator[Finding]:
    _, first, number, counts = np.unique(identity, return_index=True, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts[number] > 1)
    if not len(repeated):
        return
    answers: dict[int, Any] = {}
    contrary: set[int] = set()
    for which, example in zip(number[repeated].tolist(), train.take(repeated), strict=True):
        if answers.setdefault(which, example.target) != example.target:
            contrary.add(which)
    if contrary:
        rows = np.sort(train.rows[np.isin(number, list(contrary))])
        yield Finding(
            "warning",
            f"{len(contrary):,} input{_s(len(contrary))} {_are(len(contrary))} in the training data more than once,"
            " with different targets"
            f" ({rows_in_words(rows)})",
            "decide which target is right: the model cannot learn both",
            rows=tuple(rows[:_ROWS_KEPT].tolist()),
            count=len(rows),
        )
    extra = np.sort(train.rows[repeated[first[number[repeated]] != repeated]])
    subject = "1 training example repeats" if len(extra) == 1 else f"{len(extra):,} training examples repeat"
    yield Finding(
        "note",
        f"{subject} an earlier one ({rows_in_words(extra)})",
        "drop them if they are there by mistake",
        rows=tuple(extra[:_ROWS_KEPT].tolist()),
        count=len(extra),
    )


def _imbalance(inventory: Inventory) -> Iterator[Finding]:
    counts = Counter({label: inventory.counts.get(label, 0) for label in inventory.labels})
    if len(counts) < 2:
        return
    rare = [label for label in inventory.labels if counts[label] < 5]
    if rare:
        shown = ", ".join(f"{label} ({counts[label]})" for label in rare[:_ROWS_SHOWN])
        yield Finding(
            "note",
            f"{len(rare):,} label{_s(len(rare))} with fewer than 5 training examples: {shown}"
            + (", ..." if len(rare) > _ROWS_SHOWN else ""),
            "the model will hardly learn them: add examples, or join them with another label",
            count=len(rare),
        )
    most, fewest = counts.most_common()[0], counts.most_common()[-1]
    if fewest[1] >= 5 and most[1] >= 20 * fewest[1]:
        yield Finding(
            "note",
            f"the labels are out of balance: {most[0]!r} has {most[1]:,} examples, {fewest[0]!r} {fewest[1]:,}",
            'class_weights = "balanced" makes rare labels count as much',
        )


def _called(part: Part) -> str:
    return "training" if part == "train" else part


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def rows_in_words(rows: Sequence[int] | NDArray[np.int64]) -> str:
    """The first few rows by number."""
    shown = ", ".join(str(row) for row in rows[:_ROWS_SHOWN])
    return f"row{_s(len(rows))} {shown}{', ...' if len(rows) > _ROWS_SHOWN else ''}"
