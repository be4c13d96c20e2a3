"""A metric is a tally for each example and a formula over summed tallies."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from nbtune.errors import PluginError
from nbtune.tasks.metrics import Metric, MetricSet, WholeMetric, mean, ratio
from nbtune.values import Example

EXAMPLES = [Example({"text": str(number)}, target) for number, target in enumerate([1, 2, 3, 4])]


def hits(example: Example, prediction: int) -> list[float]:
    return [1, prediction == example.target, abs(prediction - example.target)]


def worst(examples: object, predictions: object) -> float:
    return max(abs(e.target - p) for e, p in zip(examples, predictions, strict=True))  # type: ignore[call-overload]


SCORES = MetricSet(
    ("rows", "hits", "error"),
    hits,
    (Metric("accuracy", mean(1, 0)), Metric("mae", mean(2, 0), higher_is_better=False), WholeMetric("worst", worst)),
    headline="accuracy",
)


def test_tallies_have_one_row_an_example_and_one_column_a_count() -> None:
    assert SCORES.tallies(EXAMPLES, [1, 2, 0, 0]).tolist() == [[1, 1, 0], [1, 1, 0], [1, 0, 3], [1, 0, 4]]


def test_scores_apply_formulas_to_sums_and_recompute_what_does_not_decompose() -> None:
    assert SCORES.scores(EXAMPLES, [1, 2, 0, 0]) == {"accuracy": 0.5, "mae": 7 / 4, "worst": 4}


def test_summed_parts_give_the_score_of_the_whole() -> None:
    tallies = SCORES.tallies(EXAMPLES, [1, 2, 0, 4])
    parts = np.stack([tallies[:1].sum(0), tallies[1:].sum(0)])
    accuracy = SCORES["accuracy"]
    assert isinstance(accuracy, Metric)
    assert accuracy.formula(parts.sum(0)) == pytest.approx(0.75)
    assert accuracy.formula(parts).tolist() == pytest.approx([1, 2 / 3])
    assert accuracy.formula(np.stack([parts, parts[::-1]])).shape == (2, 2)


def test_no_examples_give_an_undefined_score_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    only = dataclasses.replace(SCORES, metrics=SCORES.metrics[:2])
    assert all(math.isnan(value) for value in only.scores([], []).values())
    assert len(recwarn) == 0


def test_a_tally_of_another_size_is_the_plugins_fault() -> None:
    short = dataclasses.replace(SCORES, tally=lambda *_: [1, 2])
    with pytest.raises(PluginError, match=r"tally gave 2 counts for 3 columns \(rows, hits, error"):
        short.scores(EXAMPLES, [0] * 4)


def test_predictions_missing_for_some_examples_are_not_passed_over() -> None:
    with pytest.raises(ValueError, match="zip"):
        SCORES.scores(EXAMPLES, [1, 2])


def test_the_headline_must_be_one_of_the_metrics() -> None:
    with pytest.raises(PluginError, match=r"headline metric 'f1' is not among \['accuracy', 'mae', 'worst'\]"):
        dataclasses.replace(SCORES, headline="f1")


def test_two_metrics_may_not_share_a_name() -> None:
    with pytest.raises(PluginError, match="two metrics share a name"):
        dataclasses.replace(SCORES, metrics=(*SCORES.metrics, Metric("mae", mean(1, 0))))


def test_an_unknown_metric_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        SCORES["f1"]


@pytest.mark.parametrize(
    ("new", "old", "wins"),
    [
        (0.6, 0.5, True),
        (0.5, 0.5, False),  # the earlier checkpoint stays
        (0.4, 0.5, False),
        (0.1, None, True),
        (0.1, math.nan, True),
        (math.nan, 0.5, False),
        (math.nan, math.nan, False),
        (math.nan, None, True),  # some checkpoint must be kept
    ],
)
def test_the_better_of_two_scores(new: float, old: float | None, wins: bool) -> None:
    assert SCORES.better({"accuracy": new}, None if old is None else {"accuracy": old}) is wins


def test_lower_is_better_where_the_headline_says_so() -> None:
    error = dataclasses.replace(SCORES, headline="mae")
    assert error.better({"mae": 1.0}, {"mae": 2.0})
    assert not error.better({"mae": 2.0}, {"mae": 1.0})


def test_a_ratio_over_nothing_is_its_convention() -> None:
    counts, totals = np.array([[1.0, 0.0], [3.0, 2.0]]), np.array([[2.0, 0.0], [4.0, 0.0]])
    assert ratio(counts, totals).tolist() == [[0.5, 0], [0.75, 0]]
    assert ratio(counts, totals, empty=1.0).tolist() == [[0.5, 1], [0.75, 1]]
    assert np.isnan(ratio(np.array(1.0), np.array(0.0), empty=np.nan))


def test_a_ratio_spreads_over_leading_dimensions() -> None:
    assert ratio(np.ones((2, 3)), np.array(4.0)).tolist() == [[0.25] * 3] * 2
