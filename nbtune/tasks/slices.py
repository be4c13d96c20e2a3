"""A part of what was scored, to be looked at by itself: the entities that training never showed, the users it knew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbtune.tasks.metrics import Floats, Metric


@dataclass(frozen=True, eq=False)
class Slice:
    """One value of one way to divide what was scored.

    `rows` are the positions of the examples that belong to it, `tallies` their counts, shape [rows, columns], of which
    `metric` makes the score. `count` says how many there are of `unit`, which need not be examples.
    """

    by: str
    value: str
    metric: Metric
    rows: Sequence[int]
    tallies: Floats
    count: int
    unit: str = "examples"
