"""Intervals from tallies: resampling examples is a product of counts and tallies, leaving one out a difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.drawing import Record
from nbtune.tasks.metrics import Floats, Metric, MetricSet, WholeMetric
from nbtune.values import Example

RESAMPLES = 2000
METHOD = (
    "how far a score would move with other examples of the same kind (groups of them, where some belong together): "
    "bootstrap, BCa, with the quantiles of Student's t; Wilson's interval where the score is a share of the examples"
)
_CELLS = 400_000  # drawn at once: more no longer fits into a processor's cache
_NORMAL = 1.959963984540054
_Formula: TypeAlias = Callable[[Floats], Floats]
_WHOLE_CELLS = 25_000_000  # numbers that a whole metric looks at for its interval: about 2 seconds of ranking
_FEWEST, _PERCENTILES_FROM, _MOST = 25, 200, 500


@dataclass(frozen=True, slots=True)
class Score(Record):
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
    sums = np.zeros((resamples, tallies.shape[1]))
    chunk = max(1, _CELLS // max(1, rows))
    for start in range(0, resamples if rows else 0, chunk):
        size = min(chunk, resamples - start)
        drawn = random.integers(0, rows, (size, rows)) + np.arange(size)[:, None] * rows
        counts = np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows)
        sums[start : start + size] = counts.astype(np.float64) @ tallies
    return sums


def score(metric: Metric, tallies: Floats, samples: Floats) -> Score:
    """The metric on all examples with its 95% interval; `samples` are bootstrap samples of the summed tallies.

    Wilson's interval (1927) where the score is a share of the examples: the bootstrap is too narrow near 0 and 1, and
    has no width at all there. Else that of `interval`.
    """
    found = interval(metric.formula, tallies, samples)
    hits, rows = _share(metric, tallies, found.value)
    if not rows:
        return found
    spread = _NORMAL**2 / rows
    middle = (hits / rows + spread / 2) / (1 + spread)
    half = np.sqrt(spread * (hits / rows * (1 - hits / rows) + spread / 4)) / (1 + spread)
    low, high = 0.0 if hits == 0 else float(middle - half), 1.0 if hits == rows else float(middle + half)
    return Score(found.value, low, high)


def interval(formula: _Formula, tallies: Floats, samples: Floats) -> Score:
    """A formula on all examples with its bias-corrected and accelerated bootstrap interval (BCa; Efron, 1987).

    The acceleration comes from leaving out one row at a time. Quantiles are widened as Student's t is wider than the
    normal (Hesterberg, 2015, section 4.3), which tells where there are few rows, as with groups.
    """
    value = float(formula(tallies.sum(axis=0)))
    values = formula(samples)
    values = values[np.isfinite(values)]
    if np.isnan(value) or not len(values):
        return Score(value)
    low, high = np.quantile(values, _levels(value, values, _left_out(formula, tallies)))
    return Score(value, float(low), float(high))


def scores(
    metrics: MetricSet, sums: Floats, examples: Sequence[Example], predictions: Sequence[Any]
) -> dict[str, Score]:
    """Every metric with its interval. `sums` are the tallies, shape [examples or groups, columns]."""
    return _scores(metrics, sums, lambda whole: whole_score(whole, examples, predictions))


def rival_scores(
    metrics: MetricSet, sums: Floats, examples: Sequence[Example], predictions: Sequence[Any]
) -> dict[str, Score]:
    """The same of a rival: of what does not decompose the headline alone has an interval. Others are slow to resample,
    and nobody is shown them."""

    def whole(metric: WholeMetric) -> Score:
        if metric.name == metrics.headline:
            return whole_score(metric, examples, predictions)
        return Score(float(metric.compute(examples, predictions)))

    return _scores(metrics, sums, whole)


def _scores(metrics: MetricSet, sums: Floats, whole: Callable[[WholeMetric], Score]) -> dict[str, Score]:
    samples = resample(sums)
    return {
        metric.name: score(metric, sums, samples) if isinstance(metric, Metric) else whole(metric)
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


def _levels(value: float, values: Floats, left_out: Floats) -> Floats:
    """The two quantiles of the bootstrap's `values` that BCa takes, shape [2]."""
    from scipy.special import ndtr, ndtri, stdtrit

    rows = len(left_out)
    wide = np.sqrt(rows / (rows - 1)) * stdtrit(rows - 1, 0.975) if rows > 1 else _NORMAL
    below = ((values < value).mean() + (values <= value).mean()) / 2
    most = len(values) / (len(values) + 1)
    bias = ndtri(np.clip(below, 1 - most, most))
    influence = left_out.mean() - left_out
    size = float((influence**2).sum()) if np.isfinite(influence).all() else 0.0
    acceleration = (influence**3).sum() / (6 * size**1.5) if size > 0 else 0.0
    moved = bias + np.array([-wide, wide])
    room = 1 - acceleration * moved
    # with hardly any rows the correction may pass its pole: then all of the resamples are taken
    return np.asarray(ndtr(np.where(room > 0, bias + moved / np.where(room > 0, room, 1), np.sign(moved) * 9)))


def _share(metric: Metric, tallies: Floats, value: float) -> tuple[float, int]:
    """How many rows are right, of how many, where the score says just that; (0, 0) where it says something else."""
    if np.isnan(value) or not metric.higher_is_better:  # an error of 0 is no share of anything
        return 0.0, 0
    own = _each(metric.formula, tallies)
    defined = ~np.isnan(own)
    if not np.isin(own[defined], (0.0, 1.0)).all():
        return 0.0, 0
    left_out = _left_out(metric.formula, tallies)
    if value in (0.0, 1.0) and (left_out[np.isfinite(left_out)] == value).all():
        rows = int((own == value).sum())  # not those without anything to find
        return value * rows, rows
    hits, rows = float(own[defined].sum()), int(defined.sum())
    expected = (hits - np.where(defined, own, 0.0)) / np.maximum(1, rows - defined)
    return (hits, rows) if np.allclose(left_out, expected, rtol=0, atol=1e-12) else (0.0, 0)


def _left_out(formula: _Formula, tallies: Floats) -> Floats:
    """The scores of all rows but one, shape [rows]."""
    total = tallies.sum(axis=0)
    return _each(lambda part: formula(total - part), tallies)


def _each(formula: _Formula, tallies: Floats) -> Floats:
    """The formula of each row, shape [rows]; in parts, because formulas copy what they are given."""
    step = max(1, _CELLS // tallies.shape[1])
    parts = [formula(tallies[start : start + step]) for start in range(0, len(tallies), step)]
    return np.concatenate(parts) if parts else np.zeros(0)
