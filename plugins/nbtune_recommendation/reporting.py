"""What a report says beside the scores: how the test was made, and how cold users and items fared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nbtune.api import Example, Inventory, Metric, Slice, mean
from nbtune_recommendation.options import RecommendationOptions
from nbtune_recommendation.ranking import Ranking
from nbtune_recommendation.scoring import ndcg


def protocol(
    examples: Sequence[Example], predictions: Sequence[Any], inventory: Inventory, options: RecommendationOptions
) -> str:
    """In words: what was held out, from whom, and among what it had to be found."""
    rankings = [prediction for prediction in predictions if isinstance(prediction, Ranking)]
    scored = [ranking for ranking in rankings if ranking.ranks]
    held = sum(len(ranking.ranks) for ranking in scored)
    candidates = [ranking.candidates for ranking in scored] or [0]
    repeats = sum(example.inputs.get("repeats", 0) for example in examples)
    lines = [
        f"held out: {held:,} liked items of {len(scored):,} users; {held_out(examples, inventory)}",
        f"candidates: every item the user had not met, {min(candidates):,} to {max(candidates):,} a user; none sampled",
        f"history: the user's latest {options.history} liked items from training (`recommend` knows validation too)",
        f"liked: {inventory.facts['positive_reason']}",
        f"left out: {len(rankings) - len(scored):,} users without a new liked item; "
        f"{repeats:,} held-out items the user had already met in training",
        "users without a history are ranked the most popular items first; equal scores in a fixed random order",
    ]
    lines.extend(sorted({ranking.ranker for ranking in rankings if ranking.ranker}))
    if options.head == "cross":
        lines.insert(
            2,
            f"two stages: the cross-encoder orders the first {options.rerank} items of a cheap ranking (TF-IDF profile "
            "and liked together); the others follow in that order",
        )
    return "\n".join(lines)


def held_out(examples: Sequence[Example], inventory: Inventory) -> str:
    """How the rows relate in time to the training rows, told from the rows themselves."""
    until = inventory.facts["until"]
    asked = [example for example in examples if example.target]
    times = {e.inputs["user"]: float(e.inputs["time"]) for e in asked if e.inputs.get("time") is not None}
    if not until or len(times) < len(asked):
        return "without times, so not by order"
    single = (
        "each user's last item (leave-last-out)" if all(len(e.target or ()) < 2 for e in examples) else "later items"
    )
    if times and min(times.values()) >= max(until.values()):
        return "all later than all of training (split by time)"
    later = sum(time >= until.get(user, -np.inf) for user, time in times.items())
    if later == len(times):
        return f"{single}, later than the rest of that user's rows, not than everybody's"
    return f"{len(times) - later:,} users have held-out items older than some of their training rows"


def warm_and_cold(predictions: Sequence[Any], k: int) -> Iterator[Slice]:
    """NDCG@k apart for users with and without a history, and for held-out items with and without likes in training.

    Each held-out item counts by itself, among the candidates that are not relevant.
    """
    rankings = [
        (row, prediction)
        for row, prediction in enumerate(predictions)
        if isinstance(prediction, Ranking) and prediction.ranks
    ]
    for name, cold in (("with a history", False), ("without (cold start)", True)):
        of_users = [(row, [ndcg(ranking.ranks, k)]) for row, ranking in rankings if ranking.cold_user == cold]
        yield _slice("users", name, f"ndcg@{k}", of_users)
    for name, cold in (("known from training", False), ("new to training (cold start)", True)):
        of_items = [(row, [ndcg([rank], k) for rank in _places(ranking, cold)]) for row, ranking in rankings]
        yield _slice("items", name, f"ndcg@{k} of one item", [(row, scores) for row, scores in of_items if scores])


def _places(ranking: Ranking, cold: bool) -> list[int]:
    """The rank of each held-out item of the kind, were it the only relevant one."""
    pairs = zip(ranking.relevant, ranking.ranks, strict=True)
    return [rank - above for above, (item, rank) in enumerate(pairs) if (item in ranking.cold_items) == cold]


def _slice(kind: str, name: str, metric: str, scores: Sequence[tuple[int, Sequence[float]]]) -> Slice:
    tallies = np.array([(sum(own), len(own)) for _, own in scores], dtype=np.float64).reshape(-1, 2)
    rows = [row for row, _ in scores]
    return Slice(kind, name, Metric(metric, mean(0, 1)), rows, tallies, int(tallies[:, 1].sum()), kind)
