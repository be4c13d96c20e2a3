"""Scores, baselines and pictures of sentiment; classes and numbers on a tiny real model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from nbtune_sentiment.scale import FIVE
from nbtune_sentiment.task import Sentiment, intensity
from sklearn.metrics import cohen_kappa_score

from nbtune.api import Example, Inventory, LabelScores, Recipe
from nbtune.tasks.pretrained import pretrained
from nbtune.training.batches import collate, forward_with
from nbtune.training.devices import Device

CPU = Device(torch.device("cpu"), "fp32")
CLASSES = Inventory(FIVE, dict.fromkeys(FIVE, 2), {"rows": 10, "classes": 5, "convention": "1 to 5"})
NUMBERS = Inventory(facts={"rows": 4, "classes": 0, "convention": "", "mean": 3.5, "std": 1.2})


def one(place: int) -> LabelScores:
    return LabelScores.best(FIVE, np.eye(5)[place])


def test_classes_are_scored_with_ordinal_scores_beside_macro_f1() -> None:
    gold, given = [0, 1, 2, 3, 4, 4, 0], [0, 2, 2, 4, 4, 0, 1]
    examples = [Example({"text": ""}, FIVE[place]) for place in gold]
    metrics = Sentiment().metrics(CLASSES)
    scores = metrics.scores(examples, [one(place) for place in given])
    assert metrics.headline == "macro_f1"
    assert set(scores) == {
        "macro_f1", "accuracy", "weighted_f1", "roc_auc", "quadratic_kappa", "mae", "within_one",
    }  # fmt: skip
    assert scores["quadratic_kappa"] == pytest.approx(cohen_kappa_score(gold, given, weights="quadratic"))
    assert scores["mae"] == pytest.approx(1.0)
    assert scores["within_one"] == pytest.approx(6 / 7)


def test_numbers_are_scored_by_their_error_and_correlation() -> None:
    metrics = Sentiment().metrics(NUMBERS)
    examples = [Example({"text": ""}, value) for value in (1.0, 2.0, 4.0)]
    scores = metrics.scores(examples, [1.5, 2.5, 4.5])
    assert metrics.headline == "mae"
    assert not metrics["mae"].higher_is_better
    assert scores == pytest.approx({"mae": 0.5, "rmse": 0.5, "pearson": 1.0, "spearman": 1.0})


def test_intensity_is_the_expected_place_between_minus_one_and_one() -> None:
    assert intensity(one(0)) == -1
    assert intensity(one(4)) == 1
    assert intensity(LabelScores.best(FIVE, np.array([0, 0, 0.5, 0.5, 0]))) == 0.25
    assert intensity(LabelScores.best(("negative", "positive"), np.array([0.2, 0.8]))) == pytest.approx(0.6)


def test_rows_for_people() -> None:
    task = Sentiment()
    example = Example({"text": "x"})
    assert task.to_row(example, one(3)) == {"prediction": "positive", "probability": 1.0, "intensity": 0.5}
    assert task.to_row(example, 2.25) == {"prediction": 2.25}


@pytest.mark.parametrize("prediction", [one(1), 0.5])
def test_the_picture_escapes_the_text(prediction: LabelScores | float) -> None:
    html = Sentiment().render(Example({"text": "<script>alert('x')</script> bad"}), prediction)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_picture_has_a_labelled_bar() -> None:
    html = Sentiment().render(Example({"text": "great"}), one(4))
    assert '<meter min="-1" max="1" value="1.00">+1.00</meter>' in html
    assert "<strong>very positive</strong> (100%)" in html


def test_numbers_learn_in_the_scale_of_the_data(tiny_model: str) -> None:
    torch.manual_seed(0)
    inventory = Inventory(facts={**NUMBERS.facts, "mean": 50.0, "std": 30.0})
    head = Sentiment().head(pretrained(tiny_model), inventory, Recipe(max_length=16))
    rows = [Example({"text": word}, value) for word, value in [("awful", 20.0), ("lovely", 80.0)] * 4]
    batch = collate([features[0] for features in head.encode(rows, training=True)], head, CPU)
    optimizer = torch.optim.AdamW(head.model.parameters(), lr=2e-3)
    for _ in range(80):
        loss = head.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    head.model.eval()
    awful, lovely = head.predict(rows[:2], forward_with(head, CPU))
    assert awful == pytest.approx(20, abs=8)
    assert lovely == pytest.approx(80, abs=8)


@pytest.mark.parametrize(
    ("inventory", "targets"),
    [(CLASSES, ["very negative", "positive"]), (NUMBERS, [1.0, 4.5])],
    ids=["classes", "numbers"],
)
def test_baselines_are_scored_like_the_model(inventory: Inventory, targets: list[str | float]) -> None:
    task = Sentiment()
    train = [Example({"text": ("awful", "lovely")[row % 2]}, targets[row % 2]) for row in range(10)]
    errors = []
    for baseline in task.baselines(inventory):
        errors.append(task.metrics(inventory).scores(train, baseline.predict(train, train))["mae"])
    assert errors[1] < errors[0]
    assert not any(map(math.isnan, errors))


def test_tables_are_for_classes_only() -> None:
    task = Sentiment()
    tables = task.tables([Example({}, "neutral")], [one(2)], CLASSES)
    assert list(tables["per class"]["label"]) == list(FIVE)
    assert task.tables([Example({}, 1.0)], [1.0], NUMBERS) == {}
