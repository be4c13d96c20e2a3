"""Scores over labels equal scikit-learn's, on random data with labels that are absent from gold or prediction."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as peer

from nbtune.api import Example, LabelScores, MetricSet, joined, label_metrics, ordinal_metrics
from nbtune.tasks.label_tables import confusion_tables, per_label_table

LABELS = tuple(f"label {index}" for index in range(8))


def random_rows(seed: int, rows: int = 60) -> tuple[list[Example], list[LabelScores]]:
    """One label a row; label 6 is never gold, label 7 neither gold nor predicted."""
    random = np.random.default_rng(seed)
    examples, predictions = [], []
    for row in range(rows):
        gold = int(random.integers(0, 6))
        logits = random.normal(size=8)
        logits[gold] += 1
        logits[7] = -20
        odds = np.exp(logits)
        examples.append(Example({"text": ""}, LABELS[gold], row))
        predictions.append(LabelScores.best(LABELS, odds / odds.sum()))
    return examples, predictions


def random_sets(seed: int, rows: int = 60) -> tuple[list[Example], list[LabelScores]]:
    """Any number of labels a row; label 6 is never gold, label 7 neither gold nor predicted."""
    random = np.random.default_rng(seed)
    examples, predictions = [], []
    for row in range(rows):
        gold = random.random(8) < [0.3, 0.2, 0.5, 0.1, 0.3, 0.2, 0, 0]
        scores = np.clip(random.random(8) * 0.7 + 0.3 * gold, 0, 1)
        scores[7] = 0.001 * scores[6]
        examples.append(Example({"text": ""}, [LABELS[index] for index in np.flatnonzero(gold)], row))
        predictions.append(LabelScores.above(LABELS, scores, 0.5))
    return examples, predictions


def flags(examples: list[Example], predictions: list[LabelScores]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gold = np.array([[label in example.target for label in LABELS] for example in examples])
    given = np.array([[index in prediction.chosen for index in range(8)] for prediction in predictions])
    return gold, given, np.stack([prediction.probabilities for prediction in predictions])


@pytest.mark.parametrize("seed", range(5))
def test_single_label_scores_equal_those_of_scikit_learn(seed: int) -> None:
    examples, predictions = random_rows(seed)
    scores = label_metrics(LABELS).scores(examples, predictions)
    gold = [example.target for example in examples]
    given = [prediction.names[0] for prediction in predictions]
    assert "label 7" not in {*gold, *given}
    assert "label 6" in given
    probabilities = np.stack([prediction.probabilities for prediction in predictions])
    which = np.array([LABELS.index(name) for name in gold])
    expected = {
        "accuracy": peer.accuracy_score(gold, given),
        "macro_f1": peer.f1_score(gold, given, average="macro", zero_division=0),
        "micro_f1": peer.f1_score(gold, given, average="micro"),
        "weighted_f1": peer.f1_score(gold, given, average="weighted", zero_division=0),
        "macro_precision": peer.precision_score(gold, given, average="macro", zero_division=0),
        "macro_recall": peer.recall_score(gold, given, average="macro", zero_division=0),
        "top3_accuracy": peer.top_k_accuracy_score(which, probabilities, k=3, labels=range(8)),
        "roc_auc": np.mean([peer.roc_auc_score(which == index, probabilities[:, index]) for index in range(6)]),
        "average_precision": np.mean(
            [peer.average_precision_score(which == index, probabilities[:, index]) for index in range(6)]
        ),
    }
    assert scores == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_multi_label_scores_equal_those_of_scikit_learn(seed: int) -> None:
    examples, predictions = random_sets(seed)
    scores = label_metrics(LABELS, multi=True).scores(examples, predictions)
    gold, given, probabilities = flags(examples, predictions)
    seen = np.flatnonzero((gold | given).any(0))
    assert 7 not in seen
    labelled = gold.any(1)
    assert not labelled.all()
    expected = {
        "macro_f1": peer.f1_score(gold, given, average="macro", labels=seen, zero_division=0),
        "micro_f1": peer.f1_score(gold, given, average="micro"),
        "weighted_f1": peer.f1_score(gold, given, average="weighted", zero_division=0),
        "macro_precision": peer.precision_score(gold, given, average="macro", labels=seen, zero_division=0),
        "macro_recall": peer.recall_score(gold, given, average="macro", labels=seen, zero_division=0),
        "subset_accuracy": peer.accuracy_score(gold, given),
        "accuracy": peer.accuracy_score(gold, given),
        "hamming_loss": peer.hamming_loss(gold, given),
        "label_ranking_precision": peer.label_ranking_average_precision_score(gold[labelled], probabilities[labelled]),
        "roc_auc": peer.roc_auc_score(gold[:, :6], probabilities[:, :6], average="macro"),
        "average_precision": peer.average_precision_score(gold[:, :6], probabilities[:, :6], average="macro"),
    }
    assert scores == pytest.approx(expected)


def test_a_gold_label_unknown_to_the_model_counts_as_wrong() -> None:
    labels = ("a", "b")
    examples = [Example({}, "a"), Example({}, "new")]
    predictions = [LabelScores.best(labels, np.array([0.9, 0.1]))] * 2
    scores = label_metrics(labels).scores(examples, predictions)
    assert scores["accuracy"] == 0.5
    assert scores["macro_f1"] == pytest.approx(
        peer.f1_score(["a", "new"], ["a", "a"], average="macro", zero_division=0)
    )


def test_formulas_take_any_leading_shape() -> None:
    examples, predictions = random_rows(1)
    metrics = label_metrics(LABELS)
    tallies = metrics.tallies(examples, predictions)
    halves = np.stack([tallies[:30].sum(0), tallies[30:].sum(0)])
    for metric in metrics.metrics[:6]:
        alone = [metric.formula(half) for half in halves]  # type: ignore[union-attr]  # the first six decompose
        np.testing.assert_allclose(metric.formula(halves), alone)  # type: ignore[union-attr]


def test_no_examples_leave_every_score_undefined() -> None:
    scores = label_metrics(("a", "b")).scores([], [])
    assert all(np.isnan(value) for value in scores.values())


def test_joined_sets_score_as_they_do_alone() -> None:
    examples, predictions = random_rows(2)
    parts = [label_metrics(LABELS), ordinal_metrics(LABELS)]
    both = joined("accuracy", *parts)
    assert isinstance(both, MetricSet)
    alone = {name: value for part in parts for name, value in part.scores(examples, predictions).items()}
    assert both.scores(examples, predictions) == pytest.approx(alone)
    assert both.headline == "accuracy"


def test_per_label_table_equals_the_classification_report() -> None:
    examples, predictions = random_rows(4)
    table = per_label_table(LABELS, examples, predictions).set_index("label")
    report = peer.classification_report(
        [example.target for example in examples],
        [prediction.names[0] for prediction in predictions],
        labels=LABELS,
        output_dict=True,
        zero_division=0,
    )
    for label in LABELS:
        there = report[label]["support"] > 0
        for ours, theirs in {"recall": "recall", "f1": "f1-score"}.items():
            assert table.loc[label, ours] == pytest.approx(
                report[label][theirs] if there else float("nan"), nan_ok=True
            )
        if there or table.loc[label, "predicted"]:
            assert table.loc[label, "precision"] == pytest.approx(report[label]["precision"])
        assert table.loc[label, "support"] == report[label]["support"]


def test_a_label_that_no_row_has_is_shown_as_absent_not_as_0_or_1() -> None:
    sure = LabelScores.best(("a", "b", "c"), np.array([0.8, 0.1, 0.1]))
    table = per_label_table(("a", "b", "c"), [Example({}, "b"), Example({}, "b")], [sure, sure]).set_index("label")
    assert table.loc["a", "precision"] == 0.0  # it was predicted, wrongly
    assert np.isnan(table.loc["a", ["recall", "f1"]].to_numpy(float)).all()
    assert table.loc["b", ["precision", "recall", "f1"]].tolist() == [0.0, 0.0, 0.0]  # it was there, and never found
    assert np.isnan(table.loc["c", ["precision", "recall", "f1"]].to_numpy(float)).all()


def test_confusion_table_equals_that_of_scikit_learn() -> None:
    examples, predictions = random_rows(5)
    (table,) = confusion_tables(LABELS, examples, predictions).values()
    gold = [example.target for example in examples]
    expected = peer.confusion_matrix(gold, [prediction.names[0] for prediction in predictions], labels=LABELS)
    np.testing.assert_array_equal(table.to_numpy(), expected)


def test_confusions_of_many_labels_are_listed_worst_first() -> None:
    labels = tuple(f"intent {index:02}" for index in range(77))
    first, second = (LabelScores.best(labels, np.eye(77)[index]) for index in (0, 1))
    examples = [Example({}, "intent 01")] * 3 + [Example({}, "intent 00")] * 2
    tables = confusion_tables(labels, examples, [first, first, second, second, first])
    table = tables["most frequent confusions"]
    assert table.iloc[0].tolist() == ["intent 01", "intent 00", 2, pytest.approx(2 / 3)]
    assert table.iloc[1].tolist() == ["intent 00", "intent 01", 1, 0.5]


@pytest.mark.parametrize("several", [False, True])
def test_f1_of_each_label_equals_scikit_learns_alone_and_joined(several: bool) -> None:
    examples, predictions = random_sets(3) if several else random_rows(3)
    gold, given, _ = flags(examples, predictions)
    expected = dict(zip(LABELS, peer.f1_score(gold, given, average=None, zero_division=np.nan), strict=True))
    own = label_metrics(LABELS, multi=several)
    assert own.scored(examples, predictions).classes == pytest.approx(expected, nan_ok=True)
    if not several:
        both = joined("macro_f1", ordinal_metrics(LABELS), own)
        assert both.scored(examples, predictions).classes == pytest.approx(expected, nan_ok=True)
        assert ordinal_metrics(LABELS).scored(examples, predictions).classes == {}
