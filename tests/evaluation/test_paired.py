"""Paired tests say what they claim: exact p-values are those of the textbook, and true nulls are rarely rejected."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nbtune.evaluation.paired import Counted, difference, holm, randomisation_test
from nbtune.tasks.metrics import Floats, Metric, mean, ratio

ACCURACY = Metric("accuracy", mean(0, 1))
F1 = Metric("f1", lambda sums: ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2]))


def answers(right: np.ndarray) -> Counted:
    return Counted(ACCURACY, np.stack([right.astype(float), np.ones(len(right))], axis=1))


def found(random: np.random.Generator, chance: float, rows: int = 150) -> Counted:
    gold = random.integers(0, 4, rows)
    right = random.binomial(gold, chance)
    return Counted(F1, np.stack([right, right + random.integers(0, 2, rows), gold], axis=1).astype(float))


@pytest.mark.parametrize(("better", "worse"), [(6, 0), (5, 1), (7, 3), (4, 4), (9, 4)])
def test_few_differences_give_the_exact_p_value_of_the_sign_test(better: int, worse: int) -> None:
    """For right and wrong answers, swapping is McNemar's exact test."""
    ours = np.array([True] * better + [False] * worse + [True] * 40 + [False] * 20)
    theirs = np.array([False] * better + [True] * worse + [True] * 40 + [False] * 20)
    expected = stats.binomtest(better, better + worse, 0.5).pvalue
    assert randomisation_test(answers(ours), answers(theirs)) == pytest.approx(expected)
    assert randomisation_test(answers(theirs), answers(ours)) == pytest.approx(expected)


def test_many_differences_come_close_to_the_exact_p_value() -> None:
    ours = np.array([True] * 40 + [False] * 22 + [True] * 300)
    theirs = ~ours
    theirs[62:] = True
    expected = stats.binomtest(40, 62, 0.5).pvalue
    assert randomisation_test(answers(ours), answers(theirs)) == pytest.approx(expected, abs=0.005)


def test_equal_answers_are_no_difference() -> None:
    same = answers(np.array([True, False, True]))
    assert randomisation_test(same, same) == 1.0
    gap = difference(same, same)
    assert (gap.value, gap.low, gap.high) == (0.0, 0.0, 0.0)


def test_contenders_that_are_alike_are_told_apart_about_one_time_in_twenty() -> None:
    """On a score that is no mean of examples."""
    random = np.random.default_rng(0)
    rejected = 0
    for trial in range(200):
        one, other = (found(random, 0.7) for _ in range(2))
        swap = random.random(len(one.tallies)) < 0.5  # one null hypothesis: who answered is a coin
        mixed = np.where(swap[:, None], one.tallies, other.tallies)
        rest = np.where(swap[:, None], other.tallies, one.tallies)
        rejected += randomisation_test(Counted(F1, mixed), Counted(F1, rest), rounds=400, seed=trial) < 0.05
    assert 2 <= rejected <= 20


def test_a_real_difference_is_found_and_its_interval_is_beside_zero() -> None:
    random = np.random.default_rng(1)
    strong, weak = found(random, 0.9), found(random, 0.6)
    assert randomisation_test(strong, weak) < 0.01
    gap = difference(strong, weak)
    assert 0 < gap.low < gap.value < gap.high


def test_contenders_may_count_in_columns_of_their_own_for_an_interval_only() -> None:
    ours = answers(np.array([True, False] * 30))
    wide = Metric("accuracy", lambda sums: ratio(sums[..., 0] + sums[..., 1], sums[..., 2]))
    halves: Floats = np.stack([np.tile([1.0, 0.0], 30), np.zeros(60), np.ones(60)], axis=1)
    assert difference(ours, Counted(wide, halves)).value == 0.0
    with pytest.raises(ValueError, match="different columns"):
        randomisation_test(ours, Counted(wide, halves))


def test_correction_for_many_comparisons_is_holms() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == [0.02]
    assert holm([]) == []
