"""From which probability on a label is given, tuned on validation rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbtune.api import Floats, ratio

PULL = 5.0
"""A label with this many positive rows goes half the way from the shared threshold to its own best."""


def best_thresholds(gold: NDArray[np.bool_], probabilities: Floats) -> Floats:
    """Thresholds that favour each label's F1, shape [labels], for arrays of shape [rows, labels].

    The threshold that is best for one label alone (Lipton, Elkan and Naryanaswamy, 2014) follows chance where
    positives are few, so it is pulled, in log odds, towards the one that is best for all labels together. A label
    for which the result is worse than a half keeps a half.
    """
    shared = _best(gold.ravel(), probabilities.ravel())
    thresholds = np.empty(gold.shape[1])
    for label in range(gold.shape[1]):
        own, scores = gold[:, label], probabilities[:, label]
        positives = int(own.sum())
        mixed = (positives * _log_odds(_best(own, scores)) + PULL * _log_odds(shared)) / (positives + PULL)
        threshold = float(1 / (1 + np.exp(-mixed)))
        worse = positives > 0 and _f1(own, scores >= threshold) < _f1(own, scores >= 0.5)
        thresholds[label] = 0.5 if worse else threshold
    return thresholds


def _best(gold: NDArray[np.bool_], scores: Floats) -> float:
    """The threshold of highest F1, half-way to the next lower score; a half if nothing is positive."""
    if not gold.any():
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    f1 = 2 * np.cumsum(gold[order]) / (np.arange(1, len(gold) + 1) + gold.sum())
    below = np.append(ranked[1:], 0.0)
    f1[ranked == below] = -1  # rows of equal score cannot be told apart
    cut = int(np.argmax(f1))
    return float((ranked[cut] + below[cut]) / 2)


def _f1(gold: NDArray[np.bool_], given: NDArray[np.bool_]) -> float:
    return float(ratio(2 * (gold & given).sum(), gold.sum() + given.sum()))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(bounded / (1 - bounded)))
