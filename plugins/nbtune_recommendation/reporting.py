"""What a report says beside the scores: how the test was made, and how cold users and items fared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.api import Example, Inventory
from nbtune_recommendation.options import RecommendationOptions
from nbtune_recommendation.ranking import Ranking
from nbtune_recommendation.scoring import ndcg

if TYPE_CHECKING:
    import pandas as pd


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


def cold_start(predictions: Sequence[Any], k: int) -> pd.DataFrame:
    """NDCG@k and recall@k apart for users with and without a history, and for items with and without likes.

    For items, each held-out item counts by itself, among the candidates that are not relevant.
    """
    import pandas as pd

    rankings = [prediction for prediction in predictions if isinstance(prediction, Ranking) and prediction.ranks]
    rows = []
    for name, cold in (("users with a history", False), ("users without (cold start)", True)):
        own = [ranking for ranking in rankings if ranking.cold_user == cold]
        scores = [(ndcg(r.ranks, k), sum(rank <= k for rank in r.ranks) / len(r.ranks)) for r in own]
        rows.append(_row(name, scores, k))
    for name, cold in (("items known from training", False), ("items new to training (cold start)", True)):
        places = [
            rank - above
            for ranking in rankings
            for above, (item, rank) in enumerate(zip(ranking.relevant, ranking.ranks, strict=True))
            if (item in ranking.cold_items) == cold
        ]
        rows.append(_row(name, [(ndcg([place], k), float(place <= k)) for place in places], k))
    return pd.DataFrame(rows)


def _row(name: str, scores: Sequence[tuple[float, float]], k: int) -> dict[str, Any]:
    means = np.mean(scores, axis=0) if scores else (np.nan, np.nan)
    return {"held out": name, "count": len(scores), f"ndcg@{k}": float(means[0]), f"recall@{k}": float(means[1])}
