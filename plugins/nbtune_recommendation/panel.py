"""The dashboard's panel: a user, what they liked, and what suits them for which reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.api import Ask, DataError, Panel, escape
from nbtune_recommendation.ranking_head import RankingHead
from nbtune_recommendation.recommending import recommend

if TYPE_CHECKING:
    from nbtune.api import Model

_OFFERED = 500
"""Users in the list; others may be typed."""
_HISTORY = 10


def user_panel() -> Panel:
    asks = (
        Ask("user", "user", choices=users),
        Ask("k", "how many", "10"),
    )
    words = (
        "A user's history, and the items that suit them best with the reasons. An unknown user gets what is popular."
    )
    return Panel("Recommend", asks, draw, words)


def users(model: Model) -> Sequence[str]:
    """Those with the longest histories first."""
    liked = _head(model).catalogue.liked
    return sorted(liked, key=lambda user: (-len(liked[user]), user))[:_OFFERED]


def draw(model: Model, given: Mapping[str, str]) -> list[Any]:
    import pandas as pd

    user, many = given["user"].strip(), given["k"].strip()
    if not user:
        raise DataError("there is no user", "choose one, or type an id")
    if not many.isdecimal():
        raise DataError(f"{many!r} is no number of items", "such as 10")
    catalogue = _head(model).catalogue
    liked = list(catalogue.liked.get(user, ()))[::-1][:_HISTORY]
    rows = [(catalogue.ids[place], catalogue.texts[place]) for place in liked]
    found = recommend(model, user, int(many)).drop(columns="user")
    return [
        f"<strong>What {escape(user)} liked, the latest first</strong>",
        pd.DataFrame(rows, columns=["item", "text"]) if rows else "nothing that the training data tells of",
        f"<strong>What suits {escape(user)}</strong>",
        found,
    ]


def _head(model: Model) -> RankingHead:
    head = model.head
    assert isinstance(head, RankingHead)
    return head
