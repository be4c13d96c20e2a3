"""Cheap rivals for tasks with one answer a text. A result that does not beat them has learned nothing.

scikit-learn is imported when a baseline runs. Both give the same answer each time.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.metrics import Floats
from nbtune.tasks.task import Baseline
from nbtune.values import Example, Inventory

Kind = Literal["single", "multi", "number"]
"""One label a row, any number of labels, or a number; as in `SequenceHead`."""

MOST_ROWS = 20_000
MOST_ANSWERS = 400_000
"""Rows times labels that a linear model learns from, at most: a fit takes time with both, and 20 seconds are enough."""
MOST_TERMS = 50_000


def majority(inventory: Inventory, kind: Kind = "single") -> Baseline:
    """Always the same answer: the commonest label, every label that most rows have, or the mean.

    Gives `LabelScores` whose probabilities are the labels' shares of the training rows, or a float.
    """
    labels = inventory.labels

    def predict(train: Sequence[Example], examples: Sequence[Example]) -> Sequence[Any]:
        if kind == "number":
            return [float(np.mean([example.target for example in train]))] * len(examples)
        shares = _gold(labels, train).mean(0)
        return [_decide(labels, shares, kind)] * len(examples)

    return Baseline("mean" if kind == "number" else "majority", predict)


def tfidf_logistic(inventory: Inventory, kind: Kind = "single") -> Baseline:
    """A linear model on TF-IDF of words and word pairs (of characters where a language writes no spaces).

    Logistic regression, one a label with balanced classes for `multi`; ridge regression for numbers. Learns from at
    most 20,000 rows, fewer with more than 20 labels; the name says so where there are more. Reads `inputs["text"]` and,
    where present, `["text_pair"]`.
    """
    model = "ridge regression" if kind == "number" else "logistic regression"
    most = min(MOST_ROWS, MOST_ANSWERS // max(1, len(inventory.labels)))
    cut = f" ({most:,} rows)" if inventory.facts.get("rows", 0) > most else ""

    def predict(train: Sequence[Example], examples: Sequence[Example]) -> Sequence[Any]:
        known = _sample(train, most)
        matrix, asked = _terms(known, examples)
        if kind == "number":
            return _ridge(matrix, known, asked)
        fit = _one_by_one if kind == "multi" else _all_at_once
        scores = fit(matrix, _gold(inventory.labels, known), asked)
        return [_decide(inventory.labels, row, kind) for row in scores]

    return Baseline(f"TF-IDF + {model}{cut}", predict)


def _decide(labels: tuple[str, ...], probabilities: Floats, kind: Kind) -> LabelScores:
    decide = LabelScores.above if kind == "multi" else LabelScores.best
    return decide(labels, probabilities)


def _sample(train: Sequence[Example], most: int) -> Sequence[Example]:
    if len(train) <= most:
        return train
    return [train[index] for index in sorted(random.Random(0).sample(range(len(train)), most))]


def _gold(labels: tuple[str, ...], examples: Sequence[Example]) -> Floats:
    """1 where a row has a label, shape [rows, labels]."""
    index = {label: position for position, label in enumerate(labels)}
    gold = np.zeros((len(examples), len(labels)))
    for row, example in enumerate(examples):
        for name in [example.target] if isinstance(example.target, str) else example.target:
            if name in index:
                gold[row, index[name]] = 1
    return gold


def _terms(train: Sequence[Example], examples: Sequence[Example]) -> tuple[Any, Any]:
    """Sparse TF-IDF matrices of both; for pairs, both sides and the terms they share."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    first = [example.inputs["text"] for example in train]
    paired = any(example.inputs.get("text_pair") for example in train)
    second = [example.inputs.get("text_pair") or "" for example in train] if paired else []
    form: dict[str, Any] = (
        {"analyzer": "char", "ngram_range": (1, 3)}
        if _without_spaces(first)
        else {"ngram_range": (1, 2), "token_pattern": r"(?u)\w+|[^\w\s]"}
    )
    vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=MOST_TERMS, **form).fit(first + second)

    def transform(rows: Sequence[Example]) -> Any:
        left = vectorizer.transform([example.inputs["text"] for example in rows])
        if not paired:
            return left
        right = vectorizer.transform([example.inputs.get("text_pair") or "" for example in rows])
        return hstack([left, right, left.multiply(right)]).tocsr()

    return transform(train), transform(examples)


def _without_spaces(texts: Sequence[str]) -> bool:
    """Whether the texts are written without spaces between words (Chinese, Japanese, Thai)."""
    seen = "".join(texts[:200])
    return len(seen) / (1 + len(re.findall(r"\s+", seen)) + len(texts[:200])) > 15


def _all_at_once(matrix: Any, gold: Floats, asked: Any) -> Floats:
    """Probabilities of shape [asked rows, labels] that sum to 1."""
    from sklearn.linear_model import LogisticRegression

    which = gold.argmax(1)
    scores = np.zeros((asked.shape[0], gold.shape[1]))
    if len(set(which)) < 2:
        scores[:, which[0]] = 1
        return scores
    # with short texts most terms are rare: C = 10 trusts them more than scikit-learn's default of 1
    model = LogisticRegression(C=10, max_iter=200, random_state=0)
    with _unconcerned():
        model.fit(matrix, which)
    scores[:, model.classes_] = model.predict_proba(asked)
    return scores


def _one_by_one(matrix: Any, gold: Floats, asked: Any) -> Floats:
    """A probability for each label of its own, shape [asked rows, labels]."""
    from sklearn.linear_model import LogisticRegression

    scores = np.tile(gold.mean(0), (asked.shape[0], 1))
    for column in range(gold.shape[1]):
        if 0 < gold[:, column].sum() < len(gold):
            # balanced, or rare labels would never reach a half
            model = LogisticRegression(C=10, max_iter=200, random_state=0, class_weight="balanced")
            with _unconcerned():
                model.fit(matrix, gold[:, column])
            scores[:, column] = model.predict_proba(asked)[:, 1]
    return scores


def _ridge(matrix: Any, train: Sequence[Example], asked: Any) -> list[float]:
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=1.0, random_state=0).fit(matrix, [float(example.target) for example in train])
    return [float(value) for value in model.predict(asked)]


def _unconcerned() -> Any:
    """Silence the warning that the last digits of a fit were not reached."""
    import warnings

    return warnings.catch_warnings(action="ignore")
