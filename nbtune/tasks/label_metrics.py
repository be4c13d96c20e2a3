"""Scores of predictions over named labels: one label a row, or any number of them.

No torch here. `label_metrics` gives the whole set; `joined` puts sets together, so that a task adds its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.tasks.metrics import Floats, Metric, MetricSet, WholeMetric, mean, ratio
from nbtune.tasks.ranking import Ranking
from nbtune.values import Example

Score: TypeAlias = Callable[[Floats, Floats, Floats], Floats]
"""A score per label from how often it was right, predicted and gold."""

SEEN = (
    "over the labels that occur in gold or prediction; 0 where undefined (scikit-learn's default); gold labels that "
    "training never showed are one more, never right"
)
TIES = "of equally probable labels, the first in order is the answer"
WITH_LABELS = "mean over the rows that have a label (scikit-learn counts a row without any as 1); ties rank last"
RANKED = "macro over one label against the rest; labels without both a positive and a negative row are left out"


@dataclass(frozen=True, eq=False)
class LabelScores:
    """A prediction over labels.

    `probabilities` has shape [labels], in the order of `labels`; they sum to 1 unless `multi`. `chosen` holds
    the positions of the labels decided for: exactly one unless `multi`.
    """

    labels: tuple[str, ...]
    probabilities: Floats
    chosen: tuple[int, ...]
    multi: bool = False

    @classmethod
    def best(cls, labels: tuple[str, ...], probabilities: Floats) -> LabelScores:
        """The prediction that decides for the most probable label."""
        return cls(labels, probabilities, (int(np.argmax(probabilities)),))

    @classmethod
    def above(cls, labels: tuple[str, ...], probabilities: Floats, thresholds: Floats | float = 0.5) -> LabelScores:
        """The prediction that decides for every label whose probability reaches its threshold."""
        chosen = np.flatnonzero(probabilities >= thresholds)
        return cls(labels, probabilities, tuple(int(index) for index in chosen), multi=True)

    @property
    def names(self) -> list[str]:
        """The labels decided for."""
        return [self.labels[index] for index in self.chosen]

    def top(self, count: int) -> list[tuple[str, float]]:
        """The most probable labels with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.labels[index], float(self.probabilities[index])) for index in order]


BASE = ("rows", "all right", "in top 3", "ranking", "rows with a known label")
"""What a tally counts before its labels."""


@dataclass(frozen=True)
class _Counts:
    """What is counted an example: `BASE`, then per label how often it was right, predicted and gold. Gold labels that
    the model does not know share one more place at the end, where nothing is ever right."""

    labels: tuple[str, ...]

    @cached_property
    def index(self) -> dict[str, int]:
        return {label: position for position, label in enumerate(self.labels)}

    @property
    def columns(self) -> tuple[str, ...]:
        names = (*self.labels, "(unknown)")
        per_label = (f"{kind}:{name}" for kind in ("right", "predicted", "gold") for name in names)
        return (*BASE, *per_label)

    def tally(self, example: Example, prediction: LabelScores) -> Floats:
        places = len(self.labels) + 1
        counts = np.zeros(len(BASE) + 3 * places)
        right, predicted, gold = counts[len(BASE) :].reshape(3, places)  # views
        gold[self.positions(example.target)] = 1
        predicted[list(prediction.chosen)] = 1
        right[:-1] = gold[:-1] * predicted[:-1]
        best = np.argsort(-prediction.probabilities, kind="stable")[:3]
        known = gold[:-1] > 0
        ranking = _row_ranking(known, prediction.probabilities) if known.any() else 0.0
        counts[: len(BASE)] = 1, (gold == predicted).all(), gold[best].any(), ranking, known.any()
        return counts

    def positions(self, target: str | Sequence[str]) -> list[int]:
        """The places of the gold labels; labels the model does not know are in the last."""
        names = [target] if isinstance(target, str) else target
        return [self.index.get(name, len(self.labels)) for name in names]

    def f1_of_each(self, sums: Floats) -> dict[str, float]:
        """F1 of each label the model knows; NaN where it occurs neither in gold nor in prediction."""
        right, predicted, gold = self.split(sums)
        values = ratio(2 * right, predicted + gold, empty=np.nan)
        return dict(zip(self.labels, values.tolist()[:-1], strict=True))

    def split(self, sums: Floats) -> tuple[Floats, Floats, Floats]:
        """right, predicted and gold of summed tallies, each of shape [..., labels + 1]."""
        right, predicted, gold = np.split(sums[..., len(BASE) :], 3, axis=-1)
        return right, predicted, gold


