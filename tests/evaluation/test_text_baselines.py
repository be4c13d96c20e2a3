"""The baselines answer in the form of the head's predictions, learn something, and say the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from nbtune.api import Example, Inventory, LabelScores, majority, tfidf_logistic
from nbtune.evaluation import baselines

WORDS = {"fruit": ["apple", "pear", "plum"], "tools": ["saw", "hammer", "drill"], "sky": ["cloud", "moon", "star"]}
LABELS = tuple(sorted(WORDS))
TRAIN = [
    Example({"text": f"the {word} number {index}"}, label)
    for label, words in WORDS.items()
    for index, word in enumerate(words * 4)
]
ASKED = [Example({"text": "a pear"}), Example({"text": "moon and star"}), Example({"text": "hammer"})]
INVENTORY = Inventory(LABELS, dict.fromkeys(LABELS, 12), {"rows": 36})


def names(answers: object) -> list[list[str]]:
    assert isinstance(answers, list)
    assert all(isinstance(answer, LabelScores) for answer in answers)
    return [answer.names for answer in answers]


def test_majority_gives_the_commonest_label_with_its_share() -> None:
    train = [*TRAIN, Example({"text": "more"}, "sky")]
    answers = majority(INVENTORY).predict(train, ASKED)
    assert names(answers) == [["sky"]] * 3
    assert answers[0].probabilities[LABELS.index("sky")] == pytest.approx(13 / 37)


def test_majority_of_several_labels_gives_those_most_rows_have() -> None:
    train = [Example({"text": "x"}, target) for target in (["sky"], ["sky", "tools"], ["fruit", "sky"], [])]
    assert names(majority(INVENTORY, "multi").predict(train, ASKED)) == [["sky"]] * 3


def test_tfidf_learns_words() -> None:
    answers = tfidf_logistic(INVENTORY).predict(TRAIN, ASKED)
    assert names(answers) == [["fruit"], ["sky"], ["tools"]]
    assert answers[0].probabilities.sum() == pytest.approx(1)


def test_tfidf_learns_several_labels_and_keeps_the_share_of_a_constant_one() -> None:
    labels = (*LABELS, "always", "never")
    train = [Example(example.inputs, [example.target, "always"]) for example in TRAIN]
    asked = [Example({"text": "pear and hammer"})]
    (answer,) = tfidf_logistic(Inventory(labels, {}, {"rows": 36}), "multi").predict(train, asked)
    assert answer.names == ["fruit", "tools", "always"]
    assert answer.probabilities[-1] == 0


def test_tfidf_learns_numbers_better_than_the_mean() -> None:
    train = [Example(example.inputs, float(LABELS.index(example.target))) for example in TRAIN]
    gold = np.array([0.0, 1.0, 2.0])
    ridge = np.array(tfidf_logistic(INVENTORY, "number").predict(train, ASKED))
    constant = np.array(majority(INVENTORY, "number").predict(train, ASKED))
    np.testing.assert_allclose(constant, 1.0)
    assert abs(ridge - gold).mean() < 0.5 * abs(constant - gold).mean()


def test_tfidf_of_pairs_sees_shared_words() -> None:
    random = np.random.default_rng(0)
    words = [word for group in WORDS.values() for word in group]
    pairs = [tuple(random.choice(words, 2, replace=False)) for _ in range(60)]
    train = [Example({"text": a, "text_pair": b}, "other") for a, b in pairs]
    train += [Example({"text": a, "text_pair": a}, "same") for a, _ in pairs]
    inventory = Inventory(("other", "same"), {}, {"rows": 120})
    asked = [Example({"text": "moon", "text_pair": "moon"}), Example({"text": "moon", "text_pair": "saw"})]
    assert names(tfidf_logistic(inventory).predict(train, asked)) == [["same"], ["other"]]


def test_tfidf_reads_languages_without_spaces_by_characters() -> None:
    rows = {
        "wetter": ["今天下雨了我忘记带伞出门", "明天会下雨还是会下雪呢"],
        "essen": ["这家餐厅的面条很好吃", "我想吃饺子和牛肉面条"],
    }
    train = [Example({"text": text}, label) for label, texts in rows.items() for text in texts]
    inventory = Inventory(("essen", "wetter"), {}, {"rows": 4})
    assert names(tfidf_logistic(inventory).predict(train, [Example({"text": "下雨天我在家"})])) == [["wetter"]]


def test_a_baseline_says_the_same_each_time() -> None:
    baseline = tfidf_logistic(INVENTORY)
    first, second = baseline.predict(TRAIN, ASKED), baseline.predict(TRAIN, ASKED)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_a_large_training_set_is_sampled_and_the_name_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST_ROWS", 30)
    baseline = tfidf_logistic(INVENTORY)
    assert baseline.name == "TF-IDF + logistic regression (30 rows)"
    assert names(baseline.predict(TRAIN, ASKED)) == [["fruit"], ["sky"], ["tools"]]


def test_training_rows_of_one_label_only_are_answered_with_it() -> None:
    only = [example for example in TRAIN if example.target == "sky"]
    assert names(tfidf_logistic(INVENTORY).predict(only, ASKED)) == [["sky"]] * 3


def test_with_many_labels_the_linear_model_learns_from_fewer_rows_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST_ANSWERS", 60)
    labels = ("a", "b", "c")
    train = [Example({"text": f"{labels[row % 3]} word {row}"}, labels[row % 3], row) for row in range(50)]
    linear = tfidf_logistic(Inventory(labels, facts={"rows": len(train)}))
    assert linear.name == "TF-IDF + logistic regression (20 rows)"
    assert [answer.names[0] for answer in linear.predict(train, train[:6])] == ["a", "b", "c"] * 2
