"""The report of an evaluation: scores with intervals, cheap rivals beside them, tables, and the predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbtune.evaluation import slices
from nbtune.evaluation.calibration import Calibration, calibration
from nbtune.evaluation.intervals import METHOD, Score, group_sums, scores
from nbtune.evaluation.paired import Counted, difference
from nbtune.evaluation.seeds import Spread, spread
from nbtune.evaluation.slices import SliceScore
from nbtune.tasks.metrics import Floats, Metric, MetricSet
from nbtune.tasks.task import Task
from nbtune.values import Example, Inventory

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.drawing import Picture

FEW = 30
"""Below this many examples an interval says little."""


@dataclass(frozen=True, eq=False)
class Rival:
    """Somebody else's answers to the examples at `rows` (None: to all of them), to be shown beside the model's."""

    name: str
    predictions: Sequence[Any]
    rows: Sequence[int] | None = None


@dataclass(frozen=True)
class Report:
    """What `Run.evaluate` gives.

    `metrics` and each of `baselines` map a metric's name to a `Score` (`.value`, `.low`, `.high`: 95% bootstrap
    interval); `differences` are the model's headline score minus each rival's, on the same examples. `seeds` has, for
    each metric, mean and spread over all runs of a family that differ in their seed. `unseen` are the scores without
    the examples that are also in the training data, empty where there are none. `tables` are the task's own (per
    class, per type). `frame` holds one prediction a row; it is None for a report read back from disk.
    """

    run: str
    task: str
    data: str
    examples: int
    headline: str
    metrics: Mapping[str, Score]
    baselines: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    differences: Mapping[str, Score] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame | str] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=dict)
    lower_is_better: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    slices: tuple[SliceScore, ...] = ()
    calibration: Calibration | None = None
    unseen: Mapping[str, Score] = field(default_factory=dict)
    seeds: Mapping[str, Spread] = field(default_factory=dict)
    frame: pd.DataFrame | None = None

    def to_frame(self) -> pd.DataFrame:
        """Scores of the model and the baselines: one row a metric and contender."""
        import pandas as pd

        rows = [
            {"metric": metric, "contender": name, "value": s.value, "low": s.low, "high": s.high}
            for name, scores in {self.run: self.metrics, **self.baselines}.items()
            for metric, s in scores.items()
        ]
        return pd.DataFrame(rows, columns=["metric", "contender", "value", "low", "high"])

    def by_slice(self) -> pd.DataFrame:
        """Scores of the slices: one row each, with its interval and how many of what belong to it."""
        import pandas as pd

        rows = [
            {
                **{name: getattr(each, name) for name in ("by", "value", "metric")},
                "score": each.score.value,
                "low": each.score.low,
                "high": each.score.high,
                **{name: getattr(each, name) for name in ("count", "unit", "few")},
            }
            for each in self.slices
        ]
        return pd.DataFrame(rows, columns=["by", "value", "metric", "score", "low", "high", "count", "unit", "few"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the predictions; NaN becomes None."""
        import pandas as pd

        def plain(scores: Mapping[str, Score]) -> dict[str, Any]:
            return {name: _plain(s) for name, s in scores.items()}

        return {
            "run": self.run,
            "task": self.task,
            "data": self.data,
            "examples": self.examples,
            "headline": self.headline,
            "metrics": plain(self.metrics),
            "baselines": {name: plain(scores) for name, scores in self.baselines.items()},
            "differences": plain(self.differences),
            "tables": {
                title: json.loads(table.to_json(orient="split")) if isinstance(table, pd.DataFrame) else table
                for title, table in self.tables.items()
            },
            "conventions": dict(self.conventions),
            "lower_is_better": list(self.lower_is_better),
            "notes": list(self.notes),
            "slices": [{**asdict(each), "score": _plain(each.score)} for each in self.slices],
            "calibration": None if self.calibration is None else _without_nan(self.calibration.to_dict()),
            "unseen": plain(self.unseen),
            "seeds": {name: _without_nan(each.to_dict()) for name, each in self.seeds.items()},
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Report:
        """A report that `to_dict` wrote."""
        import pandas as pd

        def scores(plain: Mapping[str, Any]) -> dict[str, Score]:
            return {name: _score(s) for name, s in plain.items()}

        tables = {
            title: table if isinstance(table, str) else pd.DataFrame(table["data"], table["index"], table["columns"])
            for title, table in content["tables"].items()
        }
        return cls(
            **{key: content[key] for key in ("run", "task", "data", "examples", "headline", "conventions")},
            metrics=scores(content["metrics"]),
            baselines={name: scores(plain) for name, plain in content["baselines"].items()},
            differences=scores(content["differences"]),
            tables=tables,
            lower_is_better=tuple(content["lower_is_better"]),
            notes=tuple(content["notes"]),
            # reports of earlier versions have none of these
            slices=tuple(SliceScore(**{**each, "score": _score(each["score"])}) for each in content.get("slices", ())),
            calibration=Calibration.from_dict(content["calibration"]) if content.get("calibration") else None,
            unseen=scores(content.get("unseen", {})),
            seeds={name: Spread.from_dict(each) for name, each in content.get("seeds", {}).items()},
        )

    def plot(self) -> Picture:
        """The headline score with its interval beside those of rivals and slices, and the reliability curve."""
        from nbtune.evaluation import report_plots

        return report_plots.picture(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from nbtune.evaluation import rendering

        return {
            "text/html": rendering.html(self),
            "text/markdown": rendering.markdown(self),
            "text/plain": rendering.text(self),
        }

    def __repr__(self) -> str:
        from nbtune.evaluation import rendering

        return rendering.text(self)


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
    """
    metric_set = task.metrics(inventory)
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
        baselines[rival.name] = scores(metric_set, theirs, asked, rival.predictions)
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


def _plain(score: Score) -> dict[str, float | None]:
    return {name: _none(getattr(score, name)) for name in ("value", "low", "high")}


def _score(plain: Mapping[str, float | None]) -> Score:
    return Score(*(_nan(plain[name]) for name in ("value", "low", "high")))


def _without_nan(value: Any) -> Any:
    """The same with None for NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(each) for each in value]
    return _none(value) if isinstance(value, float) else value


def _none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value
