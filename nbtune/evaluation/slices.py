"""Scores of parts of the data: by length of the text, by how often training showed the label, by a column's values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from nbtune.evaluation.intervals import Score, group_sums, resample, score
from nbtune.tasks.metrics import Floats, Metric, MetricSet
from nbtune.tasks.slices import Slice
from nbtune.tasks.task import Task
from nbtune.values import Example, Inventory

FEW = 30
"""Below this many of them, a score says little."""
MOST_VALUES = 20
"""Values of a column that get a line of their own, the commonest; the others share one."""
_BINS = 3
_LABELS = 6
"""From this many labels on they are put together by frequency; fewer have a line each in the table of labels."""
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class SliceScore:
    """The score of one slice with its 95% interval. `count` things of a kind, `unit`, belong to it."""

    by: str
    value: str
    metric: str
    score: Score
    count: int
    unit: str = "examples"

    @property
    def few(self) -> bool:
        """Whether there are too few of them to say much."""
        return self.count < FEW


def scored(slices: Sequence[Slice], groups: Sequence[str | None]) -> tuple[SliceScore, ...]:
    """The score of each slice that holds anything; `groups` are those of all examples."""
    return tuple(_scored(each, groups) for each in slices if each.count)


def of_every_task(
    task: Task, metrics: MetricSet, tallies: Floats, examples: Sequence[Example], inventory: Inventory
) -> Iterator[Slice]:
    """The slices that need nothing of the task: by length of the text, by frequency of the label in training; none
    where no metric decomposes into examples."""
    metric = slice_metric(metrics)
    if metric is None:
        return
    lengths = [len(text) if isinstance(text := example.inputs.get("text"), str) else -1 for example in examples]
    if lengths and min(lengths) >= 0:
        yield from _by_number(metric, tallies, "text length", "characters", lengths)
    if len(inventory.labels) >= _LABELS:
        counts = [
            min((inventory.counts.get(label, 0) for label in task.labels_of(example)), default=-1)
            for example in examples
        ]
        yield from _by_number(metric, tallies, "frequency of the rarest gold label", "training examples", counts)


def by_column(metrics: MetricSet, tallies: Floats, name: str, values: Sequence[Any]) -> Iterator[Slice]:
    """One slice a value, the commonest first; none where no metric decomposes into examples."""
    metric = slice_metric(metrics)
    if metric is None:
        return
    words = ["(none)" if value is None or value != value else str(value) for value in values]
    common = [value for value, _ in Counter(words).most_common()]
    for value in common[:MOST_VALUES]:
        yield _part(metric, tallies, name, value, [row for row, own in enumerate(words) if own == value])
    rest = set(common[MOST_VALUES:])
    if rest:
        rows = [row for row, own in enumerate(words) if own in rest]
        yield _part(metric, tallies, name, f"({len(rest):,} other values)", rows)


def _by_number(metric: Metric, tallies: Floats, by: str, unit: str, numbers: Sequence[int]) -> Iterator[Slice]:
    """Parts of about equal size; none where they would be too small to say anything. Negative numbers are left out."""
    known = np.array([number for number in numbers if number >= 0])
    bins = min(_BINS, len(known) // FEW)
    if bins < 2:
        return
    edges = sorted({float(edge) for edge in np.quantile(known, np.linspace(0, 1, bins + 1), method="inverted_cdf")})
    if len(edges) < 2:
        return
    edges[0] -= 1  # so that the smallest belongs to the first
    for place, (low, high) in enumerate(pairwise(edges)):
        rows = [row for row, number in enumerate(numbers) if number >= 0 and low < number <= high]
        words = f"{low + 1:,.0f} to {high:,.0f} {unit}" if place else f"up to {high:,.0f} {unit}"
        yield _part(metric, tallies, by, words, rows)


def _part(metric: Metric, tallies: Floats, by: str, value: str, rows: Sequence[int]) -> Slice:
    return Slice(by, value, metric, rows, tallies[list(rows)], len(rows))


def slice_metric(metrics: MetricSet) -> Metric | None:
    """What parts of the data are scored by: what the set names for it, else the headline, else the first that
    decomposes into examples; None where none does."""
    wanted = metrics[metrics.by_slice or metrics.headline]
    return next((metric for metric in (wanted, *metrics.metrics) if isinstance(metric, Metric)), None)


def _scored(each: Slice, groups: Sequence[str | None]) -> SliceScore:
    sums = group_sums(each.tallies, [groups[row] for row in each.rows])
    found = score(each.metric, sums, resample(sums, _RESAMPLES))
    return SliceScore(each.by, each.value, each.metric.name, found, each.count, each.unit)
