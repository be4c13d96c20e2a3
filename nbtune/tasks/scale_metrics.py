"""Scores of predictions on a scale: ordered labels, or numbers. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.metrics import Floats, Metric, MetricSet, WholeMetric, mean, ratio
from nbtune.values import Example

_SCALE = "rows with a gold label outside of the scale are left out"
_RANKS = "undefined where either side is constant; ties at their mean rank"


def ordinal_metrics(labels: tuple[str, ...]) -> MetricSet:
    """Quadratic kappa, mean absolute error and the share within one step, for `LabelScores` over labels that are
    given in their order, one step apart. Rows with a gold label that is not among them are left out."""
    place = {label: position for position, label in enumerate(labels)}

    def tally(example: Example, prediction: LabelScores) -> list[float]:
        if example.target not in place:
            return [0.0] * 7
        gold, predicted = place[example.target], prediction.chosen[0]
        error = abs(gold - predicted)
        return [1, gold, predicted, gold**2 + predicted**2, error**2, error, error <= 1]

    def kappa(sums: Floats) -> Floats:
        rows, gold, predicted, squares, observed = (sums[..., column] for column in range(5))
        # the squared distance that rows and columns of the confusion table would show if they were independent
        expected = squares - 2 * ratio(gold * predicted, rows)
        return 1 - ratio(observed, expected, empty=np.nan)

    return MetricSet(
        ("rows", "gold", "predicted", "squares", "squared error", "error", "near"),
        tally,
        (
            Metric(
                "quadratic_kappa",
                kappa,
                convention=f"weights by squared steps (Cohen, 1968); undefined where all is one label; {_SCALE}",
            ),
            Metric("mae", mean(5, 0), higher_is_better=False, convention=f"in steps between labels; {_SCALE}"),
            Metric("within_one", mean(6, 0), convention=f"the share at most one step off; {_SCALE}"),
        ),
        headline="quadratic_kappa",
    )


def number_metrics(center: float = 0.0) -> MetricSet:
    """Mean absolute error, root mean squared error, Pearson's and Spearman's correlation, for predictions that
    are numbers. `center` (the training mean, say) keeps the sums of squares exact for targets far from 0."""

    def tally(example: Example, prediction: float) -> list[float]:
        gold, predicted = float(example.target) - center, float(prediction) - center
        error = gold - predicted
        return [1, gold, predicted, gold**2, predicted**2, gold * predicted, error**2, abs(error)]

    def pearson(sums: Floats) -> Floats:
        rows, x, y, xx, yy, xy = (sums[..., column] for column in range(6))
        spread = _spread(rows, x, xx) * _spread(rows, y, yy)
        return ratio(rows * xy - x * y, np.sqrt(spread), empty=np.nan)

    def rmse(sums: Floats) -> Floats:
        return np.sqrt(ratio(sums[..., 6], sums[..., 0], empty=np.nan))

    return MetricSet(
        ("rows", "x", "y", "xx", "yy", "xy", "squared error", "error"),
        tally,
        (
            Metric("mae", mean(7, 0), higher_is_better=False),
            Metric("rmse", rmse, higher_is_better=False),
            Metric("pearson", pearson, convention="undefined where either side is constant"),
            WholeMetric("spearman", _spearman, convention=_RANKS, over=_ranks),
        ),
        headline="mae",
    )


def _spread(rows: Floats, total: Floats, squares: Floats) -> Floats:
    """Rows times the sum of squared deviations; exactly 0 where only rounding is left of it."""
    spread = rows * squares - total**2
    return np.where(spread > 1e-12 * rows * squares, spread, 0.0)


def _ranks(examples: Sequence[Example], predictions: Sequence[Any]) -> Callable[[NDArray[np.int64]], float]:
    """Pearson's correlation of the ranks, ties at their average (Spearman, 1904), over any rows."""
    from scipy.stats import rankdata

    gold = np.array([float(example.target) for example in examples])
    predicted = np.array([float(prediction) for prediction in predictions])

    def correlation(rows: NDArray[np.int64]) -> float:
        if len(rows) < 2:
            return float("nan")
        x, y = np.asarray(rankdata(gold[rows])), np.asarray(rankdata(predicted[rows]))
        x, y = x - x.mean(), y - y.mean()
        return float(ratio(x @ y, np.sqrt((x @ x) * (y @ y)), empty=np.nan))

    return correlation


def _spearman(examples: Sequence[Example], predictions: Sequence[Any]) -> float:
    return _ranks(examples, predictions)(np.arange(len(examples)))
