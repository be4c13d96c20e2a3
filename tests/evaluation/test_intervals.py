"""Intervals: they cover as often as they say, and resampling is what it claims to be."""

from __future__ import annotations

import numpy as np
import pytest

from nbtune.evaluation.intervals import Score, group_sums, resample, score
from nbtune.evaluation.paired import Counted, difference
from nbtune.tasks.metrics import Metric, mean

ACCURACY = Metric("accuracy", mean(0, 1))


def tallies(right: np.ndarray) -> np.ndarray:
    return np.stack([right.astype(float), np.ones(len(right))], axis=1)


def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for trial in range(400):
        counts = tallies(random.random(200) < 0.8)
        found = score(ACCURACY, counts, resample(counts, 500, seed=trial))
        inside += found.low <= 0.8 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


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
def test_many_rows_and_few_rows_both_work(rows: int) -> None:
    counts = tallies(np.ones(rows))
    found = score(ACCURACY, counts, resample(counts, 50))
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
