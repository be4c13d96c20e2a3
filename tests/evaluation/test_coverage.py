"""Intervals hold the truth as often as they say: 93 to 97 times in 100, on 200 examples, for every kind of score.

1,200 simulated test sets each, so that the share has a standard error of 0.6 points; 400 resamples for each set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from nbtune_recommendation.scoring import metric_set as ranking_metrics

from nbtune.api import label_metrics
from nbtune.evaluation.intervals import Score, group_sums, resample, score
from nbtune.evaluation.paired import Counted, difference
from nbtune.tasks.label_metrics import BASE
from nbtune.tasks.metrics import Floats, Metric, mean, ratio

SETS = 1200
RESAMPLES = 400
ROWS = 200
ACCURACY = Metric("accuracy", mean(0, 1))
F1 = Metric("f1", lambda sums: ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2]))

Draw = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True)
class World:
    """Where test sets come from; the truth is what 500,000 examples say."""

    metric: Metric
    draw: Draw

    def truth(self) -> float:
        random = np.random.default_rng(2026)
        return float(self.metric.formula(sum(self.draw(random, 100_000).sum(axis=0) for _ in range(5))))


def formula(found: object) -> Metric:
    assert isinstance(found, Metric)
    return found


def answers(chance: float) -> World:
    def draw(random: np.random.Generator, rows: int) -> Floats:
        return np.stack([(random.random(rows) < chance).astype(float), np.ones(rows)], axis=1)

    return World(ACCURACY, draw)


def entities() -> World:
    """Sentences with 0 to 6 entities, some sentences harder than others: right, found, gold."""

    def draw(random: np.random.Generator, rows: int) -> Floats:
        ease = random.beta(2, 1, rows)
        gold = random.poisson(1.5, rows)
        right = random.binomial(gold, ease)
        return np.stack([right, right + random.poisson(0.4 * (1.3 - ease)), gold], axis=1).astype(float)

    return World(F1, draw)


def labels(shares: list[float], chance: float) -> World:
    """Macro F1 of labels that are so common; mistakes fall on any other label."""
    count = len(shares)
    names = tuple(f"label {place}" for place in range(count))

    def draw(random: np.random.Generator, rows: int) -> Floats:
        gold = random.choice(count, rows, p=np.array(shares) / sum(shares))
        right = random.random(rows) < chance
        given = np.where(right, gold, (gold + random.integers(1, count, rows)) % count)
        counts = np.zeros((rows, 3, count + 1))
        each = np.arange(rows)
        counts[each, 0, gold], counts[each, 1, given], counts[each, 2, gold] = right, 1, 1
        return np.concatenate([np.zeros((rows, len(BASE))), counts.reshape(rows, -1)], axis=1)

    return World(formula(label_metrics(names)["macro_f1"]), draw)


def rankings() -> World:
    """NDCG@10 of one relevant item a user, often far down the list."""

    def draw(random: np.random.Generator, rows: int) -> Floats:
        rank = random.geometric(0.2 * random.beta(0.7, 1.5, rows) + 1e-4)
        counts = np.zeros((rows, len(ranking_metrics(10).columns)))
        counts[:, 0], counts[:, 1] = 1, np.where(rank <= 10, 1 / np.log2(rank + 1), 0)
        return counts

    return World(formula(ranking_metrics(10)["ndcg@10"]), draw)


def documents() -> World:
    """Five examples of a document fare alike, so that 200 of them tell less than 200 of their own."""

    def draw(random: np.random.Generator, rows: int) -> Floats:
        ease = np.repeat(random.beta(2.4, 0.6, rows // 5), 5)
        counts = np.stack([(random.random(rows) < ease).astype(float), np.ones(rows)], axis=1)
        return group_sums(counts, [f"document {row // 5}" for row in range(rows)]) if rows == ROWS else counts

    return World(ACCURACY, draw)


def share_inside(truth: float, found: Callable[[np.random.Generator, int], Score]) -> float:
    random = np.random.default_rng(7)
    inside = 0
    for seed in range(SETS):
        one = found(random, seed)
        inside += one.low <= truth <= one.high
    return inside / SETS


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(answers(0.8), id="accuracy 0.8"),
        pytest.param(answers(0.97), id="accuracy 0.97"),
        pytest.param(entities(), id="entity F1"),
        pytest.param(labels([3, 2, 2, 2, 1], 0.7), id="macro F1, 5 labels"),
        pytest.param(labels([10, 6, 4, 3, 2, 1, 1, 1], 0.75), id="macro F1, 8 labels of which 3 are rare"),
        pytest.param(rankings(), id="NDCG"),
        pytest.param(documents(), id="40 documents"),
    ],
)
def test_intervals_of_200_examples_hold_the_truth_93_to_97_times_in_100(world: World) -> None:
    def found(random: np.random.Generator, seed: int) -> Score:
        counts = world.draw(random, ROWS)
        return score(world.metric, counts, resample(counts, RESAMPLES, seed))

    assert 0.93 <= share_inside(world.truth(), found) <= 0.97


def test_documents_taken_for_independent_examples_would_not_be_covered() -> None:
    """What the groups are for: the same data, each example by itself."""
    random = np.random.default_rng(3)
    inside = 0
    for seed in range(400):
        ease = np.repeat(random.beta(2.4, 0.6, 40), 5)
        counts = np.stack([(random.random(200) < ease).astype(float), np.ones(200)], axis=1)
        found = score(ACCURACY, counts, resample(counts, RESAMPLES, seed))
        inside += found.low <= 0.8 <= found.high
    assert inside / 400 < 0.9


@pytest.mark.parametrize("metric", [ACCURACY, F1], ids=["accuracy", "entity F1"])
def test_intervals_of_a_paired_difference_hold_the_truth_93_to_97_times_in_100(metric: Metric) -> None:
    def draw(random: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
        ease = random.beta(2, 1, rows)
        gold = np.ones(rows, dtype=int) if metric is ACCURACY else random.poisson(1.5, rows)
        sides = []
        for gain in (0.9, 0.8):
            right = random.binomial(gold, gain * ease)
            made_up = np.zeros(rows) if metric is ACCURACY else random.poisson(0.4, rows)
            columns = [right, gold] if metric is ACCURACY else [right, right + made_up, gold]
            sides.append(np.stack(columns, axis=1).astype(float))
        return sides[0], sides[1]

    random = np.random.default_rng(2026)
    many = [draw(random, 100_000) for _ in range(5)]
    ours, theirs = (float(metric.formula(sum(pair[side].sum(axis=0) for pair in many))) for side in (0, 1))

    def found(random: np.random.Generator, seed: int) -> Score:
        one, other = draw(random, ROWS)
        return difference(Counted(metric, one), Counted(metric, other), seed, RESAMPLES)

    assert 0.93 <= share_inside(ours - theirs, found) <= 0.97
