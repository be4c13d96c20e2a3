"""Scores of runs that differ in their seed alone: mean, spread, and an interval that allows for seeds and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nbtune.drawing import Record
from nbtune.evaluation.intervals import RESAMPLES, Score, resample
from nbtune.evaluation.paired import Counted
from nbtune.tasks.metrics import Floats


@dataclass(frozen=True, slots=True)
class Spread(Record):
    """`mean` over the seeds with its 95% interval, `deviation` between them (n - 1), and each seed's value."""

    mean: Score
    deviation: float
    values: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Spread:
        """What `to_dict` wrote."""
        return cls(Score(**content["mean"]), content["deviation"], tuple(content["values"]))


def spread(runs: Sequence[Counted]) -> Spread:
    """Of one metric, counted for each seed on the same examples.

    The variance of the mean is that between seeds over their number, plus that of a bootstrap which draws the same
    examples for all seeds; the interval takes Student's t with Satterthwaite's (1946) degrees of freedom.
    """
    values = np.array([run.value for run in runs])
    examples = _means(runs).mean(axis=1).std(ddof=1)
    return Spread(_around(float(values.mean()), [values], examples), _deviation(values), tuple(values.tolist()))


def difference_over_seeds(ours: Sequence[Counted], theirs: Sequence[Counted]) -> Score:
    """Our mean minus theirs on the same examples, with a 95% interval that includes the spread of both sides' seeds."""
    mine, other = (np.array([run.value for run in side]) for side in (ours, theirs))
    width = len(ours)
    means = _means([*ours, *theirs])
    examples = (means[:, :width].mean(axis=1) - means[:, width:].mean(axis=1)).std(ddof=1)
    return _around(float(mine.mean() - other.mean()), [mine, other], examples)


def _around(value: float, seeds: Sequence[Floats], examples: float) -> Score:
    """The value with its interval, from the values of each side's seeds and the standard error over examples."""
    from scipy.stats import t

    parts = [(_deviation(values) ** 2 / len(values), len(values) - 1) for values in seeds]
    parts.append((float(examples) ** 2, RESAMPLES - 1))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return Score(value, value, value)
    freedom = variance**2 / sum(part**2 / max(1, free) for part, free in parts)
    reach = float(t.ppf(0.975, freedom)) * float(np.sqrt(variance))
    return Score(value, value - reach, value + reach)


def _means(runs: Sequence[Counted]) -> Floats:
    """The score of each run on bootstrap samples of the examples, the same for all, shape [resamples, runs]."""
    widths = np.cumsum([0, *(run.tallies.shape[1] for run in runs)])
    sums = resample(np.concatenate([run.tallies for run in runs], axis=1))
    scores = [run.metric.formula(sums[:, a:b]) for run, a, b in zip(runs, widths, widths[1:], strict=False)]
    return np.stack(scores, axis=1)


def _deviation(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
