"""The scorer of every contender. Not nbtune's own: seqeval and scikit-learn, over the whole test part."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from corpora import Corpus

HEADLINE: Mapping[str, str] = {"ner": "entity F1 (strict)", "classification": "accuracy", "sentiment": "accuracy"}


def score(corpus: Corpus, answers: Sequence[Any]) -> dict[str, float]:
    """Scores of one answer a test row: a list with a tag for each token, or a label.

    Raises:
        ValueError: a row, or a token of a row, has no answer.
    """
    if len(answers) != len(corpus.test):
        raise ValueError(f"{len(answers)} answers for {len(corpus.test)} test rows")
    if corpus.task == "ner":
        return _entities([row["tags"] for row in corpus.test], answers)
    return _labels([row["label"] for row in corpus.test], answers)


def _entities(gold: list[list[str]], found: Sequence[Sequence[str]]) -> dict[str, float]:
    """Strict: an I that follows nothing is no entity. The conlleval rule, seqeval's default, lets it open one."""
    from seqeval.metrics import f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2

    short = sum(len(wanted) != len(given) for wanted, given in zip(gold, found, strict=True))
    if short:
        raise ValueError(f"{short} sentences have more or fewer tags than tokens")
    answers = [list(tags) for tags in found]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a type that is never found has no precision
        return {
            "entity F1 (strict)": float(f1_score(gold, answers, mode="strict", scheme=IOB2)),
            "entity F1 (conlleval rule)": float(f1_score(gold, answers)),
            "precision (strict)": float(precision_score(gold, answers, mode="strict", scheme=IOB2)),
            "recall (strict)": float(recall_score(gold, answers, mode="strict", scheme=IOB2)),
        }


def _labels(gold: list[str], given: Sequence[str]) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score

    labels = sorted(set(gold))
    return {
        "accuracy": float(accuracy_score(gold, given)),
        "macro F1": float(f1_score(gold, given, labels=labels, average="macro", zero_division=0)),
    }
