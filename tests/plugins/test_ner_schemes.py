"""Tag sequences in the common schemes all mean the same entities."""

from __future__ import annotations

import itertools
import random

import pytest
from nbtune_ner.schemes import Scheme, name_tags, read_tags, write_tags

SPANS = [(0, 2, "PER"), (3, 4, "LOC"), (4, 6, "LOC"), (6, 7, "ORG")]


@pytest.mark.parametrize(
    "tags",
    [
        "B-PER I-PER O B-LOC B-LOC I-LOC B-ORG O",
        "I-PER I-PER O I-LOC B-LOC I-LOC I-ORG O",
        "B-PER E-PER O S-LOC B-LOC E-LOC S-ORG O",
        "B-PER L-PER O U-LOC B-LOC L-LOC U-ORG O",
        "B-PER E-PER O W-LOC B-LOC E-LOC W-ORG O",
        "b_PER i_PER o b_LOC b_LOC i_LOC b_ORG o",
    ],
    ids=["BIO", "IOB1", "BIOES", "BILOU", "BMEWO", "underscored"],
)
def test_every_scheme_gives_the_same_entities(tags: str) -> None:
    assert read_tags(tags.split()) == SPANS


def test_an_inside_tag_after_another_type_or_a_closed_entity_opens_one() -> None:
    assert read_tags(["O", "I-PER", "I-LOC", "E-LOC", "I-LOC"]) == [(1, 2, "PER"), (2, 4, "LOC"), (4, 5, "LOC")]


def test_types_may_hold_hyphens_and_be_left_out() -> None:
    assert read_tags(["B-PER-FICT", "I-PER-FICT"]) == [(0, 2, "PER-FICT")]
    assert read_tags(["B", "I", "O"]) == [(0, 2, "ENTITY")]


@pytest.mark.parametrize(
    ("tag", "scheme", "words"),
    [
        ("PER", "auto", "unknown tag 'PER'"),
        ("X-PER", "auto", "unknown tag 'X-PER'"),
        ("", "auto", "unknown tag ''"),
        ("0", "auto", "did you mean 'O'"),
        ("E-PER", "bio", "tags of BIO look like"),
        ("U-PER", "bioes", "unknown tag 'U-PER'"),
    ],
)
def test_an_unknown_tag_is_named(tag: str, scheme: Scheme, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_tags(["O", tag], scheme)


def test_bare_types_are_read_when_the_scheme_says_so() -> None:
    assert read_tags(["PER", "PER", "O", "LOC"], "io") == [(0, 2, "PER"), (3, 4, "LOC")]


def test_numbers_are_looked_up_and_refused_without_names() -> None:
    assert name_tags([1, 0, 2.0, "1"], ["O", "B-PER", "I-PER"]) == ["B-PER", "O", "I-PER", "B-PER"]
    with pytest.raises(ValueError, match="number 3 in place of a tag: name them"):
        name_tags([3], None)
    with pytest.raises(ValueError, match="tag number 7, but tag_names has 2 names"):
        name_tags([7], ["O", "B-PER"])
    with pytest.raises(ValueError, match="holds None in place 2"):
        name_tags(["O", None], None)
    with pytest.raises(ValueError, match="holds a dict in place 1"):
        name_tags([{}], None)


def test_writing_and_reading_tags_is_a_round_trip() -> None:
    draw = random.Random(0)
    for _ in range(300):
        cuts = sorted(draw.sample(range(15), draw.randrange(2, 9)))
        spans = [(a, b, draw.choice("XYZ")) for a, b in itertools.pairwise(cuts) if draw.random() < 0.6]
        assert read_tags(write_tags(spans, 14)) == spans
