"""The metrics: tallies that add up, and formulas that work on any number of sums at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nbtune.errors import did_you_mean
from nbtune.evaluation.reporting import make_report
from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.metrics import Floats, Metric, MetricSet, WholeMetric
from nbtune.tasks.task import Baseline
from nbtune.testing.walk import Walk, alike
from nbtune.values import Example


def check(walk: Walk) -> Iterator[str]:
    metrics = walk.task.metrics(walk.prepared.inventory)
    if not isinstance(metrics, MetricSet):
        yield f"metrics gave a {type(metrics).__name__}: give an nbtune.api.MetricSet"
        return
    names = [metric.name for metric in metrics.metrics]
    declared = walk.task.headline
    if declared not in names and walk.task.options == type(walk.task).Options():
        yield f"the headline {declared!r} of the class is not among the metrics; {did_you_mean(declared, names)}"
    tallies = metrics.tallies(walk.held_out, walk.predictions)
    yield from _tally(metrics, walk, tallies)
    for metric in metrics.metrics:
        if isinstance(metric, Metric):
            yield from _formula(metric, tallies)
        else:
            yield from _whole(metric, walk.held_out, walk.predictions)
    yield from _direction(metrics, walk)
    yield from _baselines(walk, metrics)


def _tally(metrics: MetricSet, walk: Walk, tallies: Floats) -> Iterator[str]:
    odd = np.argwhere(~np.isfinite(tallies))
    if len(odd):
        name = metrics.columns[odd[0][1]]
        yield f"the tally counts {tallies[tuple(odd[0])]} as {name!r}: one such count spoils every sum; count it apart"
    again = metrics.tallies(walk.held_out[::-1], walk.predictions[::-1])[::-1]
    if not alike(tallies, again):
        yield "a tally depends on the examples before it: count each example by itself, so that tallies can be summed"


def _formula(metric: Metric, tallies: Floats) -> Iterator[str]:
    """One formula must do for one sum, for many, and for none at all."""
    sums = np.stack([tallies.sum(0), tallies[::2].sum(0), tallies[1::2].sum(0)])
    with np.errstate(divide="raise", invalid="raise"):
        try:
            metric.formula(np.zeros_like(sums[0]))
            yield from _shapes(metric, sums)
        except FloatingPointError as error:
            yield f"the formula of {metric.name!r} fails on empty counts ({error}): divide with nbtune.api.ratio"
        except Exception as error:  # a stranger's code
            words = f"{type(error).__name__}: {error}"
            yield f"the formula of {metric.name!r} fails on sums of some shape ({words}): index as sums[..., column]"


def _shapes(metric: Metric, sums: Floats) -> Iterator[str]:
    """Sums of shape [columns], [3, columns] and [2, 3, columns] must give the scores of each one alone."""
    each = np.array([float(metric.formula(row.copy())) for row in sums])
    for given, wanted in ((sums, each), (np.stack([sums, sums[::-1]]), np.stack([each, each[::-1]]))):
        kept = given.copy()
        scores = np.asarray(metric.formula(kept))
        if not np.array_equal(kept, given):
            yield f"the formula of {metric.name!r} changes the sums it is given: compute into new arrays"
            return
        if not alike(scores, wanted):
            yield (
                f"the formula of {metric.name!r} gives shape {scores.shape} for sums of shape {given.shape}, or other "
                "scores than for each alone: index as sums[..., column]"
            )
            return


def _whole(metric: WholeMetric, examples: Sequence[Example], predictions: Sequence[Any]) -> Iterator[str]:
    one, other = metric.compute(examples, predictions), metric.compute(examples[::-1], predictions[::-1])
    if not isinstance(one, (int, float)):
        yield f"{metric.name!r} gave a {type(one).__name__}: give a float, NaN where it is undefined"
    elif not alike(one, other):
        yield f"{metric.name!r} depends on the order of the examples"


def _direction(metrics: MetricSet, walk: Walk) -> Iterator[str]:
    """Where perfect answers can be made up from the targets, nothing may beat them."""
    perfect = [_perfect(e, p) for e, p in zip(walk.held_out, walk.predictions, strict=True)]
    if any(answer is None for answer in perfect):
        return
    best, worse = (metrics.scores(walk.held_out, answers) for answers in (perfect, walk.predictions))
    if metrics.better(worse, best):
        headline = metrics.headline
        yield (
            f"a random model ({headline} {worse[headline]:.4g}) beats perfect answers ({best[headline]:.4g}): "
            "check the formula and higher_is_better"
        )


def _perfect(example: Example, prediction: Any) -> Any:
    """The prediction that says just what the target says; None where its form is the task's own."""
    target = example.target
    if isinstance(prediction, LabelScores):
        names = [target] if isinstance(target, str) else target
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return None
        sure = np.array([float(label in names) for label in prediction.labels])
        return (LabelScores.above if prediction.multi else LabelScores.best)(prediction.labels, sure)
    if isinstance(prediction, float) and isinstance(target, (int, float)):
        return float(target)
    return target if isinstance(prediction, str) and isinstance(target, str) else None


def _baselines(walk: Walk, metrics: MetricSet) -> Iterator[str]:
    train, inventory = walk.prepared.parts["train"], walk.prepared.inventory
    names = []
    for baseline in walk.task.baselines(inventory):
        if not isinstance(baseline, Baseline):
            yield f"baselines gave a {type(baseline).__name__}: give nbtune.api.Baseline objects"
            return
        names.append(baseline.name)
        answers = list(baseline.predict(train, walk.held_out))
        if len(answers) != len(walk.held_out):
            yield f"the baseline {baseline.name!r} gave {len(answers)} answers for {len(walk.held_out)} examples"
            return
        metrics.tallies(walk.held_out, answers)  # its answers must have the form of the head's own
    if len(set(names)) < len(names):
        yield f"two baselines share a name: {names}"
    report = make_report(
        run="trial",
        task=walk.task,
        inventory=inventory,
        data="the rows held out",
        examples=walk.held_out,
        predictions=walk.predictions,
        train=train,
    )
    walk.metrics = {name: score.value for name, score in report.metrics.items()}
