"""Scores of rankings equal scikit-learn's, also for samples drawn with replacement."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as peer

from nbtune.tasks.metrics import Floats
from nbtune.tasks.ranking import Ranking


def both(gold: NDArray[np.bool_], scores: Floats, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    ranking = Ranking(gold, scores)
    return ranking.roc_auc(rows), ranking.average_precision(rows)


@pytest.mark.parametrize("different", [4, 1000])  # with many ties, and next to none
def test_samples_are_ranked_as_scikit_learn_ranks_them(different: int) -> None:
    random = np.random.default_rng(3)
    gold = random.random((80, 4)) < 0.3
    scores = random.integers(0, different, size=(80, 4)) / different
    for rows in (np.arange(80), *(random.integers(0, 80, 80) for _ in range(20)), random.permutation(80)[:50]):
        area, precision = both(gold, scores, rows)
        np.testing.assert_allclose(area, peer.roc_auc_score(gold[rows], scores[rows], average=None))
        expected = peer.average_precision_score(gold[rows], scores[rows], average=None)
        np.testing.assert_allclose(precision, expected)


def test_labels_without_both_classes_have_no_score() -> None:
    gold = np.array([[True, False, True], [True, False, False]])
    scores = np.array([[0.2, 0.3, 0.9], [0.4, 0.1, 0.2]])
    for found in both(gold, scores, np.arange(2)):
        np.testing.assert_array_equal(np.isnan(found), [True, True, False])
    for found in both(gold, scores, np.array([1, 1])):
        assert np.isnan(found).all()


def test_a_score_that_is_no_number_leaves_its_label_without_one() -> None:
    gold = np.array([[True, True], [False, False], [True, False]])
    scores = np.array([[0.2, np.nan], [0.4, 0.1], [0.9, 0.3]])
    for found in both(gold, scores, np.arange(3)):
        np.testing.assert_array_equal(np.isnan(found), [False, True])
