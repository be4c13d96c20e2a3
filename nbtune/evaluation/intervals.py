"""Bootstrap intervals from tallies: resampling examples is a product of weights and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune.tasks.metrics import Floats, Metric, MetricSet, WholeMetric
from nbtune.values import Example

RESAMPLES = 2000
_CELLS = 4_000_000  # weights drawn at once: 32 MB
_WHOLE_CELLS = 25_000_000  # numbers that a whole metric looks at for its interval: about 2 seconds of ranking
_FEWEST, _PERCENTILES_FROM, _MOST = 25, 200, 500


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
    """Every metric with its interval. `sums` are the tallies, shape [examples or groups, columns]."""
    samples = resample(sums)
    return {
        metric.name: score(metric, sums, samples)
        if isinstance(metric, Metric)
        else whole_score(metric, examples, predictions)
        for metric in metrics.metrics
    }


def whole_score(metric: WholeMetric, examples: Sequence[Example], predictions: Sequence[Any]) -> Score:
    """A metric that does not decompose, recomputed for bootstrap samples of the examples (or of their groups).

    As many samples as are affordable: from 200 on the interval is that of their percentiles, below it 1.96 of their
    standard deviations on each side, for which few are enough (Efron and Tibshirani, 1993, section 6.4).
    """
    value = float(metric.compute(examples, predictions))
    if np.isnan(value):
        return Score(value)
    width = max((len(getattr(each, "probabilities", (each,))) for each in predictions[:1]), default=1)
    rounds = int(np.clip(_WHOLE_CELLS // (len(examples) * width), _FEWEST, _MOST))
    members = _members([example.group for example in examples])
    over = metric.over(examples, predictions) if metric.over else _recomputed(metric, examples, predictions)
    random = np.random.default_rng(0)
    drawn = (random.integers(0, len(members), len(members)) for _ in range(rounds))
    values = np.array([over(np.concatenate([members[group] for group in groups])) for groups in drawn])
    if rounds >= _PERCENTILES_FROM:
        return Score(value, *percentile_interval(values))
    spread = 1.96 * float(np.nanstd(values, ddof=1)) if np.isfinite(values).sum() > 1 else float("nan")
    return Score(value, value - spread, value + spread)


def _members(groups: Sequence[str | None]) -> list[NDArray[np.int64]]:
    """The positions of each group; each example by itself where there are none."""
    if all(group is None for group in groups):
        return list(np.arange(len(groups))[:, None])
    places: dict[str | None, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    return [np.array(own) for own in places.values()]


def _recomputed(
    metric: WholeMetric, examples: Sequence[Example], predictions: Sequence[Any]
) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: float(metric.compute([examples[row] for row in rows], [predictions[row] for row in rows]))


def percentile_interval(values: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """The central interval of the defined values; NaN if none is defined."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
