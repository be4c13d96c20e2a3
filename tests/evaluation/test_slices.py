"""Scores of parts of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from nbtune_classification.task import Classification

from nbtune.errors import SpecError
from nbtune.evaluation.reporting import Rival, make_report
from nbtune.evaluation.slices import MOST_VALUES, by_column, of_every_task, scored, slice_metric
from nbtune.tasks.label_metrics import LabelScores, label_metrics
from nbtune.tasks.metrics import Metric, MetricSet, WholeMetric, mean
from nbtune.values import Example, Inventory

HITS = MetricSet(("rows", "hits"), lambda example, prediction: (1, example.target == prediction), (
    Metric("accuracy", mean(1, 0)),
), "accuracy")  # fmt: skip


def rows(count: int) -> list[Example]:
    return [Example({"text": "x" * (row + 1)}, "yes" if row % 4 else "no", row) for row in range(count)]


def test_each_value_of_a_column_has_its_own_score_with_an_interval() -> None:
    examples = rows(80)
    tallies = HITS.tallies(examples, ["yes"] * 80)
    values = ["web" if example.target == "yes" else None for example in examples]
    first, second = scored(list(by_column(HITS, tallies, "source", values)), [None] * 80)
    assert (first.by, first.value, first.score.value, first.count, first.few) == ("source", "web", 1.0, 60, False)
    assert (second.value, second.score.value, second.count, second.few) == ("(none)", 0.0, 20, True)
    assert 0.93 < first.score.low < first.score.high == 1.0  # 60 right answers leave some doubt


def test_rare_values_of_a_column_share_a_line() -> None:
    examples = rows(60)
    tallies = HITS.tallies(examples, ["yes"] * 60)
    found = scored(list(by_column(HITS, tallies, "user", [str(row // 2) for row in range(60)])), [None] * 60)
    assert len(found) == MOST_VALUES + 1
    assert found[-1].value == "(10 other values)"
    assert found[-1].count == 20


def test_texts_are_divided_by_length_into_parts_that_cover_them_all() -> None:
    examples = rows(91)
    tallies = HITS.tallies(examples, ["yes"] * 91)
    parts = list(of_every_task(Classification(), HITS, tallies, examples, Inventory(("no", "yes"))))
    assert [part.value for part in parts] == ["up to 31 characters", "32 to 61 characters", "62 to 91 characters"]
    assert sorted(row for part in parts for row in part.rows) == list(range(91))


@pytest.mark.parametrize("count", [0, 1, 59])
def test_few_texts_are_not_divided(count: int) -> None:
    examples = rows(count)
    tallies = HITS.tallies(examples, ["yes"] * count)
    assert not list(of_every_task(Classification(), HITS, tallies, examples, Inventory(("no", "yes"))))


def test_texts_of_one_length_are_not_divided() -> None:
    examples = [Example({"text": "same"}, "yes", row) for row in range(100)]
    tallies = HITS.tallies(examples, ["yes"] * 100)
    assert not list(of_every_task(Classification(), HITS, tallies, examples, Inventory(("no", "yes"))))


def test_many_labels_are_divided_by_how_often_training_showed_them() -> None:
    labels = tuple("abcdefgh")
    counts = {label: 10 * (place + 1) for place, label in enumerate(labels)}
    examples = [Example({"text": "t"}, labels[row % 8], row) for row in range(160)]
    metrics = label_metrics(labels)
    answers = [LabelScores.best(labels, np.eye(8)[7])] * 160
    parts = list(of_every_task(Classification(), metrics, metrics.tallies(examples, answers), examples,
                               Inventory(labels, counts)))  # fmt: skip
    assert {part.by for part in parts} == {"frequency of the rarest gold label"}
    scores = [each.score.value for each in scored(parts, [None] * 160)]
    assert scores[0] == 0.0
    assert scores[-1] > 0.3
    assert parts[0].metric.name == "accuracy"  # the mix of labels in a part says nothing of the model


def test_groups_are_drawn_together_inside_a_slice() -> None:
    examples = rows(80)
    tallies = HITS.tallies(examples, ["yes"] * 80)
    groups = [example.target for example in examples]  # one group all right, the other all wrong
    alone = scored(list(by_column(HITS, tallies, "all", ["1"] * 80)), [None] * 80)[0].score
    grouped = scored(list(by_column(HITS, tallies, "all", ["1"] * 80)), groups)[0].score
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_a_headline_that_does_not_decompose_gives_way_to_a_metric_that_does() -> None:
    whole = WholeMetric("whole", lambda *_: 0.5)
    assert slice_metric(MetricSet(HITS.columns, HITS.tally, (whole, *HITS.metrics), "whole")).name == "accuracy"


class Undivided(Classification):
    """Scored by the share of right answers, counted in one go."""

    def metrics(self, inventory: Inventory) -> MetricSet:
        return MetricSet((), lambda *_: (), (WholeMetric("whole", right),), "whole")


def right(examples: Sequence[Example], predictions: Sequence[LabelScores]) -> float:
    return float(np.mean([one.target == other.names[0] for one, other in zip(examples, predictions, strict=True)]))


def test_a_task_without_a_metric_that_decomposes_has_a_report_without_slices() -> None:
    labels = tuple("abcdefgh")
    examples = [Example({"text": "x" * (row + 1)}, labels[row % 8], row) for row in range(96)]
    answers = [LabelScores.best(labels, np.eye(8)[row % 7]) for row in range(96)]
    inventory = Inventory(labels, dict.fromkeys(labels, 12), {"multi": False})
    given = {
        "run": "odd",
        "task": Undivided(),
        "inventory": inventory,
        "data": "test",
        "examples": examples,
        "predictions": answers,
        "train": examples,
        "rivals": [Rival("again", answers)],
    }
    report = make_report(**given)
    assert not report.slices
    score = report.metrics["whole"]
    assert score.value == right(examples, answers)
    assert score.low < score.value < score.high
    assert report.baselines["again"]["whole"].value == score.value
    with pytest.raises(SpecError, match="none can be given apart by 'source'"):
        make_report(**given, by={"source": ["web"] * 96})
