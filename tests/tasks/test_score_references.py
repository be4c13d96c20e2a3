"""Scores of generated answers equal scikit-learn's and SciPy's where data are at their worst: ties, absent labels,
labels that training never showed, one row."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as peer

from nbtune.api import Example, LabelScores, label_metrics, number_metrics, ordinal_metrics

LABELS = tuple("abcdefgh")
MANY = range(60)


def tied(random: np.random.Generator, rows: int, columns: int = len(LABELS)) -> np.ndarray:
    """Probabilities in quarters: nearly every row holds ties, also for the first place."""
    return random.integers(0, 4, (rows, columns)) / 4


@pytest.mark.parametrize("seed", MANY)
def test_one_label_a_row(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.choice([1, 2, 5, 40]))
    names = np.array([*LABELS, "never seen"])  # the model does not know the last one
    gold = names[random.choice(9, rows, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0, 0.1])]
    scores = tied(random, rows)
    scores[:, 5:] /= 5  # some labels are hardly ever, or never, the answer
    predictions = [LabelScores.best(LABELS, row) for row in scores]
    given = [prediction.names[0] for prediction in predictions]
    found = label_metrics(LABELS).scores([Example({}, str(name)) for name in gold], predictions)
    known = gold != "never seen"
    flags = gold[:, None] == np.array(LABELS)
    both = flags.any(0) & ~flags.all(0)
    with warnings.catch_warnings(action="ignore"):
        expected = {
            "accuracy": peer.accuracy_score(gold, given),
            "micro_f1": peer.f1_score(gold, given, average="micro", labels=names),
            **{
                f"macro_{name}": score(gold, given, average="macro", zero_division=0)
                for name, score in {
                    "f1": peer.f1_score,
                    "precision": peer.precision_score,
                    "recall": peer.recall_score,
                }.items()
            },
            "weighted_f1": peer.f1_score(gold, given, average="weighted", zero_division=0),
            # scikit-learn gives ties to the last column, so the columns are turned round; it knows no unknown labels
            "top3_accuracy": peer.top_k_accuracy_score(
                [7 - LABELS.index(name) for name in gold[known]], scores[known][:, ::-1], k=3, labels=range(8)
            )
            * known.mean()
            if known.any()
            else 0.0,
            "roc_auc": np.mean(peer.roc_auc_score(flags[:, both], scores[:, both], average=None))
            if both.any()
            else np.nan,
            "average_precision": np.mean(peer.average_precision_score(flags[:, both], scores[:, both], average=None))
            if both.any()
            else np.nan,
        }
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seed", MANY)
def test_any_number_of_labels_a_row(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.choice([1, 2, 5, 40]))
    gold = random.random((rows, 8)) < [0.5, 0.3, 0.3, 0.2, 0.1, 0.1, 0, 0]
    scores = tied(random, rows)
    scores[:, 6] /= 2  # never gold, never given
    examples = [Example({}, [LABELS[place] for place in np.flatnonzero(row)]) for row in gold]
    predictions = [LabelScores.above(LABELS, row) for row in scores]
    given = np.array([[place in prediction.chosen for place in range(8)] for prediction in predictions])
    found = label_metrics(LABELS, multi=True).scores(examples, predictions)
    seen = np.flatnonzero((gold | given).any(0))
    both, labelled = gold.any(0) & ~gold.all(0), gold.any(1)
    with warnings.catch_warnings(action="ignore"):
        expected = {
            "accuracy": peer.accuracy_score(gold, given),
            "subset_accuracy": peer.accuracy_score(gold, given),
            "hamming_loss": peer.hamming_loss(gold, given),
            "micro_f1": peer.f1_score(gold, given, average="micro", zero_division=0),
            "macro_f1": peer.f1_score(gold, given, average="macro", labels=seen, zero_division=0),
            "macro_precision": peer.precision_score(gold, given, average="macro", labels=seen, zero_division=0),
            "macro_recall": peer.recall_score(gold, given, average="macro", labels=seen, zero_division=0),
            "weighted_f1": peer.f1_score(gold, given, average="weighted", zero_division=0) if gold.any() else np.nan,
            "label_ranking_precision": peer.label_ranking_average_precision_score(gold[labelled], scores[labelled])
            if labelled.any()
            else np.nan,
            "roc_auc": peer.roc_auc_score(gold[:, both], scores[:, both], average="macro") if both.any() else np.nan,
            "average_precision": peer.average_precision_score(gold[:, both], scores[:, both], average="macro")
            if both.any()
            else np.nan,
        }
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seed", MANY)
def test_labels_on_a_scale(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.choice([1, 2, 5, 40]))
    scale = LABELS[:5]
    gold = random.integers(0, 6, rows)  # 5 is off the scale
    scores = tied(random, rows, 5)
    predictions = [LabelScores.best(scale, row) for row in scores]
    given = scores.argmax(axis=1)
    found = ordinal_metrics(scale).scores([Example({}, (*scale, "other")[place]) for place in gold], predictions)
    on = gold < 5
    if not on.any():
        assert all(np.isnan(value) for value in found.values())
        return
    with warnings.catch_warnings(action="ignore"):
        expected = {
            "quadratic_kappa": peer.cohen_kappa_score(gold[on], given[on], weights="quadratic", labels=range(5)),
            "mae": peer.mean_absolute_error(gold[on], given[on]),
            "within_one": np.mean(abs(gold - given)[on] <= 1),
        }
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seed", MANY)
def test_numbers(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.choice([2, 3, 5, 40]))
    center = float(random.choice([0, 3, 1e4]))
    gold = center + random.integers(-3, 4, rows)  # ties
    given = gold + random.integers(-2, 3, rows) / 2
    found = number_metrics(center).scores([Example({}, float(value)) for value in gold], [float(v) for v in given])
    constant = np.ptp(gold) == 0 or np.ptp(given) == 0
    expected = {
        "mae": peer.mean_absolute_error(gold, given),
        "rmse": peer.root_mean_squared_error(gold, given),
        "pearson": np.nan if constant else stats.pearsonr(gold, given).statistic,
        "spearman": np.nan if constant else stats.spearmanr(gold, given).statistic,
    }
    assert found == pytest.approx(expected, nan_ok=True)


def test_one_number_has_an_error_and_no_correlation() -> None:
    found = number_metrics().scores([Example({}, 2.0)], [2.5])
    assert (found["mae"], found["rmse"]) == (0.5, 0.5)
    assert np.isnan([found["pearson"], found["spearman"]]).all()


def test_the_report_names_what_it_does_with_ties_absent_and_unknown_labels() -> None:
    single, multi = label_metrics(LABELS), label_metrics(LABELS, multi=True)
    assert "first in order is the answer" in single["accuracy"].convention
    assert "first in order count" in single["top3_accuracy"].convention
    assert "ties count half" in single["roc_auc"].convention
    assert "ties enter together" in single["average_precision"].convention
    assert "ties rank last" in multi["label_ranking_precision"].convention
    for name in ("macro_f1", "macro_precision", "macro_recall"):
        assert "0 where undefined" in single[name].convention
        assert "training never showed are one more, never right" in single[name].convention
    assert "outside of the scale are left out" in ordinal_metrics(LABELS)["quadratic_kappa"].convention
    assert "undefined where either side is constant" in number_metrics()["pearson"].convention
