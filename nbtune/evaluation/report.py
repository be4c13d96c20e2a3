"""The report of an evaluation: scores with intervals, cheap rivals beside them, tables, and the predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.evaluation.calibration import Calibration
from nbtune.evaluation.intervals import Score
from nbtune.evaluation.seeds import Spread
from nbtune.evaluation.slices import SliceScore

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.drawing import Picture


@dataclass(frozen=True)
class Report:
    """What `Run.evaluate` gives.

    `metrics` and each of `baselines` map a metric's name to a `Score` (`.value`, `.low`, `.high`: 95% bootstrap
    interval; NaN for a rival where the score does not decompose); `differences` are the model's headline score minus
    each rival's, on the same examples. `seeds` has, for each metric, mean and spread over all runs of a family that
    differ in their seed. `unseen` are the scores without the examples that are also in the training data, empty where
    there are none. `tables` are the task's own (per class, per type). `frame` holds one prediction a row; it is None
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
    slices: tuple[SliceScore, ...] = ()
    calibration: Calibration | None = None
    unseen: Mapping[str, Score] = field(default_factory=dict)
    seeds: Mapping[str, Spread] = field(default_factory=dict)
    frame: pd.DataFrame | None = None

    def to_frame(self) -> pd.DataFrame:
        """Scores of the model and the baselines: one row a metric and contender.

        >>> run.report.to_frame()["contender"].unique().tolist()[:2]
        ['reviews', 'majority']
        """
        import pandas as pd

        rows = [
            {"metric": metric, "contender": name, "value": s.value, "low": s.low, "high": s.high}
            for name, scores in {self.run: self.metrics, **self.baselines}.items()
            for metric, s in scores.items()
        ]
        return pd.DataFrame(rows, columns=["metric", "contender", "value", "low", "high"])

    def by_slice(self) -> pd.DataFrame:
        """Scores of the slices: one row each, with its interval and how many of what belong to it.

        >>> run.evaluate(test_df, by="shop").by_slice()["value"].tolist()
        ['north', 'south']
        """
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
        """The headline score with its interval beside those of rivals and slices, and the reliability curve.

        >>> picture = run.report.plot()
        """
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
