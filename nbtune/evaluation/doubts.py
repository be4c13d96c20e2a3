"""Which labels are likely wrong, by confident learning (Northcutt et al., 2021) on what a model says of each."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.tasks.judging import UNKNOWN, Judgement, Places
from nbtune.tasks.metrics import Floats

Ranking: TypeAlias = Literal["self_confidence", "normalized_margin"]
"""How well a label fits: its probability, or by how much it beats the next best, brought to 0 to 1."""

Doubts: TypeAlias = tuple[list[Floats], list[NDArray[np.bool_]]]
"""For each example, of each unit: how well its label fits, from 0 to 1 (NaN where it has none), and whether it is
taken for wrong."""


def doubts(judgements: Sequence[Judgement], ranking: Ranking) -> Doubts:
    """How well the given labels fit, and which cleanlab takes for wrong.

    Texts with several labels are one question a label, as in `cleanlab.multilabel_classification`; words are taken
    together over all texts, as in `cleanlab.token_classification`.
    """
    fits = [np.full(len(each.given), np.nan) for each in judgements]
    wrong = [np.zeros(len(each.given), dtype=bool) for each in judgements]
    if any(each.apart for each in judgements):
        labels = np.stack([each.given for each in judgements])
        odds = np.stack([each.probabilities for each in judgements])
        columns = [_doubts(labels[:, label], odds[:, label], ranking) for label in range(labels.shape[1])]
        return list(np.stack([fit for fit, _ in columns], axis=1)), list(np.stack([own for _, own in columns], axis=1))
    known = [each.given != UNKNOWN for each in judgements]
    if not any(mask.any() for mask in known):
        return fits, wrong
    labels = np.concatenate([each.given[mask] for each, mask in zip(judgements, known, strict=True)])
    odds = np.concatenate([each.probabilities[mask] for each, mask in zip(judgements, known, strict=True)])
    ends = np.cumsum([mask.sum() for mask in known])[:-1]
    found = [np.split(table, ends) for table in _doubts(labels, odds, ranking)]
    for place, (mask, fit, doubted) in enumerate(zip(known, *found, strict=True)):
        fits[place][mask], wrong[place][mask] = fit, doubted
    return fits, wrong


def _doubts(labels: Places, odds: Floats, ranking: Ranking) -> tuple[Floats, NDArray[np.bool_]]:
    """Of labels, shape [units], with their probabilities, shape [units, labels]."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without examples
        fits = get_label_quality_scores(labels, odds, method=ranking)
        if len(np.unique(labels)) < 2:  # nothing to confuse it with
            return fits, np.zeros(len(labels), dtype=bool)
        return fits, find_label_issues(labels, odds, n_jobs=1)  # processes would each load torch
