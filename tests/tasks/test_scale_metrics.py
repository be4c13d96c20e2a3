"""Ordinal and numeric scores equal those of scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as peer

from nbtune.api import Example, LabelScores, number_metrics, ordinal_metrics

STARS = ("1", "2", "3", "4", "5")


@pytest.mark.parametrize("seed", range(5))
def test_ordinal_scores_equal_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    gold = random.integers(0, 4, size=50)  # five stars are never gold
    given = np.clip(gold + random.integers(-2, 3, size=50), 0, 4)
    examples = [Example({}, STARS[place]) for place in gold]
    predictions = [LabelScores.best(STARS, np.eye(5)[place]) for place in given]
    assert ordinal_metrics(STARS).scores(examples, predictions) == pytest.approx(
        {
            "quadratic_kappa": peer.cohen_kappa_score(gold, given, weights="quadratic", labels=range(5)),
            "mae": peer.mean_absolute_error(gold, given),
            "within_one": np.mean(abs(gold - given) <= 1),
        }
    )


def test_kappa_is_undefined_where_gold_and_prediction_are_one_constant() -> None:
    rows = [Example({}, "3")] * 4, [LabelScores.best(STARS, np.eye(5)[2])] * 4
    assert np.isnan(ordinal_metrics(STARS).scores(*rows)["quadratic_kappa"])


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (1e6, 1e-2), (-3.0, 50.0)])
def test_numeric_scores_equal_those_of_scipy(shift: float, spread: float) -> None:
    random = np.random.default_rng(8)
    gold = np.round(shift + spread * random.normal(size=60), 3)  # rounding makes ties
    given = gold + spread * random.normal(size=60)
    examples = [Example({}, float(value)) for value in gold]
    assert number_metrics(center=shift).scores(examples, [float(value) for value in given]) == pytest.approx(
        {
            "mae": peer.mean_absolute_error(gold, given),
            "rmse": peer.root_mean_squared_error(gold, given),
            "pearson": stats.pearsonr(gold, given).statistic,
            "spearman": stats.spearmanr(gold, given).statistic,
        },
        rel=1e-6,
    )


def test_correlations_with_a_constant_are_undefined() -> None:
    examples = [Example({}, value) for value in (0.1, 0.2, 0.7)]
    scores = number_metrics().scores(examples, [0.3, 0.3, 0.3])
    assert np.isnan(scores["pearson"])
    assert np.isnan(scores["spearman"])
    assert scores["mae"] == pytest.approx(0.7 / 3)
