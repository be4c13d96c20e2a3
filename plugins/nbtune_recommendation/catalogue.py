"""What training tells about items and users, as plain facts on disk and as arrays in memory."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.api import Example, Inventory

FeatureKind: TypeAlias = Literal["number", "category"]
NewItems: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Items that training does not know: id -> {"text": ..., "features": {...}}."""

MOST_CATEGORIES = 50


@dataclass(frozen=True)
class Catalogue:
    """All items and the users' histories; users hold item positions, oldest first.

    `popularity` counts the times an item was liked in training, `last` is when that was last (NaN: never, or no
    times), `rated` are items a user was given without liking them.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    features: Mapping[str, Sequence[Any]]
    kinds: Mapping[str, FeatureKind]
    popularity: NDArray[np.float64]
    last: NDArray[np.float64]
    liked: Mapping[str, Sequence[int]]
    rated: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, inventory: Inventory) -> Catalogue:
        """The catalogue that `gather` wrote into the inventory's facts."""
        facts = inventory.facts
        return cls(
            ids=tuple(facts["items"]),
            texts=tuple(facts["texts"]),
            features=facts["features"],
            kinds=facts["kinds"],
            popularity=np.asarray(facts["popularity"], dtype=np.float64),
            last=np.asarray([np.nan if time is None else time for time in facts["last"]], dtype=np.float64),
            liked=facts["liked"],
            rated=facts["rated"],
        )

    def __len__(self) -> int:
        return len(self.ids)

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """The position of each item."""
        return {item: position for position, item in enumerate(self.ids)}

    def positions(self, items: Sequence[str]) -> list[int]:
        """Positions of those of `items` that are known, in order."""
        return [self.index[item] for item in items if item in self.index]

    def seen(self, user: str) -> list[int]:
        """Every item the user met in training."""
        return [*self.liked.get(user, ()), *self.rated.get(user, ())]

    def with_items(self, new: NewItems) -> Catalogue:
        """This catalogue with items nobody used in training at its end; itself if there are none."""
        added = {item: facts for item, facts in new.items() if item not in self.index}
        if not added:
            return self
        return replace(
            self,
            ids=(*self.ids, *added),
            texts=(*self.texts, *(str(facts["text"]) for facts in added.values())),
            features={
                name: [*values, *(facts.get("features", {}).get(name) for facts in added.values())]
                for name, values in self.features.items()
            },
            popularity=np.concatenate([self.popularity, np.zeros(len(added))]),
            last=np.concatenate([self.last, np.full(len(added), np.nan)]),
        )


@dataclass(frozen=True)
class Liking:
    """From which label on an item counts as liked, and why."""

    threshold: float
    reason: str

    def __call__(self, example: Example) -> bool:
        return example.target is not None and float(example.target) >= self.threshold


def liking(train: Sequence[Example], chosen: float | None) -> Liking:
    """The threshold the user chose, or a guess from the range of the labels."""
    values = {float(example.target) for example in train if example.target is not None}
    if chosen is not None:
        return Liking(chosen, f"labels from {chosen:g} on count as liked (positive_from)")
    if not values or values <= {1.0}:
        return Liking(1.0, "every row counts as liked; what is not listed is taken as not liked")
    if values <= {0.0, 1.0}:
        return Liking(1.0, "label 1 counts as liked, 0 as not liked")
    low, high = min(values), max(values)
    if low >= 0 and high <= 5:
        return Liking(4.0, f"labels run from {low:g} to {high:g}: 4 and more counts as liked (guessed; positive_from)")
    if low >= 0 and high <= 10 and len(values) > 5:
        return Liking(7.0, f"labels run from {low:g} to {high:g}: 7 and more counts as liked (guessed; positive_from)")
    return Liking(1.0, f"labels run from {low:g} to {high:g}: 1 and more counts as liked (guessed; positive_from)")


def in_order(examples: Sequence[Example]) -> list[Example]:
    """Oldest first; by row where times are equal or missing."""
    return sorted(examples, key=lambda example: (example.inputs.get("time", 0.0), example.row))


def gather(train: Sequence[Example], table: NewItems, likes: Liking, wanted: Sequence[str] | None) -> dict[str, Any]:
    """The facts of a catalogue: the items of `train` and those of an item table, in plain JSON values.

    An item's first text that is not empty counts; a user's later rows of an item replace earlier ones.
    """
    texts: dict[str, str] = {}
    values: dict[str, dict[str, list[Any]]] = {}
    rows = [(example.inputs["item"], example.inputs) for example in train]
    for item, facts in [*table.items(), *rows]:
        texts[item] = texts.get(item) or str(facts["text"])
        for name, value in facts.get("features", {}).items():
            known = values.setdefault(name, {}).setdefault(item, [])
            if value is not None and value not in known:
                known.append(value)
    index = {item: position for position, item in enumerate(texts)}
    kinds = {name: kind for name, cells in values.items() if (kind := _kind(cells, name, wanted)) is not None}
    popularity, last = [0] * len(index), [None] * len(index)
    latest: dict[str, dict[int, bool]] = {}
    until: dict[str, float] = {}
    for example in in_order(train):
        user, position = example.inputs["user"], index[example.inputs["item"]]
        own = latest.setdefault(user, {})
        own.pop(position, None)  # so that it goes to the end
        own[position] = likes(example)
        time = example.inputs.get("time")
        if time is not None:
            until[user] = time
        if likes(example):
            popularity[position] += 1
            last[position] = time
    return {
        "rows": len(train),
        "items": list(index),
        "texts": list(texts.values()),
        "kinds": kinds,
        "features": {name: [_first(values[name].get(item)) for item in index] for name in kinds},
        "varying": sorted(name for name, cells in values.items() if any(len(known) > 1 for known in cells.values())),
        "popularity": popularity,
        "last": last,
        "liked": {user: [item for item, good in own.items() if good] for user, own in latest.items()},
        "rated": {user: [item for item, good in own.items() if not good] for user, own in latest.items()},
        "until": until,
        "positive_from": likes.threshold,
        "positive_reason": likes.reason,
    }


def _kind(cells: Mapping[str, list[Any]], name: str, wanted: Sequence[str] | None) -> FeatureKind | None:
    """How a column describes items; None where it does not: it varies within an item, or names too many things."""
    known = [found[0] for found in cells.values() if found]
    varying = any(len(found) > 1 for found in cells.values())
    if not known or (varying and (wanted is None or name not in wanted)):
        return None
    if all(isinstance(value, float) for value in known):
        return "number" if len(set(known)) > 1 else None
    few = 1 < len(set(map(str, known))) <= MOST_CATEGORIES
    return "category" if few else None


def _first(known: list[Any] | None) -> Any:
    return known[0] if known else None
