"""Validation and test data made from the training data: stratified, seeded, duplicates and groups kept together."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nbtune.data.packing import PackedExamples, pack
from nbtune.data.survey import Survey, survey
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Example, Part

_Numbers = NDArray[np.int64]


def split(
    task: Task, examples: Sequence[Example], fractions: Mapping[Part, float], seed: int = 0
) -> tuple[dict[Part, PackedExamples], str]:
    """`examples` as train and the parts of `fractions` (of all examples), each in the order given, and how it was done.

    A task's own way of splitting goes first. Otherwise strata keep their proportions; a label that all but one
    part would lack stays in train, so a class with a single example is always learned from.

    Raises:
        DataError: a part would be empty.
    """
    wanted = {part: fraction for part, fraction in fractions.items() if fraction > 0}
    packed = pack(examples)
    own = task.split(packed, wanted, seed)
    if own is not None:
        parts = {part: pack(chosen) for part, chosen in own.items()}
        _refuse_empty({part: len(parts.get(part, ())) for part in ("train", *wanted)}, len(packed))
        return parts, f"split by the task {task.name!r} itself"
    known = survey(task, packed)
    units = tied_units(known.identities, packed.groups)
    if len(packed) > 1 and units.max() == 0:
        raise DataError(
            f"all {len(packed):,} training rows are tied together as duplicates or by their group",
            'give validation data of your own: validation = "..."',
        )
    chosen_part = _Assignment(known, units, seed).parts(wanted)[units]
    names: tuple[Part, ...] = ("train", *wanted)
    result = {part: packed.take(np.flatnonzero(chosen_part == number)) for number, part in enumerate(names)}
    _refuse_empty({part: len(chosen) for part, chosen in result.items()}, len(packed))
    shares = " and ".join(f"{fraction:.0%} for {part}" for part, fraction in wanted.items())
    return result, f"{shares} taken from the training data, stratified, duplicates kept together, seed {seed}"


def tied_units(identities: NDArray[np.uint64], groups: NDArray[np.object_] | None) -> _Numbers:
    """The unit of each example: those that share an identity or a group, also through others, must not be parted.

    Units are numbered by their first examples.
    """
    _, joined = np.unique(identities, return_inverse=True)
    if groups is not None:
        joined = _through_groups(joined, groups)
    _, first, number = np.unique(joined, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number]


def _through_groups(identities: _Numbers, groups: NDArray[np.object_]) -> _Numbers:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    numbers: dict[str, int] = {}
    grouped = np.flatnonzero([group is not None for group in groups])
    group = np.array([numbers.setdefault(groups[position], len(numbers)) for position in grouped], dtype=np.int64)
    distinct = int(identities.max()) + 1
    size = distinct + len(numbers)
    ties = coo_matrix((np.ones(len(grouped), dtype=np.int8), (identities[grouped], distinct + group)), (size, size))
    _, component = connected_components(ties, directed=False)
    result: _Numbers = component.astype(np.int64)[identities]
    return result


class _Assignment:
    """Which part each unit goes to."""

    def __init__(self, known: Survey, units: _Numbers, seed: int) -> None:
        self.sizes = np.bincount(units)
        self.seed = seed
        self.strata = _strata(known.strata, units, self.sizes)
        # each label of a unit once, sorted by unit
        self.names = int(known.labels.max()) + 1 if len(known.labels) else 1
        pairs = np.unique(units[known.owners] * self.names + known.labels)
        self.holders, self.labels = pairs // self.names, pairs % self.names

    def parts(self, fractions: Mapping[Part, float]) -> _Numbers:
        """The number of the part of each unit, shape [units]: 0 for train, then in the order of `fractions`."""
        part = np.zeros(len(self.sizes), dtype=np.int64)
        remaining = self._in_order()
        left = 1.0
        for number, fraction in enumerate(fractions.values(), start=1):
            taken = remaining[_every_nth(self.sizes[remaining].tolist(), min(1.0, fraction / left))]
            part[taken] = number
            self._keep_labels(part, taken, number)
            if not (part == number).any():
                part[self._one_that_can_go(remaining)] = number
            remaining = remaining[part[remaining] == 0]
            left -= fraction
        return part

    def _in_order(self) -> _Numbers:
        """Units stratum by stratum, both shuffled; strata of one unit last and together, so that a share goes too."""
        chance = random.Random(self.seed)
        by_stratum = np.argsort(self.strata, kind="stable")
        borders = np.flatnonzero(np.diff(self.strata[by_stratum])) + 1
        strata = [members.tolist() for members in np.split(by_stratum, borders)]
        chance.shuffle(strata)
        ordered: list[int] = []
        single: list[int] = []
        for members in strata:
            chance.shuffle(members)
            (single if len(members) == 1 else ordered).extend(members)
        return np.array(ordered + single, dtype=np.int64)

    def _labels(self, unit: int) -> _Numbers:
        first, last = np.searchsorted(self.holders, [unit, unit + 1])
        return self.labels[first:last]

    def _keep_labels(self, part: _Numbers, taken: _Numbers, number: int) -> None:
        """Give back to train the units taken for part `number` whose labels it would lack."""
        known = np.zeros(self.names, dtype=bool)
        known[self.labels[part[self.holders] == 0]] = True
        lacking = set(self.holders[~known[self.labels] & (part[self.holders] == number)].tolist())
        for unit in taken.tolist() if lacking else ():
            if unit in lacking and not known[self._labels(unit)].all():
                part[unit] = 0
                known[self._labels(unit)] = True

    def _one_that_can_go(self, units: _Numbers) -> list[int]:
        """The first unit without which train still has every label; none if there is no such unit."""
        counts = np.bincount(self.labels[np.isin(self.holders, units)], minlength=self.names)
        if len(units) > 1:
            for unit in units.tolist():
                if (counts[self._labels(unit)] > 1).all():
                    return [unit]
        return []


def _strata(strata: _Numbers, units: _Numbers, sizes: _Numbers) -> _Numbers:
    """The stratum most of a unit's examples are in, shape [units]; the first by name among equals."""
    found = np.empty(len(sizes), dtype=np.int64)
    found[units] = strata
    shared = np.flatnonzero(sizes[units] > 1)
    if len(shared):
        names = int(strata.max()) + 1
        pairs, counts = np.unique(units[shared] * names + strata[shared], return_counts=True)
        unit, stratum = pairs // names, pairs % names
        # the last written wins: the most frequent, and among equals the smallest number
        order = np.lexsort((-stratum, counts))
        found[unit[order]] = stratum[order]
    return found


def _every_nth(sizes: Sequence[int], fraction: float) -> NDArray[np.bool_]:
    """The units to take so that at any point the share taken is as near to `fraction` as whole units allow."""
    taken = np.zeros(len(sizes), dtype=bool)
    owed = 0.0
    for number, size in enumerate(sizes):
        owed += size * fraction
        if owed >= size / 2:
            taken[number] = True
            owed -= size
    return taken


def _refuse_empty(sizes: Mapping[Part, int], total: int) -> None:
    for part, size in sizes.items():
        if not size:
            raise DataError(
                f"{total:,} training row{' is' if total == 1 else 's are'} too few to set some aside for {part}",
                'give more rows, or validation data of your own: validation = "..."',
            )
