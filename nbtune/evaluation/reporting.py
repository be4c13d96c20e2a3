"""Predictions scored, beside those of cheap rivals, into a `Report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbtune.errors import SpecError
from nbtune.evaluation import slices
from nbtune.evaluation.calibration import calibration
from nbtune.evaluation.intervals import METHOD, Score, group_sums, rival_scores, scores
from nbtune.evaluation.paired import Counted, difference
from nbtune.evaluation.report import Report
from nbtune.evaluation.seeds import spread
from nbtune.tasks.metrics import Floats, Metric, MetricSet
from nbtune.tasks.task import Task
from nbtune.values import Example, Inventory

if TYPE_CHECKING:
    import pandas as pd

FEW = 30
"""Below this many examples an interval says little."""


@dataclass(frozen=True, eq=False)
class Rival:
    """Somebody else's answers to the examples at `rows` (None: to all of them), to be shown beside the model's."""

    name: str
    predictions: Sequence[Any]
    rows: Sequence[int] | None = None


def make_report(
    *,
    run: str,
    task: Task,
    inventory: Inventory,
    data: str,
    examples: Sequence[Example],
    predictions: Sequence[Any],
    train: Sequence[Example] = (),
    notes: Sequence[str] = (),
    rivals: Sequence[Rival] = (),
    by: Mapping[str, Sequence[Any]] | None = None,
    seen: NDArray[np.bool_] | None = None,
) -> Report:
    """Score predictions beside the task's baselines, which learn from `train`, and other `rivals`.

    `by` maps a name to a value for each example, by which the scores are given apart too. `seen` says which examples
    are also in the training data.

    Raises:
        SpecError: there is no metric that could be given apart.
    """
    metric_set = task.metrics(inventory)
    if by and slices.slice_metric(metric_set) is None:
        words = f"no score of the task {task.name!r} is a sum over examples, so none can be given apart by {min(by)!r}"
        raise SpecError(words, "leave by out")
    groups = [example.group for example in examples]
    tallies = metric_set.tallies(examples, predictions)
    report = Report(
        run=run,
        task=task.name,
        data=data,
        examples=len(examples),
        headline=metric_set.headline,
        metrics=scores(metric_set, group_sums(tallies, groups), examples, predictions),
        tables=dict(task.tables(examples, predictions, inventory)),
        conventions={
            "95% interval": METHOD,
            **{metric.name: metric.convention for metric in metric_set.metrics if metric.convention},
        },
        lower_is_better=tuple(metric.name for metric in metric_set.metrics if not metric.higher_is_better),
        notes=(*notes, *_own_notes(examples)),
        frame=predictions_frame(task, examples, predictions),
        calibration=calibration(map(task.confidences, examples, predictions), groups),
    )
    baselines = (
        Rival(each.name, list(each.predict(train, examples))) for each in (task.baselines(inventory) if train else ())
    )
    report = _beside(report, metric_set, tallies, examples, [*baselines, *rivals])
    parts = [
        *(part for name, values in (by or {}).items() for part in slices.by_column(metric_set, tallies, name, values)),
        *slices.of_every_task(task, metric_set, tallies, examples, inventory),
        *task.slices(examples, predictions, train, inventory),
    ]
    report = replace(report, slices=slices.scored(parts, groups))
    return report if seen is None else _without_seen(report, metric_set, tallies, examples, predictions, seen)


def over_seeds(
    report: Report, metric_set: MetricSet, examples: Sequence[Example], answers: Sequence[Sequence[Any]]
) -> Report:
    """The report with the mean and spread of each metric that decomposes over `answers`, one sequence a seed."""
    groups = [example.group for example in examples]
    tallies = [group_sums(metric_set.tallies(examples, own), groups) for own in answers]
    spreads = {
        metric.name: spread([Counted(metric, own) for own in tallies])
        for metric in metric_set.metrics
        if isinstance(metric, Metric)
    }
    return replace(report, seeds=spreads)


def _beside(
    report: Report, metric_set: MetricSet, tallies: Floats, examples: Sequence[Example], rivals: Sequence[Rival]
) -> Report:
    """The report with the rivals' scores and the difference of the headline to each, on the examples they answered."""
    headline = metric_set[metric_set.headline]
    baselines: dict[str, Mapping[str, Score]] = {}
    differences: dict[str, Score] = {}
    for rival in rivals:
        rows = list(range(len(examples))) if rival.rows is None else list(rival.rows)
        asked = [examples[row] for row in rows]
        groups = [example.group for example in asked]
        theirs = group_sums(metric_set.tallies(asked, rival.predictions), groups)
        baselines[rival.name] = rival_scores(metric_set, theirs, asked, rival.predictions)
        if isinstance(headline, Metric):
            ours = Counted(headline, group_sums(tallies[rows], groups))
            differences[rival.name] = difference(ours, Counted(headline, theirs))
    return replace(report, baselines=baselines, differences=differences)


def _without_seen(
    report: Report,
    metric_set: MetricSet,
    tallies: Floats,
    examples: Sequence[Example],
    predictions: Sequence[Any],
    seen: NDArray[np.bool_],
) -> Report:
    """The report with the scores of the examples that are not in the training data, if some are and some are not."""
    rows = np.flatnonzero(~seen).tolist()
    if len(rows) == len(examples):
        return report
    note = f"{int(seen.sum()):,} of the {len(examples):,} examples are also in the training data"
    if not len(rows):
        return replace(report, notes=(*report.notes, f"{note}: the scores say nothing about new data"))
    kept = [examples[row] for row in rows]
    sums = group_sums(tallies[rows], [example.group for example in kept])
    return replace(
        report,
        notes=(*report.notes, f"{note}: scores are given with and without them"),
        unseen=scores(metric_set, sums, kept, [predictions[row] for row in rows]),
    )


def predictions_frame(task: Task, examples: Sequence[Example], predictions: Sequence[Any]) -> pd.DataFrame:
    """One row an example: its inputs, the gold answer where there is one, and what `task.to_row` says."""
    import pandas as pd

    rows = []
    for example, prediction in zip(examples, predictions, strict=True):
        row = {key: value for key, value in example.inputs.items() if isinstance(value, (str, int, float))}
        if example.target is not None:
            row["gold"] = example.target
        rows.append({**row, **task.to_row(example, prediction)})
    return pd.DataFrame(rows)


def _own_notes(examples: Sequence[Example]) -> list[str]:
    if len(examples) >= FEW:
        return []
    return [f"only {len(examples)} examples: the intervals are rough, and a few other examples could change the scores"]
