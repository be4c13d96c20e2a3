"""Cheap ways to score items for a user: popularity, TF-IDF profiles, and what was liked together.

They are the baselines, the first stage of the cross-encoder, and the answer for users without a history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune_recommendation.catalogue import Catalogue

Scores: TypeAlias = NDArray[np.float32]
Matcher: TypeAlias = Callable[[Sequence[int]], Scores]
"""From the positions of a user's liked items, oldest first, to a score for every item of the catalogue."""

MOST_TERMS = 50_000


def popular(catalogue: Catalogue) -> Matcher:
    """log(1 + times liked), the same for everybody."""
    scores = np.log1p(catalogue.popularity).astype(np.float32)
    return lambda _: scores


def tfidf_profile(catalogue: Catalogue) -> Matcher:
    """Cosine of an item's TF-IDF vector and the mean of those of the user's items; characters for unspaced scripts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [text or " " for text in catalogue.texts]
    spaced = sum(text.count(" ") for text in texts[:200]) > sum(map(len, texts[:200])) / 15
    form: dict[str, Any] = {"token_pattern": r"(?u)\w+"} if spaced else {"analyzer": "char", "ngram_range": (1, 3)}
    try:
        terms = TfidfVectorizer(sublinear_tf=True, max_features=MOST_TERMS, dtype=np.float32, **form).fit_transform(
            texts
        )
    except ValueError:  # no words at all
        return lambda _: np.zeros(len(catalogue), dtype=np.float32)

    def match(history: Sequence[int]) -> Scores:
        if not history:
            return np.zeros(len(catalogue), dtype=np.float32)
        profile = np.asarray(terms[list(history)].mean(axis=0)).ravel()
        length = float(np.linalg.norm(profile)) or 1.0
        scores: Scores = (terms @ (profile / length)).astype(np.float32)
        return scores

    return match


def liked_together(catalogue: Catalogue) -> Matcher:
    """Mean cosine between the users of an item and those of each of the user's items (Sarwar et al., 2001)."""
    from scipy.sparse import csr_matrix

    rows = [row for row, items in enumerate(catalogue.liked.values()) for _ in items]
    columns = [item for items in catalogue.liked.values() for item in items]
    shape = (len(catalogue.liked), len(catalogue))
    counts = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
    lengths = np.sqrt(np.maximum(1, np.asarray(counts.sum(axis=0)).ravel()))
    users = counts.multiply(1 / lengths[None, :]).tocsc()

    def match(history: Sequence[int]) -> Scores:
        if not history:
            return np.zeros(len(catalogue), dtype=np.float32)
        # users x 1, then back to items: never the items x items matrix
        profile = np.asarray(users[:, list(history)].mean(axis=1)).ravel()
        scores: Scores = (users.T @ profile).astype(np.float32)
        scores[list(history)] = 0
        return scores

    return match


def first_stage(catalogue: Catalogue) -> Matcher:
    """TF-IDF profile and liked-together on one scale, popularity where neither tells."""
    matchers = (tfidf_profile(catalogue), liked_together(catalogue))
    rest = popular(catalogue)([])
    rest = rest / (float(rest.max()) or 1.0) * 1e-3

    def match(history: Sequence[int]) -> Scores:
        total = rest.copy()
        for matcher in matchers:
            scores = matcher(history)
            total += scores / (float(scores.max()) or 1.0)
        return total

    return match
