"""How long the intervals of all metrics take: 2,000 resamples of 10,000 examples, for each task.

python benchmarks/bootstrap.py [--examples 10000] [--times 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import results
from machine import machine
from nbtune_ner.metrics import entity_metrics
from nbtune_recommendation.ranking import Ranking
from nbtune_recommendation.scoring import metric_set

from nbtune.api import Example, LabelScores, MetricSet, joined, label_metrics, number_metrics, ordinal_metrics
from nbtune.evaluation.intervals import RESAMPLES, resample, score
from nbtune.evaluation.paired import Counted, difference
from nbtune.tasks.metrics import Metric

Scored = tuple[MetricSet, list[Example], list[Any]]
TYPES = ("corporation", "creative-work", "group", "location", "person", "product")


def entities(random: np.random.Generator, count: int) -> Scored:
    """Sentences of 20 words with up to 4 entities, two in three found."""
    words = [[6 * place, 6 * place + 5] for place in range(20)]
    text = " ".join(["words"] * 20)
    examples, predictions = [], []
    for _ in range(count):
        spans = [[30 * place, 30 * place + 5, TYPES[random.integers(6)]] for place in range(random.integers(0, 5))]
        found = [span for span in spans if random.random() < 0.66]
        examples.append(Example({"text": text, "words": words}, spans))
        predictions.append({"entities": [dict(zip(("start", "end", "type"), span, strict=True)) for span in found]})
    return entity_metrics(TYPES), examples, predictions


def labels(size: int) -> Callable[[np.random.Generator, int], Scored]:
    """One label a row out of `size`."""
    names = tuple(f"label {place}" for place in range(size))

    def draw(random: np.random.Generator, count: int) -> Scored:
        gold = random.integers(0, size, count)
        odds = random.random((count, size)) + 0.7 * np.eye(size)[gold]
        examples = [Example({"text": ""}, names[place]) for place in gold]
        return label_metrics(names), examples, [LabelScores.best(names, row / row.sum()) for row in odds]

    return draw


def tags(random: np.random.Generator, count: int) -> Scored:
    """Any of 30 labels a row."""
    names = tuple(f"tag {place}" for place in range(30))
    gold = random.random((count, 30)) < 0.1
    odds = np.clip(random.random((count, 30)) * 0.55 + 0.4 * gold, 0, 1)
    examples = [Example({"text": ""}, [names[place] for place in np.flatnonzero(row)]) for row in gold]
    return label_metrics(names, multi=True), examples, [LabelScores.above(names, row) for row in odds]


def stars(random: np.random.Generator, count: int) -> Scored:
    metrics, examples, predictions = labels(5)(random, count)
    names = tuple(f"label {place}" for place in range(5))
    return joined("macro_f1", metrics, ordinal_metrics(names)), examples, predictions


def numbers(random: np.random.Generator, count: int) -> Scored:
    gold = random.normal(3, 1, count)
    given = gold + random.normal(0, 0.5, count)
    return number_metrics(3.0), [Example({"text": ""}, float(value)) for value in gold], [float(v) for v in given]


def rankings(random: np.random.Generator, count: int) -> Scored:
    """Users with up to 5 relevant items among 1,000."""
    predictions = []
    for user in range(count):
        ranks = tuple(sorted(int(rank) for rank in random.choice(1000, random.integers(1, 6), replace=False) + 1))
        predictions.append(Ranking(str(user), 1000, ("item",) * len(ranks), ranks, float(random.random()), (), ()))
    return metric_set(10), [Example({"user": str(user)}) for user in range(count)], predictions


TASKS: dict[str, Callable[[np.random.Generator, int], Scored]] = {
    "ner, 6 types": entities,
    "classification, 77 labels": labels(77),
    "classification, 30 tags": tags,
    "sentiment, 5 stars": stars,
    "sentiment, numbers": numbers,
    "recommendation": rankings,
}


def measure(scored: Scored, times: int) -> dict[str, float]:
    """Seconds to count every example once, for all intervals from these counts, and for one difference of two runs."""
    metrics, examples, predictions = scored
    began = time.perf_counter()
    tallies = metrics.tallies(examples, predictions)
    counted = time.perf_counter() - began
    decomposing: Sequence[Metric] = [metric for metric in metrics.metrics if isinstance(metric, Metric)]
    one, other = Counted(decomposing[0], tallies), Counted(decomposing[0], tallies[::-1])
    intervals, differences = [], []
    for _ in range(times):
        began = time.perf_counter()
        samples = resample(tallies)
        for metric in decomposing:
            score(metric, tallies, samples)
        intervals.append(time.perf_counter() - began)
        began = time.perf_counter()
        difference(one, other)
        differences.append(time.perf_counter() - began)
    return {
        "columns": tallies.shape[1],
        "metrics": len(decomposing),
        "counting_s": counted,
        "intervals_s": median(intervals),
        "difference_s": median(differences),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5)
    results.add_into(parser)
    given = parser.parse_args()
    rows = []
    for task, draw in TASKS.items():
        scored = draw(np.random.default_rng(0), given.examples)
        rows.append({"task": task, "examples": given.examples, **measure(scored, given.times)})
    shown = [
        [
            str(row["task"]),
            str(row["columns"]),
            str(row["metrics"]),
            *(f"{row[key]:.2f}" for key in ("counting_s", "intervals_s", "difference_s")),
        ]
        for row in rows
    ]
    head = [
        "task",
        "columns of the tally",
        "metrics",
        "counting, s",
        "all intervals, s",
        "one difference of two runs, s",
    ]
    results.save(
        given.into,
        "Intervals",
        file="bootstrap.jsonl",
        command=f"python benchmarks/bootstrap.py --examples {given.examples}",
        machine=machine("numpy", "scipy"),
        rows=rows,
        body=f"{RESAMPLES:,} resamples of {given.examples:,} examples; medians of {given.times}. Metrics that do not "
        "decompose (ROC AUC, average precision, Spearman) are recomputed, and not counted here.\n\n"
        f"{results.table(head, shown)}",
    )


if __name__ == "__main__":
    main()
