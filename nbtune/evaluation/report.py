"""The report of an evaluation: scores with intervals, cheap rivals beside them, tables, and the predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.evaluation.intervals import METHOD, Score, group_sums, scores
from nbtune.evaluation.paired import Counted, difference
from nbtune.tasks.metrics import Metric
from nbtune.tasks.task import Task
from nbtune.values import Example, Inventory

if TYPE_CHECKING:
    import pandas as pd

FEW = 30
"""Below this many examples an interval says little."""


@dataclass(frozen=True)
class Report:
    """What `Run.evaluate` gives.

    `metrics` and each of `baselines` map a metric's name to a `Score` (`.value`, `.low`, `.high`: 95% bootstrap
    interval). `tables` are the task's own (per class, per type). `frame` holds one prediction a row; it is None
    for a report read back from disk.
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the predictions; NaN becomes None."""
        import pandas as pd

        def plain(scores: Mapping[str, Score]) -> dict[str, Any]:
            return {
                name: {"value": _none(s.value), "low": _none(s.low), "high": _none(s.high)}
                for name, s in scores.items()
            }

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
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Report:
        """A report that `to_dict` wrote."""
        import pandas as pd

        def scores(plain: Mapping[str, Any]) -> dict[str, Score]:
            return {name: Score(*(_nan(s[key]) for key in ("value", "low", "high"))) for name, s in plain.items()}

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
        )

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
) -> Report:
    """Score predictions, the task's baselines (which learn from `train`) and the difference to each of them."""
    metric_set = task.metrics(inventory)
    groups = [example.group for example in examples]
    ours = group_sums(metric_set.tallies(examples, predictions), groups)
    headline = metric_set[metric_set.headline]
    baselines: dict[str, dict[str, Score]] = {}
    differences: dict[str, Score] = {}
    for baseline in task.baselines(inventory) if train else ():
        answers = list(baseline.predict(train, examples))
        theirs = group_sums(metric_set.tallies(examples, answers), groups)
        baselines[baseline.name] = scores(metric_set, theirs, examples, answers)
        if isinstance(headline, Metric):
            differences[baseline.name] = difference(Counted(headline, ours), Counted(headline, theirs))
    return Report(
        run=run,
        task=task.name,
        data=data,
        examples=len(examples),
        headline=metric_set.headline,
        metrics=scores(metric_set, ours, examples, predictions),
        baselines=baselines,
        differences=differences,
        tables=dict(task.tables(examples, predictions, inventory)),
        conventions={
            "95% interval": METHOD,
            **{metric.name: metric.convention for metric in metric_set.metrics if metric.convention},
        },
        lower_is_better=tuple(metric.name for metric in metric_set.metrics if not metric.higher_is_better),
        notes=(*notes, *_own_notes(examples)),
        frame=predictions_frame(task, examples, predictions),
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


def _none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value
