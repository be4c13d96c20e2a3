"""Words of a text for people to read, none of which cuts a token in two."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""The first character and the one after the last."""

# Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han: no space between words, so that each character is one
_ALONE = re.compile("[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
                    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U000323af]")  # fmt: skip
# almost every text: told by one expression, and only what it does not know character by character
_PLAIN = re.compile(
    r"[0-9A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]++(?:['\u2019][A-Za-z]++)*+(?=[\x20-\x7e\n]|\Z)"
)


def find_words(text: str) -> list[Span]:
    """Runs of letters and digits with the marks and apostrophes inside them; every other visible sign by itself."""
    words: list[Span] = []
    position = 0
    while position < len(text):
        plain = _PLAIN.match(text, position)
        end = plain.end() if plain else _end_of_sign(text, position)
        if not text[position].isspace() and not _is_invisible(text[position]):
            words.append((position, end))
        position = end
    return words


def whole_words(words: Sequence[Span], tokens: Iterable[Span]) -> list[Span]:
    """The words, those that a token touches together made one. Words are sorted and do not overlap."""
    joined = [False] * len(words)  # whether a word belongs to the one before it
    for start, end in tokens:
        first, stop = touched(words, start, end)
        for place in range(first + 1, stop):
            joined[place] = True
    found: list[Span] = []
    for (start, end), to_last in zip(words, joined, strict=True):
        if to_last:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def touched(words: Sequence[Span], start: int, end: int) -> tuple[int, int]:
    """The first, and the one after the last, of sorted words that share a character with start to end."""
    return bisect_right(words, start, key=lambda word: word[1]), bisect_left(words, end, key=lambda word: word[0])


def _end_of_sign(text: str, start: int) -> int:
    """Where the word, or the sign, that begins here ends."""
    end = start + 1
    if text[start].isspace():
        return end
    in_word = _is_letter(text[start])
    while end < len(text):
        apostrophe = text[end] in "'\u2019" and _is_letter(text[end + 1 : end + 2])
        if not (_continues(text[end]) or (in_word and (_is_letter(text[end]) or apostrophe))):
            break
        end += 1
    return end


def _is_letter(character: str) -> bool:
    """Whether it goes on with a word; not the empty string behind a text."""
    return (character.isalnum() or character == "_") and not _ALONE.match(character)


def _continues(character: str) -> bool:
    """Whether it belongs to what stands before it: a mark, or an invisible joiner."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me") or character in "\u200c\u200d\u00ad"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Cc")
