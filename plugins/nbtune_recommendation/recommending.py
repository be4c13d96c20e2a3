"""`run.recommend(user, k)`: the best items for a user, and why."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.api import DataError
from nbtune_recommendation.ranking import best_first
from nbtune_recommendation.ranking_head import RankingHead, Scorer

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.api import Model


def recommend(
    model: Model,
    user: str | int | Sequence[str | int],
    k: int = 10,
    *,
    exclude_seen: bool = True,
    history: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The k best items for a user (or for each of several), best first: user, rank, item, text, score, match, why.

    `history` replaces what the model knows that the user liked (item ids, oldest first). A user without a known
    history gets the most popular items; `why` says so.

    Raises:
        DataError: k is below 1, or an item of `history` is unknown.
    """
    import pandas as pd

    head = model.head
    assert isinstance(head, RankingHead)
    if k < 1:
        raise DataError(f"k = {k} recommends nothing", "use k = 1 or more")
    users = [user] if isinstance(user, (str, int, np.integer)) else list(user)
    scorer = head.scorer((), model.forward)
    rows = [row for one in users for row in _rows(head, scorer, str(one), k, exclude_seen, history)]
    return pd.DataFrame(rows, columns=["user", "rank", "item", "text", "score", "match", "why"])


def _rows(
    head: RankingHead, scorer: Scorer, user: str, k: int, exclude_seen: bool, history: Sequence[str] | None
) -> list[dict[str, Any]]:
    catalogue = scorer.catalogue
    unknown = [str(item) for item in history or () if str(item) not in catalogue.index]
    if unknown:
        raise DataError(f"the item {unknown[0]!r} of history is unknown", "use ids of the training or item table")
    own = catalogue.positions([str(item) for item in history] if history is not None else head.latest(user))
    match, scores = scorer(own)
    allowed = np.ones(len(catalogue), dtype=bool)
    if exclude_seen:
        allowed[own] = False
        if history is None:
            allowed[catalogue.seen(user)] = False
    items = np.flatnonzero(allowed)
    luck = np.random.default_rng(zlib.crc32(user.encode())).random(len(catalogue))[items]
    known = user in catalogue.liked or user in catalogue.rated
    return [
        {
            "user": user,
            "rank": rank,
            "item": catalogue.ids[place],
            "text": catalogue.texts[place],
            "score": float(scores[place]),
            "match": float(match[place]) if own else float("nan"),
            "why": scorer.why(int(place), own, match) if own else _cold(known),
        }
        for rank, place in enumerate(items[best_first(scores[items], luck, k)], start=1)
    ]


def _cold(known: bool) -> str:
    return "popular (this user has liked nothing yet)" if known else "popular (this user is unknown)"
