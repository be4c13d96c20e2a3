"""How well scores rank the rows that have a label above those that have not.

Rows are sorted once: a bootstrap sample of them is a count for each, and the curves are running totals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbtune.tasks.metrics import Floats, ratio


class Ranking:
    """The rows in the order of their scores, for each label. `gold` and `scores` have the shape [rows, labels].

    Its scores are of the rows at the positions given, some of which may come more than once: shape [labels], NaN
    without positives or without negatives, or where a score is NaN.
    """

    def __init__(self, gold: NDArray[np.bool_], scores: Floats) -> None:
        self._order = np.argsort(-scores, axis=0)
        self._gold = np.take_along_axis(gold, self._order, axis=0)
        ranked = np.take_along_axis(scores, self._order, axis=0)
        self._last = np.ones(ranked.shape, dtype=np.bool_)  # of the rows of one score
        self._last[:-1] = ranked[:-1] != ranked[1:]
        self._unknown = np.isnan(scores).any(axis=0)

    def roc_auc(self, rows: NDArray[np.int64]) -> Floats:
        """Area under the ROC curve: the Mann-Whitney statistic (Hanley and McNeil, 1982), so ties count half."""
        positive, negative = self._above(rows)
        below = negative[-1] - negative + self._gained(negative) / 2
        area = ratio((self._gained(positive) * below).sum(axis=0), positive[-1] * negative[-1], empty=np.nan)
        return np.where(self._unknown, np.nan, area)

    def average_precision(self, rows: NDArray[np.int64]) -> Floats:
        """Mean over the positives of the precision at their score. Rows of equal score enter together, as in
        scikit-learn."""
        positive, negative = self._above(rows)
        precision = ratio(positive, positive + negative)
        mean = ratio((self._gained(positive) * precision).sum(axis=0), positive[-1], empty=np.nan)
        return np.where(self._unknown | (negative[-1] == 0), np.nan, mean)

    def _above(self, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """How many positives, and negatives, there are from the top down to each row, shape [rows, labels]."""
        counts = np.bincount(rows, minlength=len(self._order)).astype(np.float64)[self._order]
        positive = np.where(self._gold, counts, 0.0)
        return np.cumsum(positive, axis=0), np.cumsum(counts - positive, axis=0)

    def _gained(self, total: Floats) -> Floats:
        """What each score added to a running total, at the last of its rows; 0 at the others."""
        reached = np.maximum.accumulate(np.where(self._last, total, 0.0), axis=0)
        return np.diff(reached, axis=0, prepend=0.0)
