"""Head, thresholds, scores and rows of classification, on a tiny real model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from nbtune_classification.task import Classification
from nbtune_classification.thresholds import best_thresholds
from sklearn.metrics import f1_score, precision_recall_curve

from nbtune.api import Example, Inventory, LabelScores, Recipe
from nbtune.tasks.pretrained import pretrained
from nbtune.training.batches import forward_with
from nbtune.training.devices import Device

CPU = Device(torch.device("cpu"), "fp32")
TAGS = Inventory(("money", "thanks", "urgent"), {"money": 4, "thanks": 3, "urgent": 1}, {"rows": 8, "multi": True})
INTENTS = Inventory(("no", "yes"), {"no": 4, "yes": 4}, {"rows": 8, "multi": False})


def synthetic(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of different frequency with informative probabilities that rarely reach a half."""
    random = np.random.default_rng(seed)
    gold = random.random((rows, 4)) < [0.4, 0.2, 0.1, 0.03]
    logits = 1.5 * random.normal(size=gold.shape) + 3 * gold + np.array([-2.0, -3, -4, -5])
    return gold, 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("seed", range(3))
def test_tuned_thresholds_raise_f1_on_rows_they_were_not_tuned_on(seed: int) -> None:
    gold, scores = synthetic(400, seed)
    new_gold, new_scores = synthetic(2000, seed + 100)
    thresholds = best_thresholds(gold, scores)
    tuned = f1_score(new_gold, new_scores >= thresholds, average="macro")
    assert tuned > f1_score(new_gold, new_scores >= 0.5, average="macro", zero_division=0) + 0.05


def test_with_many_positives_the_threshold_is_the_best_of_its_label() -> None:
    gold, scores = synthetic(5000, 9)
    threshold = best_thresholds(gold[:, :1], scores[:, :1])[0]
    precision, recall, _ = precision_recall_curve(gold[:, 0], scores[:, 0])
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert f1_score(gold[:, 0], scores[:, 0] >= threshold) == pytest.approx(best, abs=1e-3)


def test_a_label_with_one_positive_stays_near_the_shared_threshold() -> None:
    gold, scores = synthetic(400, 4)
    gold[:, 3] = False
    gold[int(np.argmin(scores[:, 3])), 3] = True  # by itself it would pull the threshold to the bottom
    thresholds = best_thresholds(gold, scores)
    assert thresholds[3] > 2 * scores[:, 3].min()


def test_without_positives_every_threshold_is_a_half() -> None:
    np.testing.assert_allclose(best_thresholds(np.zeros((5, 2), dtype=bool), np.random.rand(5, 2)), 0.5)


def test_thresholds_are_fitted_kept_and_restored(tiny_model: str) -> None:
    task = Classification()
    torch.manual_seed(1)
    head = task.head(pretrained(tiny_model), TAGS, Recipe(max_length=16))
    rows = [
        Example({"text": "it costs 5"}, ["money"], 0),
        Example({"text": "thank you, quickly"}, ["thanks", "urgent"], 1),
        Example({"text": "hello"}, [], 2),
        Example({"text": "price please"}, ["money"], 3),
    ]
    forward = forward_with(head, CPU)
    head.model.eval()
    before = task.metrics(TAGS).scores(rows, list(head.predict(rows, forward)))
    head.conclude([], rows, forward)
    after = task.metrics(TAGS).scores(rows, list(head.predict(rows, forward)))
    assert after["micro_f1"] >= before["micro_f1"]
    assert after["label_ranking_precision"] == before["label_ranking_precision"]
    state = head.state()
    assert set(state["thresholds"]) == set(TAGS.labels)
    assert any(value != 0.5 for value in state["thresholds"].values())
    torch.manual_seed(1)
    other = task.head(pretrained(tiny_model), TAGS, Recipe(max_length=16))
    other.restore(state)
    other.model.eval()
    theirs = list(other.predict(rows, forward_with(other, CPU)))
    assert [p.names for p in theirs] == [p.names for p in head.predict(rows, forward)]


def test_without_validation_rows_thresholds_stay_at_a_half(tiny_model: str) -> None:
    head = Classification().head(pretrained(tiny_model), TAGS, Recipe(max_length=16))
    head.conclude([], [], forward_with(head, CPU))
    assert set(head.state()["thresholds"].values()) == {0.5}


def test_headlines_decompose_so_that_intervals_exist() -> None:
    task = Classification()
    for inventory, headline in ((INTENTS, "macro_f1"), (TAGS, "label_ranking_precision")):
        metrics = task.metrics(inventory)
        assert metrics.headline == headline
        assert hasattr(metrics[headline], "formula")
        assert {"accuracy", "macro_f1"} <= {metric.name for metric in metrics.metrics}


def test_rows_for_people() -> None:
    task = Classification()
    example = Example({"text": "x"})
    two = LabelScores.best(("no", "yes"), np.array([0.25, 0.75]))
    assert task.to_row(example, two) == {"prediction": "yes", "probability": 0.75}
    four = LabelScores.best(("a", "b", "c", "d"), np.array([0.1, 0.5, 0.15, 0.25]))
    assert task.to_row(example, four)["top"] == [("b", 0.5), ("d", 0.25), ("c", 0.15)]
    several = LabelScores.above(("a", "b"), np.array([0.9, 0.2]), np.array([0.5, 0.1]))
    assert task.to_row(example, several) == {"prediction": ["a", "b"], "probabilities": {"a": 0.9, "b": 0.2}}


def test_tables_show_confusions_for_one_label_a_row_only() -> None:
    task = Classification()
    single = task.tables([Example({}, "no")], [LabelScores.best(INTENTS.labels, np.array([0.2, 0.8]))], INTENTS)
    assert [title.split(" ")[0] for title in single] == ["per", "confusion"]
    multi = task.tables([Example({}, [])], [LabelScores.above(TAGS.labels, np.zeros(3))], TAGS)
    assert list(multi) == ["per label"]


@pytest.mark.parametrize(("inventory", "targets"), [(INTENTS, ["no", "yes"]), (TAGS, [["money"], ["thanks"]])])
def test_baselines_are_scored_like_the_model(inventory: Inventory, targets: list[object]) -> None:
    task = Classification()
    train = [Example({"text": f"word {row % 2}"}, targets[row % 2]) for row in range(8)]
    for baseline in task.baselines(inventory):
        scores = task.metrics(inventory).scores(train, baseline.predict(train, train))
        assert 0 <= scores["macro_f1"] <= 1
        if baseline.name != "majority":
            assert scores["accuracy"] == 1
