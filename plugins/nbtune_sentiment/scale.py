"""How sentiment is written (words, stars, 0 and 1, -1 to 1 ...) and which class each way of writing means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nbtune.api import did_you_mean

Classes = Literal["auto", "numeric", 2, 3, 5]

FIVE = ("very negative", "negative", "neutral", "positive", "very positive")
LABELS = {2: ("negative", "positive"), 3: FIVE[1:4], 5: FIVE}

# what a word or number means, from -2 (very negative) to 2 (very positive)
WORDS = {
    **{word: place for place, word in enumerate(FIVE, start=-2)},
    **{f"{much} negative": -2 for much in ("strongly", "extremely")},
    **{f"{much} positive": 2 for much in ("strongly", "extremely")},
    **dict.fromkeys(("neg", "bad", "false", "somewhat negative"), -1),
    **dict.fromkeys(("neu", "mixed"), 0),
    **dict.fromkeys(("pos", "good", "true", "somewhat positive"), 1),
}
# the first that has a place for every number of a table is taken, so the narrow ones come first
CONVENTIONS: Mapping[str, Mapping[float, int]] = {
    "0 and 1": {0: -1, 1: 1},
    "-1 to 1": {-1: -1, 0: 0, 1: 1},
    "1 and 2": {1: -1, 2: 1},
    "0 to 2": {0: -1, 1: 0, 2: 1},
    "1 to 3": {1: -1, 2: 0, 3: 1},
    "1 to 5": {1: -2, 2: -1, 3: 0, 4: 1, 5: 2},
    "0 to 4": {0: -2, 1: -1, 2: 0, 3: 1, 4: 2},
    "-2 to 2": {-2: -2, -1: -1, 0: 0, 1: 1, 2: 2},
}
STRAYS = 0.02


@dataclass(frozen=True)
class Scale:
    """`classes` is 2, 3 or 5, or 0 for numbers as they are; `convention` says how numbers are read as classes."""

    classes: int
    convention: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes from the most negative to the most positive."""
        return LABELS.get(self.classes, ())

    def read(self, written: str) -> str | float:
        """The class that `written` means, or its number.

        Raises:
            ValueError: it is no sentiment, or neutral where there are only two classes.
        """
        number = _number(written)
        if not self.classes:
            if number is None:
                raise ValueError(f"is {written!r}, not a number")
            return number
        place = _place(written, number, self.convention)
        if self.classes == 2 and place == 0:
            raise ValueError(
                f"is {written!r}, which is neutral and fits neither of two classes (leave such rows out with "
                'bad_rows = "drop", or set classes = 3)'
            )
        reach = 2 if self.classes == 5 else 1
        return FIVE[2 + max(-reach, min(reach, place))]


def scale_of(written: Sequence[str], classes: Classes) -> Scale:
    """The scale that suits all that is `written` in a column, `classes` being what the user asked for."""
    if classes == "numeric":
        return Scale(0)
    numbers = Counter(number for number in map(_number, written) if number is not None)
    convention = _convention(numbers, least=classes if classes == 5 else 2)
    if classes != "auto":
        return Scale(classes, convention)
    if numbers and not convention:
        return Scale(0)
    places = {_place(word, None, "") for word in written if _fold(word) in WORDS}
    places |= {CONVENTIONS[convention].get(number, 0) for number in numbers} if convention else set()
    return Scale(5 if places & {-2, 2} else 3 if 0 in places else 2, convention)


def _convention(numbers: Mapping[float, int], least: int) -> str:
    """The convention that has a place for all numbers, else one for all but a few strays; "" for none."""
    rows = sum(numbers.values())
    for allowed in (0.0, STRAYS):
        for name, places in CONVENTIONS.items():
            strays = sum(count for number, count in numbers.items() if number not in places)
            # a few strays beside 0 and 1 may be a rare third class, beside 1 to 5 they are slips
            wide = len(places) >= max(least, 5 if allowed else 2)
            if rows and wide and strays <= allowed * rows:
                return name
    return ""


def _place(written: str, number: float | None, convention: str) -> int:
    places: Mapping[Any, int] = WORDS if number is None else CONVENTIONS.get(convention, {})
    key = _fold(written) if number is None else number
    if key in places:
        return places[key]
    if number is not None and convention:
        raise ValueError(f"is {written!r}, where the other numbers are {convention}")
    raise ValueError(f"is {written!r}, no sentiment that is known here; {did_you_mean(_fold(written), FIVE)}")


def _fold(written: str) -> str:
    return re.sub(r"[\s_-]+", " ", written).strip().casefold()


def _number(written: str) -> float | None:
    """The number in "4", "4.0" or "4 stars"; None for anything else, NaN and infinity included."""
    match = re.fullmatch(r"([+-]?\d*\.?\d+(?:e[+-]?\d+)?)\.?(?:\s*stars?)?", written.strip().casefold())
    return float(match[1]) if match else None
