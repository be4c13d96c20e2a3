"""Examples that are there more than once: inside the training data, and in two parts of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune.data import near
from nbtune.data.findings import are, called, finding_on, rows_in_words, s
from nbtune.data.packing import PackedExamples
from nbtune.data.survey import identities
from nbtune.data.wording import texts_of
from nbtune.tasks.task import Task
from nbtune.values import Example, Finding, Part

_SERIOUS = 0.01
"""The share of a part that must be known from another for the score to be in doubt."""

_Numbers = NDArray[np.int64]


def exact(task: Task, parts: Mapping[Part, PackedExamples]) -> Iterator[Finding]:
    """Examples of one part that are in another, and repeats in the training data."""
    seen: dict[Part, PackedExamples] = {}
    for part, examples in parts.items():
        own = identities(task, examples)
        for other, theirs in seen.items():
            rows = np.sort(examples.rows[np.isin(own, identities(task, theirs))])
            if len(rows):
                where = f"{are(len(rows))} also in the {called(other)} data ({rows_in_words(rows)})"
                fix = "drop_leaks" if other == "train" and "drop_leaks" in task.fixes else ""
                yield finding_on(
                    "warning",
                    f"{len(rows):,} of the {len(examples):,} {part} examples {where}",
                    f"the score may be too good: take them out of {other} or {part}",
                    rows,
                    fix,
                )
        seen[part] = examples
    if "train" in parts:
        yield from _repeats(task, parts["train"])


def repeated(task: Task, train: PackedExamples) -> tuple[_Numbers, _Numbers]:
    """Positions of examples that repeat an earlier one with the same target, and of all whose input is there with
    different targets."""
    _, number, counts = np.unique(identities(task, train), return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts[number] > 1)
    answers: dict[int, list[Any]] = {}
    again: list[int] = []
    for position, which, example in zip(several.tolist(), number[several].tolist(), train.take(several), strict=True):
        known = answers.setdefault(which, [])
        if example.target in known:
            again.append(position)
        else:
            known.append(example.target)
    contrary = [which for which, targets in answers.items() if len(targets) > 1]
    return np.array(again, dtype=np.int64), several[np.isin(number[several], contrary)]


def sketched(task: Task, examples: Iterable[Example]) -> near.Sketches:
    """What `almost` must know of the texts of some examples, which are looked at once."""
    return near.sketch(_texts(task, examples))


def almost(
    task: Task, parts: Mapping[Part, PackedExamples], sketches: Mapping[Part, near.Sketches]
) -> Iterator[Finding]:
    """Examples that are almost, and not exactly, the same as an earlier one or as one of another part."""
    earlier: list[Part] = []
    for part, examples in parts.items():
        for other in earlier:
            found, partner = near.alike(
                sketches[part], sketches[other], _reader(task, examples), _reader(task, parts[other])
            )
            own, theirs = identities(task, examples), identities(task, parts[other])
            found, partner = _not_exact(found, partner, own, theirs, np.isin(own, theirs))
            if len(found):
                yield _near_leak(part, other, parts, found, partner)
        earlier.append(part)
    if "train" in parts:
        train = parts["train"]
        found, partner = near.alike(sketches["train"], None, _reader(task, train))
        own = identities(task, train)
        once = np.zeros(len(own), dtype=bool)
        once[np.unique(own, return_index=True)[1]] = True
        found, partner = _not_exact(found, partner, own, own, ~once)
        if len(found):
            yield _near_repeats(task, train, found, partner)


def by_text(task: Task) -> bool:
    """Whether rows are told apart by their texts, and not by ids as interactions are."""
    return not any(column.kind == "id" and column.required for column in task.columns)


def _not_exact(
    found: _Numbers, partner: _Numbers, own: NDArray[np.uint64], theirs: NDArray[np.uint64], said: NDArray[np.bool_]
) -> tuple[_Numbers, _Numbers]:
    """Without the examples that are told of as exact duplicates."""
    kept = (own[found] != theirs[partner]) & ~said[found]
    return found[kept], partner[kept]


def _near_leak(
    part: Part,
    other: Part,
    parts: Mapping[Part, PackedExamples],
    found: _Numbers,
    partner: _Numbers,
) -> Finding:
    rows = parts[part].rows[found]
    pair = f"such as row {rows[0]} and row {parts[other].rows[partner[0]]} of {other}"
    share = len(found) / len(parts[part])
    return finding_on(
        "warning" if share >= _SERIOUS else "note",
        f"{len(found):,} of the {len(parts[part]):,} {part} examples {are(len(found))} almost the same as"
        f" {called(other)} ones ({rows_in_words(np.sort(rows))}; {pair})",
        "the score may be too good: look at them, and take copies out",
        np.sort(rows),
    )


def _near_repeats(task: Task, train: PackedExamples, found: _Numbers, partner: _Numbers) -> Finding:
    rows = train.rows[found]
    others = sum(
        sorted(task.labels_of(one)) != sorted(task.labels_of(other))
        for one, other in zip(train.take(found), train.take(partner), strict=True)
    )
    differ = f"; {others:,} of them with other labels" if others else ""
    pair = f"such as row {rows[0]} and row {train.rows[partner[0]]}"
    return finding_on(
        "note",
        f"{len(found):,} training example{s(len(found))} {are(len(found))} almost the same as an earlier one"
        f" ({rows_in_words(np.sort(rows))}; {pair}{differ})",
        "keep them if they are real: copies with small changes count double",
        np.sort(rows),
    )


def _repeats(task: Task, train: PackedExamples) -> Iterator[Finding]:
    again, contrary = repeated(task, train)
    if len(contrary):
        inputs = len(np.unique(identities(task, train)[contrary]))
        rows = np.sort(train.rows[contrary])
        yield finding_on(
            "warning",
            f"{inputs:,} input{s(inputs)} {are(inputs)} in the training data more than once, with different targets"
            f" ({rows_in_words(rows)})",
            "decide which target is right: the model cannot learn both",
            rows,
            "drop_conflicts" if "drop_conflicts" in task.fixes else "",
        )
    if len(again):
        extra = np.sort(train.rows[again])
        subject = "1 training example repeats" if len(extra) == 1 else f"{len(extra):,} training examples repeat"
        yield finding_on(
            "note",
            f"{subject} an earlier one ({rows_in_words(extra)})",
            "drop them if they are there by mistake",
            extra,
            "drop_duplicates" if "drop_duplicates" in task.fixes else "",
        )


def _texts(task: Task, examples: Iterable[Example]) -> Iterator[str]:
    read = texts_of(task)
    return ("\n".join(read(example)) for example in examples)


def _reader(task: Task, examples: PackedExamples) -> Callable[[_Numbers], Iterator[str]]:
    return lambda positions: _texts(task, examples.take(positions))
