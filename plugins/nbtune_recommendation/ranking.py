"""Where the right items stand among all candidates."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtune_recommendation.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Ranking:
    """All candidates of a user in order, kept as what the metrics and people need of it.

    `ranks` (1 is best) belong to the `relevant` items, best first; `cold_items` are those of them that training
    never saw liked, `cold_user` says that the user had no history. `auc` is None where every candidate is relevant
    or none is. `top` are the first items with their `scores`; `ranker` says in words what ranked them.
    """

    user: str
    candidates: int
    relevant: tuple[str, ...]
    ranks: tuple[int, ...]
    auc: float | None
    top: tuple[str, ...]
    scores: tuple[float, ...]
    cold_user: bool = False
    cold_items: tuple[str, ...] = ()
    ranker: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """How well one item suits one user: `score` after the final ranker, `match` before it."""

    score: float
    match: float


def rank_items(
    catalogue: Catalogue,
    scores: NDArray[np.floating],
    *,
    user: str,
    excluded: Sequence[int],
    relevant: Sequence[int],
    k: int,
    cold_user: bool,
    ranker: str = "",
) -> Ranking:
    """Rank every item that is not excluded.

    Items with equal scores are put in a random order, the same one each time for a user: a constant score gets what
    chance gets, not what the order of the catalogue happens to give.
    """
    allowed = np.ones(len(catalogue), dtype=bool)
    allowed[list(excluded)] = False
    candidates = np.flatnonzero(allowed)
    values = np.asarray(scores, dtype=np.float64)[candidates]
    luck = np.random.default_rng(zlib.crc32(user.encode())).random(len(catalogue))[candidates]
    good = np.searchsorted(candidates, sorted(relevant))
    above = [int((values > values[i]).sum() + ((values == values[i]) & (luck < luck[i])).sum()) + 1 for i in good]
    order = sorted(zip(above, good, strict=True))
    first = best_first(values, luck, k)
    return Ranking(
        user=user,
        candidates=len(candidates),
        relevant=tuple(catalogue.ids[candidates[i]] for _, i in order),
        ranks=tuple(rank for rank, _ in order),
        auc=_auc(values, good),
        top=tuple(catalogue.ids[candidates[i]] for i in first),
        scores=tuple(float(values[i]) for i in first),
        cold_user=cold_user,
        cold_items=tuple(catalogue.ids[candidates[i]] for _, i in order if not catalogue.popularity[candidates[i]]),
        ranker=ranker,
    )


def best_first(values: NDArray[np.floating], luck: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Positions of the k highest values, highest first, ties by the lower `luck`. Sorts k values, not all."""
    if k < len(values):
        bar = np.partition(values, len(values) - k)[len(values) - k]
        kept = np.flatnonzero(values >= bar)
    else:
        kept = np.arange(len(values))
    return kept[np.lexsort((luck[kept], -values[kept]))][:k]


def _auc(values: NDArray[np.float64], good: NDArray[np.int64]) -> float | None:
    """The share of (relevant, other) pairs in the right order; ties count half (Hanley and McNeil, 1982)."""
    others = np.delete(values, good)
    if not len(good) or not len(others):
        return None
    wins = [float((others < values[i]).sum() + 0.5 * (others == values[i]).sum()) for i in good]
    return sum(wins) / (len(good) * len(others))
