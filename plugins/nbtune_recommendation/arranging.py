"""Rows regrouped: stretches of a user's history to learn from, and one example a user to be ranked for."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from nbtune.api import Example, Part
from nbtune_recommendation.catalogue import Catalogue, Liking, in_order

STRETCH = 10
"""How many items of a training stretch are to be predicted at least; those before them may be history only."""


def by_user(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """The rows of each user, in the order in which users first appear."""
    users: dict[str, list[Example]] = {}
    for example in examples:
        users.setdefault(example.inputs["user"], []).append(example)
    return users


def stretches(examples: Sequence[Example], catalogue: Catalogue, likes: Liking, history: int) -> Iterator[Example]:
    """Training examples: up to `history` + `STRETCH` items of a user in order, to be predicted from those before.

    One stretch holds many (history, next item) pairs, so that each item's text is read once for all of them.
    Inputs: `items` (positions in the catalogue), `liked` (1 or 0), `start` (the first that is to be predicted).
    Users with nothing to predict give none.
    """
    for user, rows in by_user(in_order(examples)).items():
        latest: dict[int, Example] = {}
        for row in rows:
            position = catalogue.index[row.inputs["item"]]
            latest.pop(position, None)
            latest[position] = row
        items = list(latest)
        liked = [int(likes(row)) for row in latest.values()]
        start = 0
        while start < len(items):
            before = [item for item, good in zip(items[:start], liked[:start], strict=True) if good][-history:]
            stop = start + history - len(before) + STRETCH
            body, good = items[start:stop], liked[start:stop]
            # one to be predicted, and one to predict it from
            if sum(good) and sum(good) + len(before) > 1:
                inputs = {
                    "user": user,
                    "items": [*before, *body],
                    "liked": [*(1 for _ in before), *good],
                    "start": len(before),
                }
                yield Example(inputs, None, latest[body[0]].row, user)
            start = stop


def rankings(examples: Sequence[Example], catalogue: Catalogue, likes: Liking, part: Part) -> Iterator[Example]:
    """Examples to be ranked for: one a user, the target being the liked items, without those met in training.

    `new` holds the items that training does not know; `repeats` counts liked items left out because the user
    had met them.
    """
    for user, rows in by_user(in_order(examples)).items():
        met = {catalogue.ids[position] for position in catalogue.seen(user)}
        liked = list(dict.fromkeys(row.inputs["item"] for row in rows if likes(row)))
        new: dict[str, dict[str, Any]] = {}
        for row in rows:
            item = row.inputs["item"]
            if item not in catalogue.index and not new.get(item, {}).get("text"):
                new[item] = {"text": row.inputs["text"], "features": row.inputs.get("features", {})}
        inputs = {
            "user": user,
            "history": [catalogue.ids[position] for position in catalogue.liked.get(user, ())],
            "part": part,
            "new": new,
            "repeats": sum(item in met for item in liked),
            "time": min((row.inputs["time"] for row in rows if "time" in row.inputs), default=None),
        }
        yield Example(inputs, [item for item in liked if item not in met], rows[0].row, user)


def pairs(examples: Sequence[Example], catalogue: Catalogue) -> Iterator[Example]:
    """Rows that ask for a score, with what the user liked in training."""
    for example in examples:
        liked = [catalogue.ids[position] for position in catalogue.liked.get(example.inputs["user"], ())]
        inputs = {**example.inputs, "history": liked}
        yield Example(inputs, example.target, example.row, example.group)


def split_rows(
    examples: Sequence[Example],
    fractions: Mapping[Part, float],
    seed: int,
    how: Literal["leave_last_out", "time", "random"],
    likes: Liking,
) -> dict[Part, list[Example]]:
    """The rows of each part that has a fraction; the rest is `train`. Without times every way becomes `random`."""
    held: list[Part] = [part for part in ("test", "validation") if fractions.get(part)]
    timed = all("time" in example.inputs for example in examples)
    if how == "time" and timed:
        return _cut_in_time(examples, fractions, held)
    parts: dict[Part, list[Example]] = {part: [] for part in ("train", *held)}
    users = by_user(in_order(examples))
    quota = {part: math.ceil(fractions[part] * len(examples)) for part in held}
    names = sorted(users)
    random.Random(seed).shuffle(names)
    for user in names:
        rows = users[user] if how != "random" and timed else _shuffled(users[user], f"{seed} {user}")
        for part in held:
            cut = _last_liked(rows, likes)
            # two stay: one to be history, one to be learned from
            if quota[part] > 0 and cut is not None and sum(map(likes, rows[:cut])) >= 2:
                quota[part] -= 1
                parts[part].extend(rows[cut:])
                rows = rows[:cut]
        parts["train"].extend(rows)
    return {part: sorted(rows, key=lambda example: example.row) for part, rows in parts.items()}


def _cut_in_time(
    examples: Sequence[Example], fractions: Mapping[Part, float], held: Sequence[Part]
) -> dict[Part, list[Example]]:
    rows = in_order(examples)
    parts: dict[Part, list[Example]] = {}
    for part in held:  # test is the newest
        size = min(math.ceil(fractions[part] * len(examples)), len(rows) - 1)
        rows, parts[part] = rows[:-size], rows[-size:]
    return {"train": rows, **parts}


def _last_liked(rows: Sequence[Example], likes: Liking) -> int | None:
    return next((index for index in range(len(rows) - 1, -1, -1) if likes(rows[index])), None)


def _shuffled(rows: Sequence[Example], seed: str) -> list[Example]:
    order = list(rows)
    random.Random(seed).shuffle(order)
    return order
