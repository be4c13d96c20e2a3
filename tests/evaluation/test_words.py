"""Words for people: every visible character is in exactly one, and no token is cut in two."""

from __future__ import annotations

import itertools

import pytest

from nbtune.evaluation.words import find_words, touched, whole_words

SMILE = "\U0001f468\u200d\U0001f469"  # a man, a joiner, a woman


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It wasn't good, was it?", ["It", "wasn't", "good", ",", "was", "it", "?"]),
        ("naïve Dvořák", ["naïve", "Dvořák"]),
        ("ключ don’té", ["ключ", "don’té"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),  # accents of their own
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("日本 ไทย", ["日", "本", "ไ", "ท", "ย"]),
        (f"a {SMILE}!", ["a", SMILE[:2], SMILE[2], "!"]),
        ("a_b 3.5 'x'", ["a_b", "3", ".", "5", "'", "x", "'"]),
        ("abcж abc日", ["abcж", "abc", "日"]),
        (" \t\n\u200b\u202e", []),
        ("", []),
    ],
)
def test_words_are_what_people_take_for_words(text: str, words: list[str]) -> None:
    found = find_words(text)
    assert [text[start:end] for start, end in found] == words
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(found))


def test_a_word_of_a_megabyte_is_one_word() -> None:
    for letter in ("a", "ж", "é\u0301"):
        text = f"so {letter * (10**6 // len(letter))}!"
        assert len(find_words(text)) == 3


def test_words_that_share_a_token_become_one() -> None:
    words = [(0, 2), (2, 3), (4, 6), (6, 7)]
    assert whole_words(words, [(0, 2), (2, 3), (4, 7)]) == [(0, 2), (2, 3), (4, 7)]
    assert whole_words(words, [(1, 5), (6, 7)]) == [(0, 6), (6, 7)]
    assert whole_words(words, []) == words


def test_what_a_token_touches() -> None:
    words = [(0, 2), (3, 5), (5, 6)]
    assert touched(words, 3, 5) == (1, 2)
    assert touched(words, 1, 6) == (0, 3)
    first, stop = touched(words, 2, 3)  # the space between
    assert first >= stop
