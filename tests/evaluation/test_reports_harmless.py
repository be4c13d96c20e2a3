"""Reports, their plots, comparisons, model cards and drawn predictions of all tasks are harmless, whatever data hold.

The data are read and checked as for a run; a task's own cheap baselines answer in place of a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbtune.data.prepare import Prepared, prepare
from nbtune.evaluation.comparison import Contender, make_comparison
from nbtune.evaluation.correcting import Book
from nbtune.evaluation.explanation import Explanation, Word
from nbtune.evaluation.mistakes import Heard, make_mistakes
from nbtune.evaluation.report import Report
from nbtune.evaluation.reporting import Rival, make_report
from nbtune.notebook.data_drawn import findings_list
from nbtune.notebook.overview import predictions_picture
from nbtune.running.card import model_card
from nbtune.running.spec import RunSpec
from nbtune.tasks.judging import judged
from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.registry import registry
from nbtune.tasks.task import Task
from nbtune.testing.harmless import NASTY, faults
from nbtune.values import Example, Inventory

SHOWN = {name: nasty for name, nasty in NASTY.items() if name != "half a pair"}
"""A table of pandas cannot hold half of a surrogate pair; tests/drawing has it."""
TASKS = ("ner", "classification", "sentiment", "recommendation")
Table = Callable[[str, str], tuple[pd.DataFrame, dict[str, str]]]


@dataclass(frozen=True)
class Scene:
    """A task on hostile data, with two ways to answer."""

    nasty: str
    task: Task
    prepared: Prepared
    columns: dict[str, str]
    answers: list[list[Any]]

    @cached_property
    def report(self) -> Report:
        examples = self.prepared.parts["test"]
        return make_report(
            run=f"run {self.nasty}",
            task=self.task,
            inventory=self.prepared.inventory,
            data=f"data of {self.nasty}.csv",
            examples=examples,
            predictions=self.answers[1],
            rivals=[Rival(f"before {self.nasty}", self.answers[0])],
            notes=[f"a note on {self.nasty}"],
            by={f"column {self.nasty}": [f"value {self.nasty}" if row % 2 else None for row in range(len(examples))]},
        )


@pytest.fixture(scope="module", params=[(task, name) for task in TASKS for name in SHOWN], ids="-".join)
def scene(request: pytest.FixtureRequest, hostile_table: Table) -> Scene:
    name, which = request.param
    task = registry().task(name)
    table, columns = hostile_table(name, NASTY[which])
    prepared = prepare(task, data=table, columns=columns, test_fraction=0.3, validation_fraction=0.2)
    examples, train = prepared.parts["test"], prepared.parts["train"]
    rivals = [baseline for baseline in task.baselines(prepared.inventory) if "regression" not in baseline.name]
    answers = [list(rival.predict(train, examples)) for rival in rivals]
    # a second opinion where there is but one cheap baseline: the same, one example on
    answers += [[*answers[0][1:], answers[0][0]]] if len(answers) < 2 else []
    return Scene(NASTY[which], task, prepared, columns, answers)


def test_a_report_and_its_plots(scene: Scene) -> None:
    report = scene.report
    assert faults(report) == []
    assert faults(Report.from_dict(report.to_dict())) == []
    assert faults(report.plot()) == []


def test_a_model_card(scene: Scene) -> None:
    spec = RunSpec(task=scene.task.name, data=f"{scene.nasty}.csv", model=f"model {scene.nasty}", columns=scene.columns)
    card = model_card("run", spec, f"{scene.nasty}.csv (24 rows)", scene.report)
    assert faults(card, "markdown", also=("h1", "h2")) == []


def test_a_comparison(scene: Scene) -> None:
    examples = scene.prepared.parts["test"]
    metrics = scene.task.metrics(scene.prepared.inventory)
    contenders = [
        Contender(
            name=f"run {number} {scene.nasty}",
            metrics=metrics,
            predictions=answers,
            answers=[
                {key: str(value) for key, value in scene.task.to_row(*pair).items()}
                for pair in zip(examples, answers, strict=True)
            ],
            settings={"data": f"{number}{scene.nasty}"},
            curve=[(0.0, 0.1), (1.0, 0.2 + number)],
        )
        for number, answers in enumerate(scene.answers[:2])
    ]
    found = make_comparison(scene.task.name, scene.nasty, examples, contenders, [f"a note on {scene.nasty}"])
    assert faults(found) == []


def test_predictions_one_by_one_and_as_a_table(scene: Scene) -> None:
    report = scene.report
    assert report.frame is not None
    drawn = [scene.task.render(*pair) for pair in zip(scene.prepared.parts["test"], scene.answers[1], strict=True)]
    pictures = [html for html in drawn if html is not None]
    for html in pictures:
        assert faults(html, "html", longest=100_000) == []
    assert faults(predictions_picture(pictures[:3], report.frame)) == []


def test_what_the_checks_noticed(scene: Scene) -> None:
    findings = [
        {"severity": each.severity, "message": each.message, "remedy": each.remedy} for each in scene.prepared.findings
    ]
    assert faults(findings_list(tuple(findings)), "html") == []


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_an_explanation(nasty: str) -> None:
    text = f"a good {nasty} day"
    end = len(text) - 4
    words = (
        Word("good", 2, 6, 0.5, 0.4),
        Word(text[7:end], 7, end, 0.9, 0.8),
        Word("day", len(text) - 3, len(text), -0.4, -0.2),
    )
    found = Explanation(
        run=f"run {nasty}",
        target=f"label {nasty}",
        probability=0.9,
        unit="log-odds",
        score=1.0,
        baseline=0.0,
        words=words,
        texts={"text": text},
        steps=16,
        filler=nasty,
        notes=(f"a note on {nasty}",),
    )
    assert faults(found, also=("blockquote", "em")) == []


@pytest.mark.parametrize("nasty", SHOWN.values(), ids=SHOWN)
def test_likely_mistakes(nasty: str, tmp_path: Path) -> None:
    labels = (f"a {nasty}", f"b {nasty}")
    task = registry().task("classification")
    examples = [Example({"text": f"{nasty if row < 2 else 'a text'} {row}"}, labels[row % 2], row) for row in range(40)]
    sure = [np.array([0.9, 0.1] if (row % 2 == 0) != (row < 3) else [0.1, 0.9]) for row in range(40)]
    said = [judged(LabelScores.best(labels, each), one.target) for each, one in zip(sure, examples, strict=True)]
    heard = Heard("train", examples, said)
    found = make_mistakes(
        task,
        run=f"run {nasty}",
        judged=f"data {nasty}",
        heard=heard,
        own=heard,
        confident_on=f"data {nasty}",
        ranking="self_confidence",
        book=Book(task, Inventory(labels), {"train": examples}, tmp_path / f"corrections {nasty}.jsonl"),
        notes=[f"a note on {nasty}"],
    )
    assert len(found.labels) == 3
    assert faults(found) == []
