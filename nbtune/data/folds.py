"""Folds: each example is held out once, and judged by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtune.data.packing import pack
from nbtune.data.splits import tied_units
from nbtune.data.survey import survey
from nbtune.errors import SpecError
from nbtune.tasks.task import Task
from nbtune.values import Example


def fold_of(task: Task, examples: Sequence[Example], folds: int, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each example, shape [examples]: strata keep their proportions, duplicates and groups stay together.

    Raises:
        SpecError: there are fewer folds than two, or more than can be filled.
    """
    packed = pack(examples)
    known = survey(task, packed)
    units = tied_units(known.identities, packed.groups)
    count = int(units.max()) + 1 if len(units) else 0
    if not 2 <= folds <= count:
        words = f"{count:,} examples that are not tied together" if count else "no examples"
        raise SpecError(f"folds = {folds}, where there are {words}", "give 2 folds or more, such as 5")
    order = np.random.default_rng(seed).permutation(count)
    _, first = np.unique(units, return_index=True)  # a unit belongs to the stratum of its first example
    dealt = order[np.argsort(known.strata[first][order], kind="stable")]
    fold = np.empty(count, dtype=np.int64)
    fold[dealt] = np.arange(count) % folds  # dealt like cards, stratum after stratum
    return fold[units]
