"""The settings of recommendation's own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nbtune.api import TaskOptions


class RecommendationOptions(TaskOptions):
    """What a user may write beside the common settings."""

    head: Literal["towers", "cross"] = Field(
        "towers",
        description="two towers (items are encoded once), or a cross-encoder that reads history and item together",
    )
    items: str | None = Field(
        None,
        description="path of a table with every item (item, text, features), so that items nobody used are candidates",
    )
    positive_from: float | None = Field(
        None, description="the smallest label that counts as liked; by default 1 of 0/1, 4 of 1..5, 7 of 1..10"
    )
    features: tuple[str, ...] | None = Field(
        None,
        description="item columns for the final ranker; by default every number or short name that is fixed per item",
    )
    history: int = Field(10, ge=1, le=200, description="how many of a user's latest liked items make their profile")
    k: int = Field(10, ge=1, le=1000, description="the depth of ndcg@k, recall@k and hit@k")
    split: Literal["leave_last_out", "time", "random"] = Field(
        "leave_last_out", description="how a split is made: each user's last item, one cut in time, or items at random"
    )
    ranker: Literal["blend", "none"] = Field(
        "blend",
        description="mix the match with popularity, recency and features where that helps, or rank by the match",
    )
    correction: float = Field(
        0.0,
        ge=0,
        le=1,
        description="two towers: how far the batch's negatives are corrected for popularity (logQ); 1 makes the match "
        "prefer popular items, 0 leaves popularity to the final ranker",
    )
    negatives: int = Field(4, ge=1, le=100, description="cross-encoder: sampled items nobody rated, for each liked one")
    rerank: int = Field(50, ge=1, description="cross-encoder: how many items of a cheap first stage it reads per user")
