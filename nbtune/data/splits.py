"""Validation and test data made from the training data: stratified, seeded, duplicates and groups kept together."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Example, Part


@dataclass(slots=True)
class _Unit:
    """Examples that must not be parted, by their positions."""

    positions: list[int]
    stratum: str


def split(
    task: Task, examples: Sequence[Example], fractions: Mapping[Part, float], seed: int = 0
) -> tuple[dict[Part, list[Example]], str]:
    """`examples` as train and the parts of `fractions` (of all examples), each in the order given, and how it was done.

    A task's own way of splitting goes first. Otherwise strata keep their proportions; a label that all but one
    part would lack stays in train, so a class with a single example is always learned from.

    Raises:
        DataError: a part would be empty.
    """
    wanted = {part: fraction for part, fraction in fractions.items() if fraction > 0}
    own = task.split(examples, wanted, seed)
    if own is not None:
        parts = {part: list(chosen) for part, chosen in own.items()}
        _refuse_empty({part: len(parts.get(part, ())) for part in ("train", *wanted)}, len(examples))
        return parts, f"split by the task {task.name!r} itself"
    units = _units(task, examples)
    if len(units) == 1 and len(examples) > 1:
        raise DataError(
            f"all {len(examples):,} training rows are tied together as duplicates or by their group",
            'give validation data of your own: validation = "..."',
        )
    chosen_parts = _assign(task, examples, units, wanted, seed)
    _refuse_empty(Counter(chosen_parts), len(examples), ("train", *wanted))
    result: dict[Part, list[Example]] = {part: [] for part in ("train", *wanted)}
    for example, part in zip(examples, chosen_parts, strict=True):
        result[part].append(example)
    shares = " and ".join(f"{fraction:.0%} for {part}" for part, fraction in wanted.items())
    return result, f"{shares} taken from the training data, stratified, duplicates kept together, seed {seed}"


def _units(task: Task, examples: Sequence[Example]) -> list[_Unit]:
    """Examples joined where they share an identity or a group, also through others."""
    parent = list(range(len(examples)))

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]  # halve the path
            position = parent[position]
        return position

    first: dict[tuple[str, str], int] = {}
    for position, example in enumerate(examples):
        keys = [("identity", task.identity(example))]
        if example.group is not None:
            keys.append(("group", example.group))
        for key in keys:
            other = first.setdefault(key, position)
            parent[root(position)] = root(other)
    members: dict[int, list[int]] = defaultdict(list)
    for position in range(len(examples)):
        members[root(position)].append(position)
    return [_Unit(positions, _stratum(task, examples, positions)) for positions in members.values()]


def _stratum(task: Task, examples: Sequence[Example], positions: Sequence[int]) -> str:
    if len(positions) == 1:
        return task.stratum(examples[positions[0]])
    counts = Counter(task.stratum(examples[position]) for position in positions)
    return min(counts, key=lambda stratum: (-counts[stratum], stratum))


def _assign(
    task: Task, examples: Sequence[Example], units: Sequence[_Unit], fractions: Mapping[Part, float], seed: int
) -> list[Part]:
    """The part of each example."""
    parts: list[Part] = ["train"] * len(examples)
    remaining = _in_order(units, seed)
    left = 1.0
    for part, fraction in fractions.items():
        taken = _every_nth(remaining, min(1.0, fraction / left))
        _keep_labels(task, examples, remaining, taken)
        if not taken:
            taken = _one_that_can_go(task, examples, remaining)
        for number in taken:
            for position in remaining[number].positions:
                parts[position] = part
        remaining = [unit for number, unit in enumerate(remaining) if number not in taken]
        left -= fraction
    return parts


def _in_order(units: Sequence[_Unit], seed: int) -> list[_Unit]:
    """Units stratum by stratum, both shuffled; strata of one unit last and together, so that a share goes too."""
    chance = random.Random(seed)
    strata: dict[str, list[_Unit]] = defaultdict(list)
    for unit in units:
        strata[unit.stratum].append(unit)
    names = sorted(strata)
    chance.shuffle(names)
    ordered: list[_Unit] = []
    single: list[_Unit] = []
    for name in names:
        chance.shuffle(strata[name])
        (single if len(strata[name]) == 1 else ordered).extend(strata[name])
    return ordered + single


def _every_nth(units: Sequence[_Unit], fraction: float) -> set[int]:
    """The units to take so that at any point the share taken is as near to `fraction` as whole units allow."""
    taken: set[int] = set()
    owed = 0.0
    for number, unit in enumerate(units):
        size = len(unit.positions)
        owed += size * fraction
        if owed >= size / 2:
            taken.add(number)
            owed -= size
    return taken


def _labels(task: Task, examples: Sequence[Example], unit: _Unit) -> set[str]:
    return {label for position in unit.positions for label in task.labels_of(examples[position])}


def _keep_labels(task: Task, examples: Sequence[Example], units: Sequence[_Unit], taken: set[int]) -> None:
    """Give back to train the units whose labels it would lack."""
    known = {
        label for number, unit in enumerate(units) if number not in taken for label in _labels(task, examples, unit)
    }
    for number in sorted(taken):
        labels = _labels(task, examples, units[number])
        if not labels <= known:
            taken.discard(number)
            known |= labels


def _one_that_can_go(task: Task, examples: Sequence[Example], units: Sequence[_Unit]) -> set[int]:
    """The first unit without which train still has every label; none if there is no such unit."""
    counts = Counter(label for unit in units for label in _labels(task, examples, unit))
    if len(units) > 1:
        for number, unit in enumerate(units):
            if all(counts[label] > 1 for label in _labels(task, examples, unit)):
                return {number}
    return set()


def _refuse_empty(sizes: Mapping[Part, int], total: int, parts: Sequence[Part] = ()) -> None:
    for part in parts or sizes:
        if not sizes.get(part):
            raise DataError(
                f"{total:,} training row{' is' if total == 1 else 's are'} too few to set some aside for {part}",
                'give more rows, or validation data of your own: validation = "..."',
            )
