"""Cheap rivals, in the form of the head's own predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nbtune.api import Baseline, Example, Inventory
from nbtune_recommendation.catalogue import Catalogue
from nbtune_recommendation.profiles import Matcher, liked_together, popular, tfidf_profile
from nbtune_recommendation.ranking import Match, rank_items


def rivals(inventory: Inventory, k: int) -> tuple[Baseline, ...]:
    """Popularity, TF-IDF profile, and items liked by the same users."""
    return (
        _baseline("popularity", popular, inventory, k),
        _baseline("TF-IDF profile", tfidf_profile, inventory, k),
        _baseline("liked together", liked_together, inventory, k),
    )


def _baseline(name: str, build: Callable[[Catalogue], Matcher], inventory: Inventory, k: int) -> Baseline:
    def predict(_train: Sequence[Example], examples: Sequence[Example]) -> Sequence[Any]:
        # what training says is in the inventory already, for all rows rather than the arranged ones
        new: dict[str, Mapping[str, Any]] = {}
        for example in examples:
            new.update(example.inputs.get("new", {}))
            if "item" in example.inputs:
                new.setdefault(example.inputs["item"], {"text": example.inputs["text"]})
        catalogue = Catalogue.of(inventory).with_items(new)
        matcher, fallback = build(catalogue), popular(catalogue)
        return [_answer(example, catalogue, matcher, fallback, k) for example in examples]

    return Baseline(name, predict)


def _answer(example: Example, catalogue: Catalogue, matcher: Matcher, fallback: Matcher, k: int) -> Any:
    user = example.inputs["user"]
    history = catalogue.liked.get(user, ())
    scores = matcher(history) if history else fallback(history)
    if "item" in example.inputs:
        score = float(scores[catalogue.index[example.inputs["item"]]])
        return Match(score, score)
    return rank_items(
        catalogue,
        np.asarray(scores),
        user=user,
        excluded=catalogue.seen(user),
        relevant=catalogue.positions(example.target or []),
        k=k,
        cold_user=not history,
    )
