"""Bootstrap intervals from tallies: resampling examples is a product of weights and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbtune.tasks.metrics import Floats, Metric, MetricSet
from nbtune.values import Example

RESAMPLES = 2000
_CELLS = 4_000_000  # weights drawn at once: 32 MB


@dataclass(frozen=True, slots=True)
class Score:
    """A metric's value with its 95% interval; NaN bounds where none is given."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def __float__(self) -> float:
        return self.value

    def __format__(self, style: str) -> str:
        style = style or ".4f"
        if np.isnan(self.low):
            return format(self.value, style)
        return f"{self.value:{style}} ({self.low:{style}} to {self.high:{style}})"


def group_sums(tallies: Floats, groups: Sequence[str | None]) -> Floats:
    """Tallies summed over examples that are not independent; shape [groups, columns]."""
    if not groups or all(group is None for group in groups):
        return tallies
    names = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    sums = np.zeros((len(names), tallies.shape[1]))
    np.add.at(sums, [names[group] for group in groups], tallies)
    return sums


def resample(tallies: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Summed tallies of bootstrap samples, shape [resamples, columns]: each draws n of the n rows with replacement
    (Efron, 1979)."""
    rows = len(tallies)
    random = np.random.default_rng(seed)
    chunk = max(1, min(resamples, _CELLS // max(1, rows)))
    sums = np.empty((resamples, tallies.shape[1]))
    even = np.full(rows, 1 / max(1, rows))
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        sums[start : start + size] = random.multinomial(rows, even, size=size).astype(np.float64) @ tallies
    return sums


def score(metric: Metric, tallies: Floats, samples: Floats) -> Score:
    """The metric on all examples, with the percentile interval over bootstrap `samples` of the summed tallies."""
    value = float(metric.formula(tallies.sum(axis=0)))
    low, high = percentile_interval(metric.formula(samples))
    return Score(value, low, high)


def scores(
    metrics: MetricSet, sums: Floats, examples: Sequence[Example], predictions: Sequence[Any]
) -> dict[str, Score]:
    """Every metric, those that decompose with their intervals. `sums` are the tallies, shape [examples or groups,
    columns]."""
    samples = resample(sums)
    return {
        metric.name: score(metric, sums, samples)
        if isinstance(metric, Metric)
        else Score(float(metric.compute(examples, predictions)))
        for metric in metrics.metrics
    }


def percentile_interval(values: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """The central interval of the defined values; NaN if none is defined."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
