"""Quick checks of every data set, before anything is trained; what a task checks by itself comes on top."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from nbtune.data import duplicates
from nbtune.data.findings import finding_on, rows_in_words, s
from nbtune.data.groups import Groupings, across_parts
from nbtune.data.near import Sketches
from nbtune.data.packing import PackedExamples, pack
from nbtune.data.wording import Wording
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Example, Finding, Inventory, Part

_SHOWN = 5
QUICK = 20_000
"""Examples up to which near duplicates are looked for before a training (a second); `%nbtune inspect` always does."""
QUICK_TEXTS = 100_000
"""The same for the wording of the texts."""


def check(
    task: Task,
    parts: Mapping[Part, Sequence[Example]],
    inventory: Inventory,
    *,
    groups: Groupings | None = None,
    thorough: bool = False,
) -> tuple[Finding, ...]:
    """What is worth knowing about the data, the worst first. Unless `thorough`, slow checks of large data are left out,
    which a finding says."""
    packed = {part: pack(examples) for part, examples in parts.items()}
    return ranked(
        [
            *_few_labels(task, packed, inventory),
            *_unseen_labels(task, packed, inventory),
            *duplicates.exact(task, packed),
            *_slow(task, packed, thorough),
            *across_parts(task, packed, groups),
            *_imbalance(inventory),
            *task.check(packed, inventory),
        ]
    )


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first."""
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(findings, key=lambda finding: order[finding.severity]))


def refuse(findings: Iterable[Finding]) -> None:
    """Stop where the data cannot be learned from.

    Raises:
        DataError: a finding is an error: the first is its message, its remedy the hint.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more such finding{s(len(errors) - 1)})" if len(errors) > 1 else ""
        raise DataError(errors[0].message + more, errors[0].remedy)


def _slow(task: Task, parts: Mapping[Part, PackedExamples], thorough: bool) -> Iterator[Finding]:
    size = sum(len(examples) for examples in parts.values())
    word_by_word, near = thorough or size <= QUICK_TEXTS, thorough or size <= QUICK
    sketches: dict[Part, Sketches] = {}
    for part, examples in parts.items():
        wording = Wording(task, part)
        looked_at = wording.over(examples) if word_by_word else iter(examples)
        if near and duplicates.by_text(task):
            sketches[part] = duplicates.sketched(task, looked_at)  # both at once: reading them all takes time
        elif word_by_word:
            deque(looked_at, maxlen=0)
        yield from wording.findings()
    if sketches:
        yield from duplicates.almost(task, parts, sketches)
    left_out = [] if word_by_word else ["the wording of the texts"]
    if not near and duplicates.by_text(task):
        left_out.append("near duplicates")
    if left_out:
        looked = f"not looked at, because {size:,} examples take a while: {' and '.join(left_out)}"
        yield Finding("note", looked, "%nbtune inspect does")


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
            yield finding_on(
                "error" if part == "validation" else "warning",
                f"the label {label!r} is in the {part} data but not in the training data ({rows_in_words(where)})",
                f"correct it there, or add examples of it to the training data{meant}",
                where,
            )


def _imbalance(inventory: Inventory) -> Iterator[Finding]:
    counts = Counter({label: inventory.counts.get(label, 0) for label in inventory.labels})
    if len(counts) < 2:
        return
    rare = [label for label in inventory.labels if counts[label] < 5]
    if rare:
        shown = ", ".join(f"{label} ({counts[label]})" for label in rare[:_SHOWN])
        yield Finding(
            "note",
            f"{len(rare):,} label{s(len(rare))} with fewer than 5 training examples: {shown}"
            + (", ..." if len(rare) > _SHOWN else ""),
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
