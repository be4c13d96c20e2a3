"""What a model thinks of each label, from its predictions."""

from __future__ import annotations

import numpy as np
import pytest

from nbtune.errors import RunError
from nbtune.tasks.head import Head
from nbtune.tasks.judging import UNKNOWN, Claim, judged, judgements
from nbtune.tasks.label_metrics import LabelScores
from nbtune.values import Example

LABELS = ("a", "b", "c")
ODDS = np.array([0.2, 0.7, 0.1])


def test_one_label_is_one_unit_and_one_claim() -> None:
    found = judged(LabelScores.best(LABELS, ODDS), "a")
    assert found is not None
    assert found.probabilities.tolist() == [[0.2, 0.7, 0.1]]
    assert found.given.tolist() == [0]
    assert found.claims == (Claim(0, 1, "a", "b", 0.7),)
    assert not found.apart


def test_a_label_that_the_model_does_not_know_has_no_place_but_a_claim() -> None:
    found = judged(LabelScores.best(LABELS, ODDS), "new")
    assert found is not None
    assert found.given.tolist() == [UNKNOWN]
    assert found.claims[0].given == "new"


def test_several_labels_are_a_question_each_of_which_those_with_a_yes_are_claims() -> None:
    found = judged(LabelScores.above(LABELS, ODDS), ["a", "new"])
    assert found is not None
    assert found.apart
    np.testing.assert_allclose(found.probabilities, [[0.8, 0.2], [0.3, 0.7], [0.9, 0.1]])
    assert found.given.tolist() == [1, 0, 0]
    assert found.claims == (Claim(0, 1, ["a"], [], 0.8), Claim(1, 2, [], ["b"], 0.7))


@pytest.mark.parametrize("multi", [False, True])
def test_without_a_gold_answer_there_are_probabilities_and_no_claims(multi: bool) -> None:
    scores = LabelScores.above(LABELS, ODDS) if multi else LabelScores.best(LABELS, ODDS)
    found = judged(scores, None)
    assert found is not None
    assert found.claims == ()
    assert set(found.given.tolist()) == {UNKNOWN}
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


def test_a_number_is_no_label() -> None:
    assert judged(0.4, 0.5) is None


class Numbers(Head):
    def encode(self, examples, *, training):  # type: ignore[no-untyped-def]
        return [[{"input_ids": [1]}] for _ in examples]

    def loss(self, batch):  # type: ignore[no-untyped-def]
        raise AssertionError("nothing is learned here")

    def outputs(self, batch):  # type: ignore[no-untyped-def]
        raise AssertionError("the outputs are given")

    def decode(self, example, outputs):  # type: ignore[no-untyped-def]
        return float(outputs[0])


class Rankings(Numbers):
    def predict(self, examples, forward):  # type: ignore[no-untyped-def]
        raise AssertionError("must not be asked for")


@pytest.mark.parametrize("head", [Numbers(), Rankings()])
def test_heads_without_labels_are_refused(head: Head) -> None:
    with pytest.raises(RunError, match="gives no probabilities of labels"):
        list(judgements(head, [Example({"text": "x"})], lambda features: (0.5 for _ in features)))
