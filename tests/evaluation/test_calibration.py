"""How sure a model says it is against how often it is right."""

from __future__ import annotations

import numpy as np
import pytest

from nbtune.evaluation.calibration import Calibration, calibration


def answers(confidences: list[float], rights: list[bool]) -> list[list[tuple[float, bool]]]:
    return [[pair] for pair in zip(confidences, rights, strict=True)]


def test_the_error_is_the_mean_gap_over_bins_weighted_by_their_answers() -> None:
    found = calibration(answers([0.95, 0.95, 0.95, 0.55], [True, True, False, True]))
    assert found is not None
    # 3 answers sure of 0.95 of which 2 are right, 1 answer sure of 0.55 that is right
    assert found.error.value == pytest.approx((abs(3 * 0.95 - 2) + abs(0.55 - 1)) / 4)
    assert found.brier.value == pytest.approx((2 * 0.05**2 + 0.95**2 + 0.45**2) / 4)
    assert [(each.count, round(each.right, 3)) for each in found.bins] == [(1, 1.0), (3, 0.667)]


def test_a_model_that_is_as_right_as_it_is_sure_has_a_small_error_and_an_overconfident_one_a_large_one() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 4000)
    honest = calibration(answers(sure.tolist(), (random.random(4000) < sure).tolist()))
    boastful = calibration(answers(np.full(4000, 0.99).tolist(), (random.random(4000) < 0.7).tolist()))
    assert honest is not None
    assert boastful is not None
    assert honest.error.value < 0.04
    assert boastful.error.low < 0.29 < boastful.error.high


def test_the_error_equals_that_of_an_independent_count() -> None:
    random = np.random.default_rng(1)
    sure, right = random.random(500), random.random(500) < 0.6
    edges = np.linspace(0, 1, 16)
    place = np.digitize(sure, edges[1:-1])
    expected = sum(
        abs(sure[place == each].mean() - right[place == each].mean()) * (place == each).mean() for each in set(place)
    )
    found = calibration(answers(sure.tolist(), right.tolist()))
    assert found is not None
    assert found.error.value == pytest.approx(expected)


def test_complete_confidence_is_in_the_last_bin() -> None:
    found = calibration(answers([1.0, 0.0], [True, False]))
    assert found is not None
    assert found.error.value == 0.0
    assert [each.confidence for each in found.bins] == [0.0, 1.0]


def test_answers_of_one_group_are_drawn_together() -> None:
    pairs = answers([0.9] * 40, [True, False] * 20)
    alone, grouped = calibration(pairs), calibration(pairs, [str(row % 2) for row in range(40)])
    assert alone is not None
    assert grouped is not None
    # the two groups are all right and all wrong: much less is known than of 40 single answers
    assert grouped.error.high - grouped.error.low > 1.5 * (alone.error.high - alone.error.low)


def test_without_answers_there_is_nothing_to_say() -> None:
    assert calibration([[], []]) is None
    assert calibration([]) is None


def test_it_comes_back_from_plain_values() -> None:
    found = calibration(answers([0.9, 0.4], [True, False]))
    assert found is not None
    assert Calibration.from_dict(found.to_dict()) == found
