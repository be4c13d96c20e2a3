"""What a tagger thinks of entities: one claim for each place where the data or the model says something."""

from __future__ import annotations

import random

import numpy as np
import pytest
from nbtune_ner.head import NerHead, Scored
from nbtune_ner.judging import judge
from nbtune_ner.tagging import label_units
from nbtune_ner.task import Ner
from nbtune_ner.words import find_words

from nbtune.api import Claim, Judgement

TEXT = "Ann Lee met Bob in New York City"
WORDS = np.array(find_words(TEXT))
TYPES = {"LOC": 0, "PER": 1}
ANN, LEE, BOB, CITY = [0, 7, "PER"], [0, 3, "PER"], [12, 15, "PER"], [19, 32, "LOC"]


def say(*spans: list, sure: float = 0.9) -> np.ndarray:  # type: ignore[type-arg]
    """Probabilities of a tagger that finds these entities."""
    labels = label_units([tuple(span) for span in spans], TYPES, WORDS[:, 0], WORDS[:, 1])
    odds = np.full((len(WORDS), 5), (1 - sure) / 4)
    odds[np.arange(len(WORDS)), labels] = sure
    return odds


def heard(given: list, *found: list, **how: float) -> Judgement:  # type: ignore[type-arg]
    odds = say(*found, **how)
    gold = [tuple(span) for span in given]
    return judge(gold, TYPES, WORDS[:, 0], WORDS[:, 1], odds.astype(np.float32), odds.argmax(axis=1))


def of(found: Judgement) -> list[tuple[list, list]]:  # type: ignore[type-arg]
    return [(claim.given, claim.found) for claim in found.claims]


def test_what_both_say_is_a_claim_that_agrees() -> None:
    found = heard([ANN, BOB, CITY], ANN, BOB, CITY)
    assert of(found) == [([ANN], [ANN]), ([BOB], [BOB]), ([CITY], [CITY])]
    assert found.given.tolist() == [3, 4, 0, 3, 0, 1, 2, 2]
    assert found.claims[0].confidence == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("given", "said", "claim"),
    [
        ([ANN], [[0, 7, "LOC"]], Claim(0, 2, [ANN], [[0, 7, "LOC"]], 0.9, (0, 7))),
        ([ANN], [LEE], Claim(0, 2, [ANN], [LEE], 0.9, (0, 7))),
        ([ANN], [], Claim(0, 2, [ANN], [], 0.9, (0, 7))),
        ([], [BOB], Claim(3, 4, [], [BOB], 0.9, (12, 15))),
        (
            [CITY],
            [[19, 27, "LOC"], [28, 32, "PER"]],
            Claim(5, 8, [CITY], [[19, 27, "LOC"], [28, 32, "PER"]], 0.9, (19, 32)),
        ),
    ],
    ids=["wrong type", "wrong border", "missed", "spurious", "in pieces"],
)
def test_a_difference_is_one_claim(given: list, said: list, claim: Claim) -> None:  # type: ignore[type-arg]
    (found,) = heard(given, *said).claims
    assert found.confidence == pytest.approx(claim.confidence)
    assert (found.first, found.stop, found.given, found.found, found.place) == (
        claim.first,
        claim.stop,
        claim.given,
        claim.found,
        claim.place,
    )


def test_neighbours_that_share_no_word_are_claims_of_their_own() -> None:
    assert of(heard([LEE], [4, 7, "PER"])) == [([LEE], []), ([], [[4, 7, "PER"]])]


def test_words_of_a_type_that_the_model_does_not_know_have_no_label() -> None:
    found = heard([[0, 7, "EVENT"], BOB], BOB)
    assert found.given.tolist() == [-1, -1, 0, 3, 0, 0, 0, 0]
    assert of(found) == [([[0, 7, "EVENT"]], []), ([BOB], [BOB])]


def test_without_gold_entities_there_are_probabilities_and_no_claims() -> None:
    odds = say(BOB).astype(np.float32)
    found = judge(None, TYPES, WORDS[:, 0], WORDS[:, 1], odds, odds.argmax(axis=1))
    assert found.claims == ()
    assert (found.given == -1).all()
    assert found.probabilities.shape == (8, 5)


def test_a_text_without_words_is_judged_too() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    found = judge([(0, 1, "PER")], TYPES, nothing, nothing, np.zeros((0, 5), np.float32), nothing)
    assert (found.probabilities.shape, found.claims) == ((0, 5), ())


def test_the_head_claims_what_it_predicts(tiny_model: str) -> None:
    from nbtune.api import Example, Recipe
    from nbtune.tasks.pretrained import pretrained

    task = Ner()
    train = [Example({"text": TEXT, "words": WORDS.tolist()}, [ANN, BOB, CITY])]
    head = task.head(pretrained(tiny_model), task.inventory(train), Recipe(max_length=32))
    assert isinstance(head, NerHead)
    draw = random.Random(0)
    for _ in range(50):
        logits = np.array([[draw.gauss(0, 3) for _ in range(5)] for _ in WORDS], dtype=np.float32)
        outputs = [Scored(WORDS[:3, 0], WORDS[:3, 1], logits[:3]), Scored(WORDS[3:, 0], WORDS[3:, 1], logits[3:])]
        predicted = head.decode(train[0], outputs)["entities"]
        found = head.judge(train[0], outputs)
        said = [span for claim in found.claims for span in claim.found]
        assert said == [[entity["start"], entity["end"], entity["type"]] for entity in predicted]
        assert [span for claim in found.claims for span in claim.given] == [ANN, BOB, CITY]
