"""Words of raw text in several scripts, and texts made of tokens."""

from __future__ import annotations

import itertools

import pytest
from nbtune_ner.words import find_words, join_words, touched, trim


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in find_words(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Angela Merkel's co-op.", ["Angela", "Merkel", "'", "s", "co", "-", "op", "."]),
        ("user_name #tag", ["user", "_", "name", "#", "tag"]),
        ("北京大学在中国", list("北京大学在中国")),
        ("iPhone在中国", ["iPhone", "在", "中", "国"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("서울에서", ["서울에서"]),
        ("hi😀😀", ["hi", "😀", "😀"]),
        ("👍🏽 ok", ["👍🏽", "ok"]),
        ("Cafe\u0301 x", ["Cafe\u0301", "x"]),
        (" \u200b\n", []),
        ("", []),
    ],
)
def test_words_are_found_in_any_script(text: str, words: list[str]) -> None:
    assert cut(text) == words


def test_a_joiner_belongs_to_a_word_only_inside_it() -> None:
    assert cut("می\u200cروم Berlin\u200b") == ["می\u200cروم", "Berlin"]


def test_tokens_are_joined_with_spaces_except_between_characters_of_scripts_without_them() -> None:
    text, words = join_words(["北", "京", "，", "iPhone", "is", "here"])
    assert text == "北京， iPhone is here"
    assert [text[start:end] for start, end in words] == ["北", "京", "，", "iPhone", "is", "here"]


@pytest.mark.parametrize(
    "tokens",
    [
        ["a", "plain", "row", "."],
        ["un", "été", "—", "là"],
        ["東", "京", "is", "big", "。", "東"],
        ["", "a", "", "", "b"],
        ["日", "", "本"],
        [],
    ],
)
def test_every_token_lies_where_it_is_said_to_lie(tokens: list[str]) -> None:
    text, words = join_words(tokens)
    assert [text[start:end] for start, end in words] == tokens
    gaps = [text[end:start] for (_, end), (start, _) in itertools.pairwise(words)]
    assert set(gaps) <= {"", " "}
    for (one, other), gap in zip(itertools.pairwise(tokens), gaps, strict=True):
        wide = bool(one and other) and all(ord(each) >= 0x3000 for each in (one[-1], other[0]))
        assert gap == ("" if wide or not one else " ")


@pytest.mark.parametrize(
    ("text", "span", "trimmed"),
    [
        ("in Berlin now", (2, 10), (3, 9)),
        ("\u200fחיפה\u200f", (0, 6), (1, 5)),
        ("a \u200b b", (2, 3), (2, 3)),
        ("a   b", (1, 4), (1, 1)),
    ],
)
def test_spans_lose_blank_ends_but_never_all_of_an_invisible_entity(
    text: str, span: tuple[int, int], trimmed: tuple[int, int]
) -> None:
    assert trim(text, *span) == trimmed


def test_touched_gives_the_places_that_share_a_character() -> None:
    places = [[0, 3], [3, 5], [6, 9]]
    assert touched(places, 2, 6) == (0, 2)
    assert touched(places, 5, 6) == (2, 2)
    assert touched(places, 8, 20) == (2, 3)
