"""Several runs on the same examples: which is better, how sure that is, and where they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.errors import RunError
from nbtune.evaluation.intervals import Score, group_sums, scores
from nbtune.evaluation.paired import Counted, difference, holm, randomisation_test
from nbtune.evaluation.seeds import difference_over_seeds
from nbtune.tasks.metrics import Floats, Metric, MetricSet
from nbtune.values import Example

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
"""Below this p-value, corrected for the number of pairs, a difference is called one."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A run's answers to the examples, how they are counted, and what is known of the run."""

    name: str
    metrics: MetricSet
    predictions: Sequence[Any]
    answers: Sequence[Mapping[str, str]]  # the same in words, to look at, by column
    settings: Mapping[str, Any] = field(default_factory=dict)
    curve: Sequence[tuple[float, float]] = ()  # (epoch, headline score on validation)
    further: Sequence[Sequence[Any]] = ()  # what the same training said with each further seed


@dataclass(frozen=True, slots=True)
class Pair:
    """`first` minus `second` on the headline metric; `p` is that of the randomisation test (NaN: not comparable in
    that way), `adjusted` allows for the number of pairs (Holm). Where both were trained with several seeds,
    `over_seeds` is the difference of their means, with an interval that includes the spread of the seeds."""

    first: str
    second: str
    difference: Score
    p: float
    adjusted: float
    over_seeds: Score | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What `nbtune.compare` gives. `scores` maps a run to its metrics, each with its interval; `examples` holds one
    example a row: its inputs, the gold answer, and for each run its answer and the headline score of that example."""

    task: str
    data: str
    headline: str
    higher_is_better: bool
    scores: Mapping[str, Mapping[str, Score]]
    pairs: tuple[Pair, ...]
    examples: pd.DataFrame
    settings: pd.DataFrame
    curves: Mapping[str, Sequence[tuple[float, float]]]
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row a pair of runs: the difference with its interval, the p-values."""
        import pandas as pd

        rows = [
            {
                "first": pair.first,
                "second": pair.second,
                "difference": pair.difference.value,
                "low": pair.difference.low,
                "high": pair.difference.high,
                "p": pair.p,
                "adjusted": pair.adjusted,
            }
            for pair in self.pairs
        ]
        return pd.DataFrame(rows)

    def flips(self, first: str, second: str) -> pd.DataFrame:
        """The examples that one of two runs answers better than the other, the largest gaps first; `better` names it.

        Raises:
            KeyError: there is no such run.
        """
        frame = self.examples
        gap = frame[f"score of {first}"].fillna(0.0) - frame[f"score of {second}"].fillna(0.0)
        gap = gap if self.higher_is_better else -gap
        columns = [column for column in frame.columns if not column.startswith(("score of ", "answer of "))]
        kept = frame.loc[gap != 0, [*columns, f"answer of {first}", f"answer of {second}"]]
        kept = kept.assign(better=np.where(gap[gap != 0] > 0, first, second), gap=gap[gap != 0].abs())
        return kept.sort_values("gap", ascending=False, kind="stable")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the examples; NaN becomes None."""

        def plain(found: Score) -> dict[str, float | None]:
            return {name: _none(getattr(found, name)) for name in ("value", "low", "high")}

        return {
            "task": self.task,
            "data": self.data,
            "examples": len(self.examples),
            "headline": self.headline,
            "scores": {run: {name: plain(found) for name, found in own.items()} for run, own in self.scores.items()},
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    **plain(pair.difference),
                    "p": _none(pair.p),
                    "adjusted": _none(pair.adjusted),
                    "over_seeds": None if pair.over_seeds is None else plain(pair.over_seeds),
                }
                for pair in self.pairs
            ],
            "settings": json.loads(self.settings.to_json(orient="split")),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    def verdicts(self) -> Iterator[str]:
        """Each pair in words."""
        for pair in self.pairs:
            gap = pair.difference
            gain = gap.value if self.higher_is_better else -gap.value
            better, worse = (pair.first, pair.second) if gain > 0 else (pair.second, pair.first)
            sure = pair.adjusted < LEVEL if not np.isnan(pair.adjusted) else gap.low > 0 or gap.high < 0
            ends = (gap.low, gap.high) if gap.value >= 0 or not sure else (-gap.high, -gap.low)
            certain = f"95% interval {ends[0]:+.3f} to {ends[1]:+.3f}"
            certain += "" if np.isnan(pair.adjusted) else f", {_p(pair.adjusted)}"
            if sure:
                yield f"{better} is better than {worse} by {abs(gap.value):.3f} {self.headline} ({certain})"
            else:
                yield f"{pair.first} and {pair.second} are not clearly different ({certain})"
            if pair.over_seeds is not None:
                yield self._over_seeds(pair, pair.over_seeds)

    def _over_seeds(self, pair: Pair, gap: Score) -> str:
        inside = gap.low <= 0 <= gap.high
        return (
            f"over seeds, {pair.first} minus {pair.second} is {gap.value:+.3f} {self.headline} "
            f"(95% interval, seeds included, {gap.low:+.3f} to {gap.high:+.3f}): "
            f"{'inside seed noise' if inside else 'beyond seed noise'}"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from nbtune.evaluation import comparing_drawn

        return {
            "text/html": comparing_drawn.html(self),
            "text/markdown": comparing_drawn.markdown(self),
            "text/plain": comparing_drawn.text(self),
        }

    def __repr__(self) -> str:
        from nbtune.evaluation import comparing_drawn

        return comparing_drawn.text(self)


def make_comparison(
    task: str, data: str, examples: Sequence[Example], contenders: Sequence[Contender], notes: Sequence[str] = ()
) -> Comparison:
    """Count every contender's answers to the same examples, and test each pair on the headline metric.

    Raises:
        RunError: the contenders have other headline metrics, or one that does not decompose into examples.
    """
    headlines = {contender.metrics.headline for contender in contenders}
    if len(headlines) != 1:
        words = ", ".join(f"{each.name} {each.metrics.headline}" for each in contenders)
        raise RunError(f"the runs are scored by different headline metrics: {words}", "compare runs of one kind")
    (headline,) = headlines
    groups = [example.group for example in examples]
    tallies = {each.name: each.metrics.tallies(examples, each.predictions) for each in contenders}
    counted = {
        each.name: Counted(_decomposing(each.metrics), group_sums(tallies[each.name], groups)) for each in contenders
    }
    of_seeds = {
        each.name: [
            counted[each.name],
            *(
                Counted(counted[each.name].metric, group_sums(each.metrics.tallies(examples, answers), groups))
                for answers in each.further
            ),
        ]
        for each in contenders
    }
    metric = _decomposing(contenders[0].metrics)
    return Comparison(
        task=task,
        data=data,
        headline=headline,
        higher_is_better=metric.higher_is_better,
        scores={
            each.name: scores(each.metrics, counted[each.name].tallies, examples, each.predictions)
            for each in contenders
        },
        pairs=tuple(_with_seeds(pair, of_seeds) for pair in _pairs(counted)),
        examples=_frame(examples, contenders, tallies),
        settings=_settings(contenders),
        curves={each.name: each.curve for each in contenders if each.curve},
        notes=tuple(notes),
    )


def _decomposing(metrics: MetricSet) -> Metric:
    metric = metrics[metrics.headline]
    if not isinstance(metric, Metric):
        words = f"{metrics.headline} is one number for all examples, so no pairs of examples say how sure it is"
        raise RunError(words, "evaluate each run by itself")
    return metric


def _pairs(counted: Mapping[str, Counted]) -> tuple[Pair, ...]:
    couples = list(combinations(counted, 2))
    p_values = []
    for first, second in couples:
        one, other = counted[first], counted[second]
        alike = one.tallies.shape == other.tallies.shape
        p_values.append(randomisation_test(one, other) if alike else float("nan"))
    known = [value for value in p_values if not np.isnan(value)]
    adjusted = iter(holm(known))
    return tuple(
        Pair(first, second, difference(counted[first], counted[second]), p, p if np.isnan(p) else next(adjusted))
        for (first, second), p in zip(couples, p_values, strict=True)
    )


def _with_seeds(pair: Pair, of_seeds: Mapping[str, Sequence[Counted]]) -> Pair:
    first, second = of_seeds[pair.first], of_seeds[pair.second]
    if min(len(first), len(second)) < 2:
        return pair
    return replace(pair, over_seeds=difference_over_seeds(first, second))


def _frame(examples: Sequence[Example], contenders: Sequence[Contender], tallies: Mapping[str, Floats]) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, list[Any]] = {"row": [example.row for example in examples]}
    plain = dict.fromkeys(key for example in examples[:1] for key, value in example.inputs.items() if _is_plain(value))
    columns |= {key: [example.inputs.get(key) for example in examples] for key in plain}
    shown = _telling_column(contenders)
    columns["gold"] = [_words(example.target) for example in examples]
    for contender in contenders:
        formula = _decomposing(contender.metrics).formula
        columns[f"answer of {contender.name}"] = [answer.get(shown, "") for answer in contender.answers]
        columns[f"score of {contender.name}"] = formula(tallies[contender.name]).tolist()
    return pd.DataFrame(columns)


def _telling_column(contenders: Sequence[Contender]) -> str:
    """The first column of the answers in which the runs differ: others (the user of a ranking) tell nothing apart."""
    first, *others = (contender.answers for contender in contenders)
    names = [name for answer in first[:1] for name in answer]
    for name in names:
        if any(mine.get(name) != its.get(name) for other in others for mine, its in zip(first, other, strict=True)):
            return name
    return names[0] if names else ""


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def _settings(contenders: Sequence[Contender]) -> pd.DataFrame:
    """One row for each setting that is not the same everywhere, one column a run."""
    import pandas as pd

    names = dict.fromkeys(name for contender in contenders for name in contender.settings)
    rows = {name: [_words(contender.settings.get(name)) for contender in contenders] for name in names}
    differing = {name: values for name, values in rows.items() if len(set(values)) > 1}
    return pd.DataFrame.from_dict(
        differing, orient="index", columns=[contender.name for contender in contenders]
    ).rename_axis("setting")


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _none(value: float) -> float | None:
    return None if np.isnan(value) else value
