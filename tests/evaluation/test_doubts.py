"""Planted wrong labels come first, by confident learning, for one label, several labels and tokens."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
from cleanlab.rank import get_label_quality_scores
from cleanlab.token_classification.filter import find_label_issues as find_token_issues

from nbtune.evaluation.doubts import doubts
from nbtune.tasks.judging import UNKNOWN, Judgement

RANDOM = np.random.default_rng(0)


def odds_of(truth: np.ndarray, labels: int) -> np.ndarray:  # type: ignore[type-arg]
    """Probabilities of a fair but unsure model."""
    logits = RANDOM.normal(size=(len(truth), labels))
    logits[np.arange(len(truth)), truth] += 3
    odds = np.exp(logits)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def with_errors(truth: np.ndarray, labels: int, count: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    given = truth.copy()
    wrong = RANDOM.choice(len(truth), count, replace=False)
    given[wrong] = (given[wrong] + RANDOM.integers(1, labels, count)) % labels
    return given, wrong


def first(fits: np.ndarray, wrong: np.ndarray, count: int) -> set[int]:  # type: ignore[type-arg]
    return set(np.lexsort((fits, ~wrong))[:count].tolist())


@pytest.mark.parametrize("ranking", ["self_confidence", "normalized_margin"])
def test_wrong_labels_come_first_and_scores_are_those_of_cleanlab(ranking: str) -> None:
    truth = RANDOM.integers(0, 4, 400)
    given, planted = with_errors(truth, 4, 20)
    odds = odds_of(truth, 4)
    judgements = [Judgement(row[None], np.array([label])) for row, label in zip(odds, given, strict=True)]
    fits, wrong = doubts(judgements, ranking)  # type: ignore[arg-type]
    scores, doubted = np.concatenate(fits), np.concatenate(wrong)
    np.testing.assert_allclose(scores, get_label_quality_scores(given, odds, method=ranking))
    np.testing.assert_array_equal(doubted, find_label_issues(given, odds, n_jobs=1))
    assert len(first(scores, doubted, 20) & set(planted.tolist())) >= 14


def test_rows_without_a_known_label_have_no_score_and_disturb_no_other() -> None:
    truth = RANDOM.integers(0, 3, 100)
    odds = odds_of(truth, 3)
    judgements = [Judgement(row[None], np.array([label])) for row, label in zip(odds, truth, strict=True)]
    unknown = Judgement(odds[:1], np.array([UNKNOWN]))
    fits, wrong = doubts([unknown, *judgements], "self_confidence")
    assert np.isnan(fits[0]).all()
    assert not wrong[0].any()
    alone, _ = doubts(judgements, "self_confidence")
    np.testing.assert_allclose(np.concatenate(fits[1:]), np.concatenate(alone))
    assert doubts([unknown], "self_confidence")[1] == [np.array([False])]


def test_labels_that_no_row_has_are_no_trouble() -> None:
    truth = RANDOM.integers(0, 2, 60)
    judgements = [Judgement(row[None], np.array([label])) for row, label in zip(odds_of(truth, 5), truth, strict=True)]
    fits, _ = doubts(judgements, "self_confidence")
    assert len(np.concatenate(fits)) == 60


@pytest.mark.parametrize("apart", [False, True])
def test_where_all_rows_have_one_label_there_is_a_score_and_no_doubt(apart: bool) -> None:
    odds = odds_of(np.ones(20, dtype=np.int64), 2)
    fits, wrong = doubts([Judgement(row[None], np.array([1]), apart=apart) for row in odds], "self_confidence")
    np.testing.assert_allclose(np.concatenate(fits), odds[:, 1])
    assert not np.concatenate(wrong).any()


def test_of_several_labels_each_is_doubted_for_itself() -> None:
    truth = RANDOM.random((300, 4)) < 0.4
    given = truth.copy()
    planted = [(int(row), int(RANDOM.integers(0, 4))) for row in RANDOM.choice(300, 30, replace=False)]
    for row, label in planted:
        given[row, label] = ~given[row, label]
    yes = np.clip(np.where(truth, 0.85, 0.15) + RANDOM.normal(0, 0.12, truth.shape), 0.01, 0.99)
    judgements = [
        Judgement(np.stack((1 - row, row), axis=1), own.astype(np.int64), apart=True)
        for row, own in zip(yes, given, strict=True)
    ]
    fits, wrong = doubts(judgements, "self_confidence")
    assert fits[0].shape == wrong[0].shape == (4,)
    labels = [np.flatnonzero(own).tolist() for own in given]
    np.testing.assert_array_equal(np.stack(wrong), np.array(find_multilabel_issues_per_class(labels, yes, n_jobs=1)))
    np.testing.assert_allclose(np.stack(fits), get_label_quality_scores_per_class(labels, yes))
    ranked = first(np.concatenate(fits), np.concatenate(wrong), 30)
    assert len(ranked & {4 * row + label for row, label in planted}) >= 20


def test_tokens_are_doubted_where_they_stand_also_beside_unknown_ones_and_empty_texts() -> None:
    lengths = RANDOM.integers(3, 12, 120)
    truth = RANDOM.choice([0, 0, 0, 1, 2], int(lengths.sum()))
    given, planted = with_errors(truth, 3, 30)
    odds = odds_of(truth, 3)
    unknown = int(np.setdiff1d(np.arange(len(given)), planted)[0])
    given[unknown] = UNKNOWN
    ends = np.cumsum(lengths)[:-1]
    judgements = [Judgement(o, g) for o, g in zip(np.split(odds, ends), np.split(given, ends), strict=True)]
    empty = Judgement(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    fits, wrong = doubts([*judgements, empty], "self_confidence")
    assert [len(each) for each in fits] == [*lengths.tolist(), 0]
    scores, doubted = np.concatenate(fits), np.concatenate(wrong)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [unknown]
    np.testing.assert_allclose(np.delete(scores, unknown), np.delete(odds[np.arange(len(given)), given], unknown))
    kept = [each.given != UNKNOWN for each in judgements]
    theirs = find_token_issues(
        [each.given[mask].tolist() for each, mask in zip(judgements, kept, strict=True)],
        [each.probabilities[mask] for each, mask in zip(judgements, kept, strict=True)],
        n_jobs=1,
    )
    ours = {(place, token) for place, own in enumerate(wrong[:-1]) for token in np.flatnonzero(own[kept[place]])}
    assert ours == set(theirs)
    assert len(first(scores, doubted, 30) & set(planted.tolist())) >= 20
