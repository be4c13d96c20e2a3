"""How unsure a model is of a text, and which of the texts it is unsure of are worth a label."""

from __future__ import annotations

import warnings
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.tasks.judging import Judgement
from nbtune.tasks.metrics import Floats

Measure: TypeAlias = Literal["margin", "entropy", "confidence"]
"""How unsure of a label: by how little the best beats the next best, how evenly the probability is spread over all, or
how improbable the best one is. All from 0 (sure) to 1."""

Over: TypeAlias = Literal["worst", "mean"]
"""How a text with several labels (one a word) is measured: by the label it is least sure of, or the mean over all."""


def uncertainty(judgement: Judgement, by: Measure = "margin", over: Over = "worst") -> float:
    """How unsure the model is, from 0 to 1; 0 for a text without anything to label."""
    odds = judgement.probabilities
    if not len(odds) or odds.shape[1] < 2:
        return 0.0
    units = _each(odds, by)
    return float(units.max() if over == "worst" else units.mean())


def _each(odds: Floats, by: Measure) -> Floats:
    if by == "entropy":
        spread = -(odds * np.log(np.maximum(odds, 1e-300))).sum(axis=1)
        return np.asarray(spread / np.log(odds.shape[1]))
    first, second = -np.partition(-odds, 1, axis=1)[:, :2].T
    return np.asarray(1 - (first - second) if by == "margin" else 1 - first)


def spread_out(vectors: NDArray[Any], weights: Floats, count: int, seed: int = 0) -> NDArray[np.int64]:
    """The positions of `count` vectors that lie far from each other: k-means with so many clusters, weighted by how
    unsure the model is, and of each the vector nearest to its centre (Zhdanov, 2019, Diverse mini-batch active
    learning).

    `vectors` has shape [candidates, size].
    """
    from sklearn.cluster import KMeans

    if count >= len(vectors):
        return np.arange(len(vectors))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.maximum(lengths, 1e-12)
    # a weight of 0 for all would leave no centre anywhere
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of vectors that are equal, which is dealt with below
        found = KMeans(count, n_init=1, max_iter=50, random_state=seed).fit(directions, sample_weight=weights + 1e-6)
    distance = np.linalg.norm(directions - found.cluster_centers_[found.labels_], axis=1)
    order = np.lexsort((distance, found.labels_))
    _, nearest = np.unique(found.labels_[order], return_index=True)
    chosen = order[nearest]
    # clusters may stay empty where vectors are equal
    rest = np.setdiff1d(np.argsort(-weights, kind="stable"), chosen, assume_unique=True)
    return np.asarray(np.concatenate((chosen, rest[: count - len(chosen)])), dtype=np.int64)
