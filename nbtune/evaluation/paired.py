"""Whether two contenders differ, from their tallies on the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbtune.evaluation.intervals import RESAMPLES, Score, interval, resample
from nbtune.tasks.metrics import Floats, Metric

ROUNDS = 10_000
_EXACT = 13
"""Examples that differ, up to which every way of swapping them is tried (8,192 ways)."""
_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Counted:
    """A contender: a metric and its tallies, shape [examples, columns]; the columns are the contender's own."""

    metric: Metric
    tallies: Floats

    @property
    def value(self) -> float:
        return float(self.metric.formula(self.tallies.sum(axis=0)))


def difference(ours: Counted, theirs: Counted, seed: int = 0, resamples: int = RESAMPLES) -> Score:
    """Our score minus theirs, with the 95% interval of a bootstrap that draws the same examples for both."""
    width = ours.tallies.shape[1]
    both = np.concatenate([ours.tallies, theirs.tallies], axis=1)

    def gap(sums: Floats) -> Floats:
        return ours.metric.formula(sums[..., :width]) - theirs.metric.formula(sums[..., width:])

    return interval(gap, both, resample(both, resamples, seed))


def randomisation_test(ours: Counted, theirs: Counted, rounds: int = ROUNDS, seed: int = 0) -> float:
    """How often swapping the answers of some examples makes a difference at least as large, a two-sided p-value.

    The test of Noreen (1989) for scores that are no means. Exact where few examples differ; else from `rounds` random
    swaps, never 0 (Phipson and Smyth, 2010). Both contenders must count in the same columns.

    Raises:
        ValueError: they do not.
    """
    if ours.tallies.shape != theirs.tallies.shape:
        raise ValueError("the contenders count in different columns")
    gain = theirs.tallies - ours.tallies
    gain = gain[(gain != 0).any(axis=1)]
    seen = abs(ours.value - theirs.value)
    if not len(gain) or np.isnan(seen):
        return 1.0
    exact = len(gain) <= _EXACT
    total = 2 ** len(gain) if exact else rounds
    random = np.random.default_rng(seed)
    sums, other = ours.tallies.sum(axis=0), theirs.tallies.sum(axis=0)
    chunk = max(1, _AT_ONCE // len(gain))
    extreme = 0
    for start in range(0, total, chunk):
        size = min(chunk, total - start)
        swaps = _every_way(start, size, len(gain)) if exact else random.integers(0, 2, (size, len(gain)))
        moved = swaps.astype(np.float64) @ gain
        gap = ours.metric.formula(sums + moved) - theirs.metric.formula(other - moved)
        extreme += int((np.abs(gap) >= seen - 1e-12).sum())  # ties count, also those that rounding hides
    return extreme / total if exact else (extreme + 1) / (total + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values that allow for there being many of them (Holm, 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.zeros(len(p_values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return [float(value) for value in adjusted]


def _every_way(start: int, size: int, examples: int) -> Floats:
    """The binary digits of `start` to `start + size`, shape [size, examples]."""
    numbers = np.arange(start, start + size)[:, None]
    return ((numbers >> np.arange(examples)) & 1).astype(np.float64)
