"""Near duplicates: all that are alike are found, and nothing else."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from nbtune.data import near


def reader(texts: list[str]) -> Callable[[Any], Iterable[str]]:
    return lambda positions: [texts[place] for place in positions.tolist()]


def pairs(ours: list[str], theirs: list[str] | None = None) -> dict[int, int]:
    sketched = None if theirs is None else near.sketch(theirs)
    found, partner = near.alike(near.sketch(ours), sketched, reader(ours), None if theirs is None else reader(theirs))
    return dict(zip(found.tolist(), partner.tolist(), strict=True))


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    chance = random.Random(3)
    words = ["".join(chance.choices("abcdefghijklmnoprstuw", k=chance.randint(2, 9))) for _ in range(3000)]
    return [" ".join(chance.choices(words, k=chance.randint(8, 30))) for _ in range(300)]


def by_hand(one: str, other: str) -> float:
    """The similarity as it is defined, with sets."""
    ours, theirs = shingles(one), shingles(other)
    return len(ours & theirs) / len(ours | theirs)


@functools.cache
def shingles(text: str) -> set[str]:
    plain = f" {' '.join(''.join(c if c.isalnum() else ' ' for c in text.casefold()).split())} ".ljust(near.SHINGLE)
    return {plain[at : at + near.SHINGLE] for at in range(len(plain) - near.SHINGLE + 1)}


def test_the_similarity_is_that_of_the_sets(sentences: list[str]) -> None:
    for one, other in itertools.pairwise(sentences[:40]):
        mixed = f"{one[: len(one) // 2]}{other[len(other) // 2 :]}"
        assert near.similarity(one, mixed) == pytest.approx(by_hand(one, mixed))
    assert near.similarity("Zug", "zug!") == 1.0
    assert near.similarity("Zug", "Bus") == 0.0


def test_every_pair_that_is_alike_is_found_and_no_other(sentences: list[str]) -> None:
    chance = random.Random(5)
    texts = list(sentences)
    for _ in range(100):
        words = chance.choice(sentences).split()
        for _ in range(chance.randint(1, 3)):
            words[chance.randrange(len(words))] = chance.choice(("x", "changed", "und so weiter"))
        texts.append(" ".join(words))
    expected = {
        later
        for later in range(len(texts))
        if any(by_hand(texts[later], texts[earlier]) >= near.ALIKE for earlier in range(later))
        if later >= len(sentences)
    }
    found = pairs(texts)
    assert len(expected) >= 20
    assert set(found) == expected
    assert all(partner < one and by_hand(texts[one], texts[partner]) >= near.ALIKE for one, partner in found.items())


def test_other_parts_are_compared_with_all_of_theirs(sentences: list[str]) -> None:
    ours = [sentences[7] + "!", "nothing like it at all, in no way", sentences[3].upper()]
    assert pairs(ours, sentences) == {0: 7, 2: 3}


def test_texts_of_one_template_are_not_compared_all_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"dear customer, your order {number:06d} is on its way to you" for number in range(3000)]
    compared = 0
    whole = near._similarities

    def counting(ones: Iterable[str], others: Iterable[str]) -> Any:
        nonlocal compared
        ones = list(ones)
        compared += len(ones)
        return whole(ones, others)

    monkeypatch.setattr(near, "_similarities", counting)
    assert pairs(texts)
    assert compared <= 4 * len(texts)


@pytest.mark.parametrize("texts", [[], ["one"], ["", ""], ["ab"], ["\U0001f600", "x"], ["a" * 1_200_000, "b"]])
def test_odd_collections_are_no_trouble(texts: list[str]) -> None:
    assert set(pairs(texts)) <= {1}
    assert near.sketch(texts).digests.dtype == np.uint32
