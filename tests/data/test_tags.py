"""Tags of random corpora, written in every scheme, must come back as the same chunks."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities, Token

from nbtune.data.tags import detect_scheme, split_tag, to_bio

Chunk = tuple[str, int, int]  # type, first and last token
Sentence = tuple[int, list[Chunk]]


def corpus(seed: int, sentences: int = 200) -> list[Sentence]:
    chance = random.Random(seed)
    made = []
    for _ in range(sentences):
        chunks: list[Chunk] = []
        position = 0
        while position < 12:
            length = chance.randint(1, 3)
            if chance.random() < 0.6:
                chunks.append((chance.choice(["PER", "ORG", "B-side", "I_x"]), position, position + length - 1))
            position += length
        made.append((max(position, 1), chunks))
    return made


def bio(sentence: Sentence) -> list[str]:
    tags = ["O"] * sentence[0]
    for kind, first, last in sentence[1]:
        tags[first : last + 1] = [f"B-{kind}", *[f"I-{kind}"] * (last - first)]
    return tags


def iob1(sentence: Sentence) -> list[str]:
    tags = ["O"] * sentence[0]
    ends: dict[int, str] = {}
    for kind, first, last in sentence[1]:
        tags[first : last + 1] = [f"I-{kind}"] * (last - first + 1)
        if ends.get(first - 1) == kind:
            tags[first] = f"B-{kind}"
        ends[last] = kind
    return tags


def bounded(single: str, inside: str, end: str) -> Callable[[Sentence], list[str]]:
    def write(sentence: Sentence) -> list[str]:
        tags = ["O"] * sentence[0]
        for kind, first, last in sentence[1]:
            if first == last:
                tags[first] = f"{single}-{kind}"
            else:
                tags[first : last + 1] = [f"B-{kind}", *[f"{inside}-{kind}"] * (last - first - 1), f"{end}-{kind}"]
        return tags

    return write


WRITERS = {
    "BIO": bio,
    "IOB1": iob1,
    "BIOES": bounded("S", "I", "E"),
    "BILOU": bounded("U", "I", "L"),
    "BMES": bounded("S", "M", "E"),
}


@pytest.mark.parametrize("scheme", WRITERS)
def test_chunks_survive_normalisation_from_every_scheme(scheme: str) -> None:
    for sentence in corpus(1):
        assert to_bio(WRITERS[scheme](sentence)) == bio(sentence)


@pytest.mark.parametrize("scheme", WRITERS)
def test_the_scheme_of_a_corpus_is_detected(scheme: str) -> None:
    assert detect_scheme(WRITERS[scheme](sentence) for sentence in corpus(2)) == scheme


@pytest.mark.parametrize(("scheme", "reader"), [("IOB1", IOB1), ("BIO", IOB2), ("BIOES", IOBES), ("BILOU", BILOU)])
def test_strict_seqeval_reads_the_same_chunks(scheme: str, reader: type[Token]) -> None:
    for sentence in corpus(3, sentences=60):
        tags = [tag.replace("_", "-") for tag in WRITERS[scheme](sentence)]
        theirs = {entity.to_tuple()[1:] for entity in Entities([tags], reader).entities[0]}
        ours = {entity.to_tuple()[1:] for entity in Entities([to_bio(tags)], IOB2).entities[0]}
        assert ours == theirs


def test_tag_soup_has_the_chunks_that_conlleval_finds() -> None:
    chance = random.Random(4)
    soup = ["O", *[f"{prefix}-{kind}" for prefix in "BIES" for kind in ("X", "Y")]]
    for _ in range(2000):
        tags = chance.choices(soup, k=chance.randint(1, 8))
        normal = to_bio(tags)
        assert get_entities(normal) == get_entities(tags)
        assert to_bio(normal) == normal


def test_only_inside_tags_are_the_scheme_io() -> None:
    assert detect_scheme([["I-PER", "I-PER", "O", "I-ORG"]]) == "IO"
    assert to_bio(["I-PER", "I-PER", "O", "I-ORG"]) == ["B-PER", "I-PER", "O", "B-ORG"]


def test_a_corpus_without_entities_is_bio() -> None:
    assert detect_scheme([["O", "O"], []]) == "BIO"


def test_bare_tags_get_a_type() -> None:
    assert to_bio(["B", "I", "O", "S"]) == ["B-ENTITY", "I-ENTITY", "O", "B-ENTITY"]


@pytest.mark.parametrize("tag", ["PER", "NN", "X-PER", "B-", "BPER", "", "o", "-PER", "O-PER"])
def test_a_tag_of_no_scheme_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="is not a tag of a known scheme"):
        split_tag(tag)
