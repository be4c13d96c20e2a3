"""The conformance kit: what a stranger runs on their plugin before anybody else does.

    from nbtune.testing import check_task

    def test_my_task_keeps_the_contract():
        check_task(MyTask(), rows)

It walks the contract in the order in which a run does, on a tiny model made on the spot; a few seconds, no network
where the extra `offline` is installed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nbtune.drawing import Bundle, Picture, markdown_safe, panel, visible
from nbtune.errors import PluginError
from nbtune.tasks.task import Task

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked: the stages passed, the size of the trial, and the scores of one epoch on a tiny model."""

    task: str
    stages: tuple[str, ...]
    examples: Mapping[str, int]
    features: int
    metrics: Mapping[str, float]
    seconds: float

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return Picture(panel(str(self)), markdown_safe(str(self)), visible(str(self)))._repr_mimebundle_()

    def __str__(self) -> str:
        sizes = ", ".join(f"{count} {part}" for part, count in self.examples.items())
        return f"{self.task}: {', '.join(self.stages)} kept the contract ({sizes} examples, {self.seconds:.1f} s)"


def check_task(
    task: Task,
    rows: Sequence[Mapping[str, Any]] | pd.DataFrame,
    *,
    columns: Mapping[str, str | list[str]] | None = None,
    model: str | Path | None = None,
) -> Checked:
    """Check that a task keeps the contract of `nbtune.api.Task`, from its columns to a trained, reloaded model and the
    panels it brings to the dashboard.

    `rows` are good rows with their targets, a dozen or more, each label at least three times: a quarter is held out.
    `columns` names columns as `[columns]` does. `model` is a folder or an alias to try the task on; by default a
    two-layer BERT with random weights and the tokenizer of `minilm-l6`. Configure a task first to check it with
    other options: `check_task(MyTask().configured({"margin": 0.1}), rows)`.

    Raises:
        PluginError: every breach found in the first stage that has one, each with what to do; later stages
            stand on it and are not reached.
    """
    from nbtune.testing import declaration, heads, panels, reading, scoring, showing, training
    from nbtune.testing.walk import Walk, breaches

    began = time.monotonic()
    stages = {
        "declaration": declaration.check,
        "reading": reading.check,
        "head": heads.check,
        "metrics": scoring.check,
        "showing": showing.check,
        "training": training.check,
        "panels": panels.check,
    }
    with TemporaryDirectory(prefix="nbtune-check-") as workspace:
        walk = Walk(task, rows, dict(columns or {}), model, Path(workspace))
        for number, (stage, check) in enumerate(stages.items()):
            found = breaches(check, walk)
            if found:
                raise _refusal(task, stage, found, list(stages)[number + 1 :])
    sizes = {str(part): len(examples) for part, examples in walk.prepared.parts.items()}
    return Checked(task.name, tuple(stages), sizes, walk.features, walk.metrics, time.monotonic() - began)


def _refusal(task: Any, stage: str, found: Sequence[str], later: Sequence[str]) -> PluginError:
    name = getattr(task, "name", None) or (task.__name__ if isinstance(task, type) else type(task).__name__)
    places = "one place" if len(found) == 1 else f"{len(found)} places"
    lines = "".join(f"\n- {breach}" for breach in found)
    rest = f"; not reached: {', '.join(later)}" if later else ""
    return PluginError(
        f"the task {name!r} breaks the contract in {places} ({stage}):{lines}",
        f"docs/plugins.md explains each part of the contract{rest}",
    )


__all__ = ["Checked", "check_task"]
