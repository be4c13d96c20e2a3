"""Words of raw text in any script, and text out of words.

Entity scores do not depend on these words: they are only what labels are given to.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

# Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han: scripts that put no space between words
_NO_SPACES = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U000323af"
)
_WIDE_PUNCTUATION = "\u3000-\u303f\uff01-\uff65"


def find_words(text: str) -> list[list[int]]:
    """The words of a text as [start, end], in characters.

    A word is a run of letters and digits with the marks and joiners inside it; a character of a script without
    spaces, and every other sign, is a word of its own. White space and invisible characters belong to none.
    """
    return [[found.start(), found.end()] for found in _word_pattern().finditer(text)]


def join_words(tokens: Sequence[str]) -> tuple[str, list[list[int]]]:
    """A text of the tokens, and where each lies in it.

    One space goes between two tokens, but none between two characters of scripts without spaces.
    """
    glue = _glue_pattern()
    parts: list[str] = []
    words: list[list[int]] = []
    position = 0
    spaced = " ".join(tokens)
    if (spaced.isascii() or not glue.search(spaced)) and "" not in tokens:
        for token in tokens:
            end = position + len(token)
            words.append([position, end])
            position = end + 1
        return spaced, words
    previous = ""
    for token in tokens:
        if previous and not (glue.match(previous[-1]) and glue.match(token[:1])):
            parts.append(" ")
            position += 1
        parts.append(token)
        words.append([position, position + len(token)])
        position += len(token)
        previous = token
    return "".join(parts), words


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the white space and invisible format characters at its ends.

    A span of nothing but invisible characters stays as it is; one of white space becomes empty.
    """
    if text[start:end].isspace():
        return start, start
    first, last = start, end
    while first < last and _is_blank(text[first]):
        first += 1
    while last > first and _is_blank(text[last - 1]):
        last -= 1
    return (first, last) if first < last else (start, end)


def touched(places: Sequence[Sequence[Any]], start: int, end: int) -> tuple[int, int]:
    """The first, and the one after the last, of sorted disjoint (start, end, ...) that share a character with it."""
    return bisect_right(places, start, key=itemgetter(1)), bisect_left(places, end, key=itemgetter(0))


def _is_blank(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    marks = _character_class(("Mn", "Mc", "Me")) + "\U0001f3fb-\U0001f3ff"  # skin tones modify the sign before
    joiners = _character_class(("Cf",))
    base = rf"[^\W_{_NO_SPACES}]"
    return re.compile(
        rf"{base}++[{marks}]*+(?:[{joiners}]*+{base}++[{marks}]*+)*+"  # joiners only inside a word
        rf"|[^\s{joiners}][{marks}]*+"
    )


@functools.cache
def _glue_pattern() -> re.Pattern[str]:
    return re.compile(f"[{_NO_SPACES}{_WIDE_PUNCTUATION}]")


@functools.cache
def _character_class(categories: Iterable[str]) -> str:
    """The characters of some Unicode categories, written as ranges for a regular expression."""
    ranges: list[list[int]] = []
    for point in (*range(0xA0, 0x20000), *range(0xE0000, 0xE0200)):
        if unicodedata.category(chr(point)) in categories:
            if ranges and ranges[-1][1] == point - 1:
                ranges[-1][1] = point
            else:
                ranges.append([point, point])
    return "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges)
