"""Scores of rankings: one value a user, averaged over users. Every candidate item is ranked, none is sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbtune.api import Example, Metric, MetricSet, mean
from nbtune_recommendation.ranking import Ranking

OVER_USERS = (
    "mean over users with held-out items; all candidates ranked; ties in a fixed random order (trec_eval: by name)"
)


def metric_set(k: int) -> MetricSet:
    """NDCG@k, MAP, MRR, recall@k, hit@k and AUC.

    NDCG (Järvelin and Kekäläinen, 2002) has gain 1 a relevant item and discount log2(rank + 1).
    """

    def tally(_example: Example, prediction: Any) -> Sequence[float]:
        return _tally(prediction, k)

    return MetricSet(
        columns=("users", "ndcg", "ap", "rr", "recall", "hit", "auc", "auc_users"),
        tally=tally,
        metrics=(
            Metric(f"ndcg@{k}", mean(1, 0), convention=f"binary gain, ideal of min({k}, relevant) hits; {OVER_USERS}"),
            Metric("map", mean(2, 0), convention=f"average precision over the whole ranking; {OVER_USERS}"),
            Metric("mrr", mean(3, 0), convention=f"1 / rank of the first relevant item; {OVER_USERS}"),
            Metric(f"recall@{k}", mean(4, 0), convention=f"share of the relevant items in the first {k}; {OVER_USERS}"),
            Metric(f"hit@{k}", mean(5, 0), convention=f"whether any relevant item is in the first {k}; {OVER_USERS}"),
            Metric(
                "auc",
                mean(6, 7),
                convention="pairs of relevant and other candidates in order, ties half; mean over users",
            ),
        ),
        headline=f"ndcg@{k}",
    )


def ndcg(ranks: Sequence[int], k: int) -> float:
    """Of relevant items that stand at these ranks (1 is best), gain 1 each."""
    gained = sum(1 / np.log2(rank + 1) for rank in ranks if rank <= k)
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(k, len(ranks)) + 1))
    return float(gained / ideal)


def average_precision(ranks: Sequence[int]) -> float:
    """The mean over relevant items of the precision at their rank."""
    return float(np.mean([(above + 1) / rank for above, rank in enumerate(sorted(ranks))]))


def _tally(prediction: Any, k: int) -> Sequence[float]:
    # a row that asks for one match has no ranking, and a user without held-out items no score
    if not isinstance(prediction, Ranking) or not prediction.ranks:
        return (0.0,) * 8
    ranks = prediction.ranks
    hits = sum(rank <= k for rank in ranks)
    return (
        1.0,
        ndcg(ranks, k),
        average_precision(ranks),
        1 / min(ranks),
        hits / len(ranks),
        float(hits > 0),
        prediction.auc or 0.0,
        float(prediction.auc is not None),
    )