def label_metrics(labels: tuple[str, ...], *, multi: bool = False) -> MetricSet:
    """Accuracy, F1, precision and recall over labels, ROC AUC and average precision, for `LabelScores`.

    With `multi`, also label ranking precision, Hamming loss and subset accuracy; otherwise, with more than 5 labels,
    top-3 accuracy. A gold label that was not in training counts as one more label that is never predicted.
    """
    counts = _Counts(labels)

    def macro(score: Score) -> Callable[[Floats], Floats]:
        def formula(sums: Floats) -> Floats:
            right, predicted, gold = counts.split(sums)
            seen = (predicted + gold) > 0
            return ratio((score(right, predicted, gold) * seen).sum(-1), seen.sum(-1), empty=np.nan)

        return formula

    def micro_f1(sums: Floats) -> Floats:
        right, predicted, gold = counts.split(sums)
        return ratio(2 * right.sum(-1), predicted.sum(-1) + gold.sum(-1), empty=np.nan)

    def weighted_f1(sums: Floats) -> Floats:
        right, predicted, gold = counts.split(sums)
        return ratio((f1(right, predicted, gold) * gold).sum(-1), gold.sum(-1), empty=np.nan)

    def hamming_loss(sums: Floats) -> Floats:
        right, predicted, gold = counts.split(sums)
        wrong = (predicted + gold - 2 * right).sum(-1)
        return ratio(wrong, sums[..., 0] * len(labels), empty=np.nan)

    subset = "a row is right if all its labels are, and none is added" if multi else TIES
    metrics: list[Metric | WholeMetric] = [
        Metric("macro_f1", macro(f1), convention=SEEN),
        Metric("accuracy", mean(1, 0), convention=subset),
        Metric(
            "micro_f1",
            micro_f1,
            convention="over all labels of all rows; 0 where undefined"
            if multi
            else "equals accuracy where every row has one label",
        ),
        Metric("weighted_f1", weighted_f1, convention="F1 of each label (0 where undefined) weighted by its gold rows"),
        Metric("macro_precision", macro(precision), convention=SEEN),
        Metric("macro_recall", macro(recall), convention=SEEN),
    ]
    if multi:
        metrics.append(Metric("label_ranking_precision", mean(3, 4), convention=WITH_LABELS))
        metrics.append(Metric("subset_accuracy", mean(1, 0), convention="the same as accuracy"))
        over = "wrong and missing labels, over rows times labels known from training"
        metrics.append(Metric("hamming_loss", hamming_loss, higher_is_better=False, convention=over))
    elif len(labels) > 5:
        metrics.append(
            Metric("top3_accuracy", mean(2, 0), convention="of equally probable labels, the first in order count")
        )
    metrics.append(_ranked("average_precision", counts, Ranking.average_precision, ties="ties enter together"))
    metrics.append(_ranked("roc_auc", counts, Ranking.roc_auc, ties="ties count half"))
    return MetricSet(counts.columns, counts.tally, tuple(metrics), "macro_f1", "accuracy", counts.f1_of_each)


def joined(headline: str, *sets: MetricSet) -> MetricSet:
    """One set with the columns and metrics of all; each formula still sees its own columns only."""
    metrics: list[Metric | WholeMetric] = []
    start = 0
    for part in sets:
        own = slice(start, start + len(part.columns))
        metrics.extend(_shifted(metric, own) if isinstance(metric, Metric) else metric for metric in part.metrics)
        start = own.stop

    def tally(example: Example, prediction: Any) -> Floats:
        return np.concatenate([np.asarray(part.tally(example, prediction), np.float64) for part in sets])

    by_slice = next((part.by_slice for part in sets if part.by_slice), "")
    columns = tuple(name for part in sets for name in part.columns)
    return MetricSet(columns, tally, tuple(metrics), headline, by_slice, _classes_of(sets))


def _classes_of(sets: Sequence[MetricSet]) -> Callable[[Floats], Mapping[str, float]] | None:
    """The classes of the first set that has any, from the columns of all."""
    start = 0
    for part in sets:
        if part.classes is not None:
            own, classes = slice(start, start + len(part.columns)), part.classes
            return lambda sums: classes(sums[own])
        start += len(part.columns)
    return None


def precision(right: Floats, predicted: Floats, _gold: Floats) -> Floats:
    """Of what was predicted, the share that was right; 0 where nothing was."""
    return ratio(right, predicted)


def recall(right: Floats, _predicted: Floats, gold: Floats) -> Floats:
    """Of what is gold, the share that was found; 0 where nothing is."""
    return ratio(right, gold)


def f1(right: Floats, predicted: Floats, gold: Floats) -> Floats:
    """The harmonic mean of precision and recall; 0 where both are undefined."""
    return ratio(2 * right, predicted + gold)


def _row_ranking(gold: NDArray[np.bool_], probabilities: Floats) -> float:
    """Label ranking average precision of one row (Tsoumakas, Katakis and Vlahavas, 2010): for each gold label, the
    share of gold among the labels at least as probable."""
    at_least = probabilities[None, :] >= probabilities[gold][:, None]
    return float(np.mean(at_least[:, gold].sum(1) / at_least.sum(1)))


def _ranked(
    name: str, counts: _Counts, score: Callable[[Ranking, NDArray[np.int64]], Floats], *, ties: str
) -> WholeMetric:
    """The mean over labels of a score of how they rank the rows."""

    def over(examples: Sequence[Example], predictions: Sequence[LabelScores]) -> Callable[[NDArray[np.int64]], float]:
        gold = np.zeros((len(examples), len(counts.labels) + 1), dtype=bool)
        for row, example in enumerate(examples):
            gold[row, counts.positions(example.target)] = True
        probabilities = np.stack([prediction.probabilities for prediction in predictions])

        ranking = Ranking(gold[:, :-1], probabilities)

        def mean_of(rows: NDArray[np.int64]) -> float:
            each = score(ranking, rows)
            defined = each[~np.isnan(each)]
            return float(defined.mean()) if len(defined) else float("nan")

        return mean_of

    def compute(examples: Sequence[Example], predictions: Sequence[LabelScores]) -> float:
        return over(examples, predictions)(np.arange(len(examples))) if examples else float("nan")

    return WholeMetric(name, compute, convention=f"{RANKED}; {ties}", over=over)


def _shifted(metric: Metric, own: slice) -> Metric:
    return replace(metric, formula=lambda sums: metric.formula(sums[..., own]))
