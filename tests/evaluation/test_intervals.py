"""Intervals are those of their sources, and resampling is what it claims to be. Coverage is in test_coverage.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nbtune.evaluation import intervals
from nbtune.evaluation.intervals import Score, group_sums, interval, resample, rival_scores, score, scores
from nbtune.evaluation.paired import Counted, difference
from nbtune.tasks.metrics import Metric, MetricSet, WholeMetric, mean, ratio
from nbtune.values import Example

ACCURACY = Metric("accuracy", mean(0, 1))
F1 = Metric("f1", lambda sums: ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2]))


def tallies(right: np.ndarray) -> np.ndarray:
    return np.stack([right.astype(float), np.ones(len(right))], axis=1)


def test_resampling_draws_n_rows_with_replacement() -> None:
    sums = resample(tallies(np.ones(50)), 100)
    assert (sums[:, 1] == 50).all()
    assert np.array_equal(resample(tallies(np.ones(50)), 100), sums)


def test_a_paired_difference_is_tighter_than_two_intervals_apart() -> None:
    random = np.random.default_rng(1)
    easy = random.random(500) < 0.7
    ours, theirs = tallies(easy | (random.random(500) < 0.2)), tallies(easy)
    gap = difference(Counted(ACCURACY, ours), Counted(ACCURACY, theirs))
    assert 0 < gap.low < gap.value < gap.high
    alone = score(ACCURACY, ours, resample(ours))
    assert gap.high - gap.low < alone.high - alone.low


def test_examples_of_one_group_are_drawn_together() -> None:
    sums = group_sums(tallies(np.array([1, 0, 1, 1])), ["a", "a", "b", "b"])
    assert sums.tolist() == [[1, 2], [2, 2]]
    ungrouped = tallies(np.array([1, 0]))
    assert group_sums(ungrouped, [None, None]) is ungrouped


def test_a_score_formats_with_its_interval() -> None:
    assert f"{Score(0.5, 0.4, 0.6):.2f}" == "0.50 (0.40 to 0.60)"
    assert f"{Score(0.5):.2f}" == "0.50"


def test_an_undefined_score_has_no_interval() -> None:
    empty = np.zeros((3, 2))
    found = score(ACCURACY, empty, resample(empty, 10))
    assert np.isnan([found.value, found.low, found.high]).all()


@pytest.mark.parametrize("rows", [1, 2, 10_000])
def test_all_right_is_no_certainty(rows: int) -> None:
    """A bootstrap of nothing but right answers has no width; Wilson's interval says what so many rows can tell."""
    counts = tallies(np.ones(rows))
    found = score(ACCURACY, counts, resample(counts, 50))
    expected = stats.binomtest(rows, rows).proportion_ci(method="wilson")
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(expected.low)


@pytest.mark.parametrize("right", [0, 3, 170, 199])
def test_a_share_of_the_examples_has_wilsons_interval(right: int) -> None:
    counts = tallies(np.arange(200) < right)
    found = score(ACCURACY, counts, resample(counts, 50))
    expected = stats.binomtest(right, 200).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_rows_that_do_not_count_are_not_among_the_share() -> None:
    """Rows without a label have no ranking, sentences without entities no F1."""
    counts = np.concatenate([tallies(np.arange(40) < 30), np.zeros((60, 2))])
    found = score(ACCURACY, counts, resample(counts, 50))
    expected = stats.binomtest(30, 40).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    perfect = np.concatenate([np.tile([2.0, 2, 2], (10, 1)), np.zeros((90, 3))])
    assert score(F1, perfect, resample(perfect, 50)).low == pytest.approx(
        stats.binomtest(10, 10).proportion_ci(method="wilson").low
    )


def test_an_error_of_zero_is_no_share() -> None:
    counts = tallies(np.zeros(20))
    found = score(Metric("mae", mean(0, 1), higher_is_better=False), counts, resample(counts, 50))
    assert (found.low, found.high) == (0.0, 0.0)


def test_the_interval_is_that_of_scipy_apart_from_the_wider_quantiles() -> None:
    """BCa of the mean of skewed values, where it is far from the plain percentiles."""
    values = np.random.default_rng(4).exponential(size=80) ** 2
    counts = tallies(values)
    found = interval(ACCURACY.formula, counts, resample(counts, 20_000))
    level = 1 - 2 * stats.norm.cdf(np.sqrt(80 / 79) * stats.t.ppf(0.025, 79))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, confidence_level=level, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)
    plain = np.quantile(resample(counts, 20_000)[:, 0] / 80, [0.025, 0.975])
    assert found.high > 1.05 * plain[1]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_very_few_rows_have_the_interval_of_all_they_show(rows: int) -> None:
    counts = tallies(np.linspace(0.2, 0.7, rows))
    found = score(ACCURACY, counts, resample(counts, 500))
    assert (found.low, found.high) == pytest.approx((0.2, 0.7 if rows > 1 else 0.2))


def test_drawing_in_parts_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = tallies(np.arange(30) % 3)
    whole = resample(counts, 100)
    monkeypatch.setattr(intervals, "_CELLS", 70)
    assert np.array_equal(resample(counts, 100), whole)
    assert interval(ACCURACY.formula, counts, whole) == interval(ACCURACY.formula, counts, resample(counts, 100))


def test_a_rival_is_resampled_for_what_is_shown_of_it_alone() -> None:
    sampled: list[str] = []

    def share(name: str) -> WholeMetric:
        def over(examples: Sequence[Example], predictions: Sequence[str]) -> Callable[[NDArray[np.int64]], float]:
            sampled.append(name)
            right = np.array([one.target == other for one, other in zip(examples, predictions, strict=True)])
            return lambda rows: float(right[rows].mean())

        return WholeMetric(name, lambda e, p: over(e, p)(np.arange(len(e))), over=over)

    examples = [Example({}, "yes" if row % 3 else "no", row) for row in range(40)]
    metrics = MetricSet(("right", "n"), lambda e, p: (e.target == p, 1), (ACCURACY, share("first"), share("second")),
                        "first")  # fmt: skip
    given = (metrics, metrics.tallies(examples, ["yes"] * 40), examples, ["yes"] * 40)
    ours, theirs = scores(*given), rival_scores(*given)
    assert ours["first"] == theirs["first"]
    assert ours["accuracy"] == theirs["accuracy"]
    assert ours["second"].low < ours["second"].value == theirs["second"].value
    assert np.isnan(theirs["second"].low)
    assert sampled.count("second") == 3  # its value for each, and our interval
