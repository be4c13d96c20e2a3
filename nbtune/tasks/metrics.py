"""Metrics as a tally per example and a formula over the summed tallies.

Everything that needs many re-countings (bootstrap intervals, paired tests, slices, merging over batches) is
then one matrix product and one call of the formula, the same for every task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.errors import PluginError
from nbtune.values import Example

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A score that decomposes.

    `formula` takes summed tallies of shape [..., columns] and gives scores of shape [...]; it must work on any
    leading shape, and return NaN where the score is undefined (use `ratio`).
    """

    name: str
    formula: Callable[[Floats], Floats]
    higher_is_better: bool = True
    convention: str = ""


@dataclass(frozen=True)
class WholeMetric:
    """A score that does not decompose (ROC AUC): recomputed from all examples and predictions each time.

    `over`, where given, reads them once, and then gives the score of the examples at any positions (some more than
    once), so that an interval costs less.
    """

    name: str
    compute: Callable[[Sequence[Example], Sequence[Any]], float]
    higher_is_better: bool = True
    convention: str = ""
    over: Callable[[Sequence[Example], Sequence[Any]], Callable[[NDArray[np.int64]], float]] | None = None


class Scored(NamedTuple):
    """One evaluation: the value of each metric, and the F1 of each class."""

    metrics: dict[str, float]
    classes: dict[str, float]


@dataclass(frozen=True)
class MetricSet:
    """All scores of a task.

    `columns` name the tally's entries; `tally(example, prediction)` counts one example, one number a column.
    `headline` is the metric that picks the best checkpoint; `by_slice` scores parts of the data, where the headline
    would say more of how labels are mixed in them than of the model. `classes` gives the F1 of each label or type from
    summed tallies of shape [columns], for the display of a training; NaN for one that occurs nowhere.
    """

    columns: tuple[str, ...]
    tally: Callable[[Example, Any], Sequence[float] | Floats]
    metrics: tuple[Metric | WholeMetric, ...]
    headline: str
    by_slice: str = ""
    classes: Callable[[Floats], Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        names = [metric.name for metric in self.metrics]
        if self.headline not in names:
            raise PluginError(f"the headline metric {self.headline!r} is not among {names}")
        if self.by_slice and self.by_slice not in names:
            raise PluginError(f"the metric of slices {self.by_slice!r} is not among {names}")
        if len(set(names)) != len(names):
            raise PluginError(f"two metrics share a name: {names}")

    def __getitem__(self, name: str) -> Metric | WholeMetric:
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)

    def tallies(self, examples: Sequence[Example], predictions: Sequence[Any]) -> Floats:
        """Counts of shape [examples, columns].

        Raises:
            PluginError: `tally` returned another number of counts than `columns` has names.
        """
        table = np.zeros((len(examples), len(self.columns)))
        for position, (example, prediction) in enumerate(zip(examples, predictions, strict=True)):
            counts = np.asarray(self.tally(example, prediction), dtype=np.float64)
            if counts.shape != (len(self.columns),):
                names = ", ".join(self.columns[:6])
                raise PluginError(f"tally gave {counts.size} counts for {len(self.columns)} columns ({names} ...)")
            table[position] = counts
        return table

    def scores(self, examples: Sequence[Example], predictions: Sequence[Any]) -> dict[str, float]:
        """Every metric's value on these examples; NaN where undefined."""
        return self.scored(examples, predictions).metrics

    def scored(self, examples: Sequence[Example], predictions: Sequence[Any]) -> Scored:
        """Every metric's value and, where the task has classes, each class's F1, from one count."""
        summed = self.tallies(examples, predictions).sum(axis=0)
        metrics = {
            metric.name: float(metric.formula(summed))
            if isinstance(metric, Metric)
            else float(metric.compute(examples, predictions))
            for metric in self.metrics
        }
        return Scored(metrics, {} if self.classes is None else dict(self.classes(summed)))

    def better(self, new: Mapping[str, float], old: Mapping[str, float] | None) -> bool:
        """Whether `new` beats `old` on the headline. An undefined score never beats; a defined one beats it."""
        value = new[self.headline]
        if np.isnan(value):
            return old is None
        if old is None or np.isnan(old[self.headline]):
            return True
        higher = self[self.headline].higher_is_better
        return value > old[self.headline] if higher else value < old[self.headline]


def ratio(numerator: Floats, denominator: Floats, empty: float = 0.0) -> Floats:
    """Element-wise division; `empty` where the denominator is 0 (the zero-division convention)."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    result = np.full(numerator.shape, empty)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def mean(column: int, count: int) -> Callable[[Floats], Floats]:
    """A formula: the sum in `column` over the number in `count`; NaN if that is 0."""
    return lambda sums: ratio(sums[..., column], sums[..., count], empty=np.nan)
