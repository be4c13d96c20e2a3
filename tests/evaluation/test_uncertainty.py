"""Measures of uncertainty against their formulas, and choices that lie apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy

from nbtune.evaluation.uncertainty import spread_out, uncertainty
from nbtune.tasks.judging import Judgement


def judgement(*odds: list[float]) -> Judgement:
    return Judgement(np.array(odds), np.full(len(odds), -1))


def test_measures_are_their_formulas() -> None:
    odds = [0.5, 0.3, 0.2]
    assert uncertainty(judgement(odds), "margin") == pytest.approx(1 - 0.2)
    assert uncertainty(judgement(odds), "confidence") == pytest.approx(0.5)
    assert uncertainty(judgement(odds), "entropy") == pytest.approx(entropy(odds) / np.log(3))


@pytest.mark.parametrize("by", ["margin", "entropy", "confidence"])
def test_a_sure_model_is_at_0_and_less_sure_is_more(by: str) -> None:
    rising = [uncertainty(judgement([p, 1 - p]), by) for p in (1.0, 0.9, 0.7, 0.5)]  # type: ignore[arg-type]
    assert rising[0] == pytest.approx(0)
    assert rising == sorted(rising)


def test_texts_of_several_units_are_measured_by_the_worst_or_the_mean() -> None:
    two = judgement([0.9, 0.1], [0.6, 0.4])
    assert uncertainty(two, "margin", "worst") == pytest.approx(0.8)
    assert uncertainty(two, "margin", "mean") == pytest.approx(0.5)
    assert uncertainty(Judgement(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))) == 0


def test_one_of_each_heap_is_chosen_and_the_heaviest_counts() -> None:
    draw = np.random.default_rng(0)
    centres = np.eye(6)[:4] * 10
    vectors = np.concatenate([centre + draw.normal(0, 0.1, (25, 6)) for centre in centres])
    chosen = spread_out(vectors, np.ones(100), 4)
    assert sorted(place // 25 for place in chosen.tolist()) == [0, 1, 2, 3]
    assert np.array_equal(chosen, spread_out(vectors, np.ones(100), 4))


def test_equal_vectors_still_give_so_many_different_places() -> None:
    chosen = spread_out(np.ones((20, 3)), np.linspace(0, 1, 20), 5)
    assert len(set(chosen.tolist())) == 5
    assert spread_out(np.ones((3, 2)), np.ones(3), 5).tolist() == [0, 1, 2]
