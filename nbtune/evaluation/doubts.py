"""Which labels are likely wrong, by confident learning (Northcutt et al., 2021) on what a model says of each."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.tasks.judging import UNKNOWN, Judgement
from nbtune.tasks.metrics import Floats

Ranking: TypeAlias = Literal["self_confidence", "normalized_margin"]
"""How well a label fits: its probability, or by how much it beats the next best, brought to 0 to 1."""

Doubts: TypeAlias = tuple[list[Floats], list[NDArray[np.bool_]]]
"""For each example, of each unit: how well its label fits, from 0 to 1 (NaN where it has none), and whether it is
taken for wrong."""


def doubts(judgements: Sequence[Judgement], ranking: Ranking) -> Doubts:
    """How well the given labels fit, and which cleanlab takes for wrong."""
    fits = [np.full(len(each.given), np.nan) for each in judgements]
    wrong = [np.zeros(len(each.given), dtype=bool) for each in judgements]
    usable = [place for place, each in enumerate(judgements) if (each.given != UNKNOWN).any()]
    if not usable:
        return fits, wrong
    chosen = [judgements[place] for place in usable]
    known = [each.given != UNKNOWN for each in chosen]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without examples, and of its own imports
        if any(each.apart for each in chosen):
            found = _of_several_labels(chosen, ranking)
        elif all(len(each.given) == 1 for each in chosen):
            found = _of_one_label(chosen, ranking)
        else:
            found = _of_tokens(chosen, known, ranking)
    for place, mask, fit, doubted in zip(usable, known, *found, strict=True):
        fits[place][mask], wrong[place][mask] = fit, doubted
    return fits, wrong


def _of_one_label(judgements: Sequence[Judgement], ranking: Ranking) -> Doubts:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels = np.array([each.given[0] for each in judgements])
    odds = np.stack([each.probabilities[0] for each in judgements])
    fits = get_label_quality_scores(labels, odds, method=ranking, adjust_pred_probs=False)
    wrong = find_label_issues(labels, odds, n_jobs=1)  # processes would each load torch
    return list(fits[:, None]), list(wrong[:, None])


def _of_several_labels(judgements: Sequence[Judgement], ranking: Ranking) -> Doubts:
    """One question a label: whether the text has it."""
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class

    labels = [np.flatnonzero(each.given).tolist() for each in judgements]
    odds = np.stack([each.probabilities[:, 1] for each in judgements])
    fits = get_label_quality_scores_per_class(labels, odds, method=ranking, adjust_pred_probs=False)
    wrong: Any = find_multilabel_issues_per_class(labels, odds, n_jobs=1)
    return list(fits), list(np.stack(wrong, axis=1).astype(bool))


def _of_tokens(judgements: Sequence[Judgement], known: Sequence[NDArray[np.bool_]], ranking: Ranking) -> Doubts:
    from cleanlab.token_classification.filter import find_label_issues
    from cleanlab.token_classification.rank import get_label_quality_scores

    labels = [each.given[mask].tolist() for each, mask in zip(judgements, known, strict=True)]
    odds = [each.probabilities[mask] for each, mask in zip(judgements, known, strict=True)]
    _, each_token = get_label_quality_scores(labels, odds, token_score_method=ranking)
    wrong = [np.zeros(len(row), dtype=bool) for row in labels]
    for sentence, token in find_label_issues(labels, odds, n_jobs=1):
        wrong[sentence][token] = True
    return [np.asarray(scores, dtype=np.float64) for scores in each_token], wrong
