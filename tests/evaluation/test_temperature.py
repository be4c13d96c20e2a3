"""The temperature that makes a model as sure as it is right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from nbtune.evaluation.temperature import SPAN, fit_temperature, log_loss


def drawn(temperature: float, units: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a model whose scores are `temperature` times too large, and labels drawn from the true ones."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (units, 4))
    gold = np.array([random.choice(4, p=row) for row in softmax(logits, axis=1)])
    return softmax(logits * temperature, axis=1), gold


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_factor_that_scores_are_too_large_by_is_found(temperature: float) -> None:
    probabilities, gold = drawn(temperature)
    assert fit_temperature(probabilities, gold) == pytest.approx(temperature, rel=0.05)


def test_unknown_labels_are_left_out() -> None:
    probabilities, gold = drawn(3.0)
    some = np.where(np.arange(len(gold)) % 2, gold, -1)
    assert fit_temperature(probabilities, some) == fit_temperature(probabilities[1::2], gold[1::2])
    assert fit_temperature(probabilities, np.full(len(gold), -1)) == 1.0


def test_a_model_that_is_always_right_and_sure_stays_within_the_span() -> None:
    sure = np.eye(3)[np.zeros(50, dtype=int)]
    found = fit_temperature(sure, np.zeros(50, dtype=np.int64))
    assert SPAN[0] <= found <= SPAN[1]


def test_a_model_that_is_sure_and_wrong_is_cooled_without_overflow() -> None:
    wrong = np.eye(3)[np.ones(50, dtype=int)]
    assert fit_temperature(wrong, np.zeros(50, dtype=np.int64)) == pytest.approx(SPAN[1], rel=0.01)


def test_log_loss_equals_that_of_scipys_softmax() -> None:
    random = np.random.default_rng(1)
    logits, gold = random.normal(0, 30, (200, 5)), random.integers(0, 5, 200)
    assert log_loss(logits, gold) == pytest.approx(-log_softmax(logits, axis=1)[np.arange(200), gold].mean())
