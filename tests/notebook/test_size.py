"""What a run leaves in a notebook is small, whatever its task and however many its labels."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbtune
from nbtune.events import Evaluated
from nbtune.notebook.run_picture import LARGEST, final_picture
from nbtune.notebook.state import RunState
from nbtune.running.run import Run

QUICK: dict[str, Any] = {"epochs": 1, "max_length": 16, "watchers": []}


def taken(run: Run) -> int:
    """Bytes of the picture that stays, as they stand in the notebook."""
    picture = final_picture(RunState.of(run.events()))
    return len(json.dumps(picture._repr_mimebundle_(), ensure_ascii=False).encode())


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize("task", ["ner", "classification", "sentiment", "recommendation"])
def test_each_task_leaves_at_most_300_kilobytes(task: str, tiny_model: str) -> None:
    run = nbtune.finetune(task, data=f"sample:{task}", model=tiny_model, name=task, **QUICK)
    assert run.report is not None
    assert 5_000 < taken(run) <= 300_000


def labelled(labels: list[str]) -> pd.DataFrame:
    words = ("why", "was", "my", "card", "declined", "in", "the", "shop", "yesterday")
    drawn = random.Random(1)
    return pd.DataFrame(
        [{"text": f"{' '.join(drawn.choices(words, k=6))} {n}", "label": labels[n % len(labels)]} for n in range(900)]
    )


def test_many_labels_evaluations_and_steps_stay_small(runs_dir: Path, tiny_model: str) -> None:
    labels = [f"a_rather_long_intent_name_{n}" for n in range(90)]
    run = nbtune.finetune(
        "classification", data=labelled(labels), model=tiny_model, name="many", evaluate_every=5, batch_size=8, **QUICK
    )
    state = RunState.of(run.events())
    evaluated = [event for event in run.events() if isinstance(event, Evaluated)]
    assert len(evaluated) > 12
    assert set(evaluated[-1].classes) == set(labels)
    assert taken(run) <= 300_000
    # the curves of a long training
    state.losses = [(float(step), 1 / step) for step in range(1, 4001)]
    state.evaluations *= 20
    picture = final_picture(state)
    assert "95% interval" in picture.html
    assert len(picture.html) <= 300_000
    assert runs_dir


@pytest.mark.usefixtures("runs_dir")
def test_a_report_that_would_be_larger_is_named_instead(tiny_model: str) -> None:
    labels = [f"{n} {'&' * 990}" for n in range(150)]
    run = nbtune.finetune("classification", data=labelled(labels), model=tiny_model, name="long", **QUICK)
    assert len(json.dumps(run.report._repr_mimebundle_())) > LARGEST  # type: ignore[union-attr]
    assert taken(run) <= LARGEST
    picture = final_picture(RunState.of(run.events()))
    assert "nbtune.load(&#x27;long&#x27;).report" in picture.html or "nbtune.load('long').report" in picture.html
