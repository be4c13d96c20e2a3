"""One short epoch through the runner that every user's run goes through, and the saved model opened again."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from nbtune.control import Control
from nbtune.evaluation.report import Report
from nbtune.events import Ended, Evaluated, Event, from_json, to_json
from nbtune.running.folder import RunFolder
from nbtune.running.model import open_model
from nbtune.running.plan import Plan
from nbtune.running.runner import execute
from nbtune.tasks.head import Head
from nbtune.tasks.task import Task
from nbtune.testing.heads import predict
from nbtune.testing.walk import Walk, alike
from nbtune.training.loop import set_training


def check(walk: Walk) -> Iterator[str]:
    task, made = _watched(walk.task)
    folder = RunFolder(walk.workspace / "trial")
    folder.path.mkdir()
    folder.write_spec(walk.spec())
    plan = Plan(walk.spec(), task, walk.base, walk.recipe, walk.prepared, folder, Control())
    events = list(execute(plan))
    yield from _told(events)
    trained = made[0]  # the report makes another, to ask what the model knew before
    set_training(trained, False)
    walk.opened = open_model(folder.path, "cpu", "fp32", task=walk.task)
    for name, examples in (("held out", walk.held_out), ("without targets", walk.asked)):
        before, after = predict(trained, examples), list(walk.opened.predict(examples))
        if not alike(before, after):
            yield (
                f"the saved model answers the rows {name} otherwise than the trained one: list every trained module in "
                "extra_modules, and give all that conclude fitted in state or save_assets"
            )
            return
    report = Report.from_dict(folder.read_json("report.json"))
    walk.metrics = {name: score.value for name, score in report.metrics.items()}


def _told(events: list[Event]) -> Iterator[str]:
    ended = events[-1]
    if not isinstance(ended, Ended) or ended.status != "finished":
        yield f"one epoch did not finish: {getattr(ended, 'reason', ended)}"
    if not any(isinstance(event, Evaluated) for event in events):
        yield "one epoch ended without an evaluation"
    for event in events:
        from_json(to_json(event))  # what is told must come back from disk


def _watched(task: Task) -> tuple[Task, list[Head]]:
    """The task, and the heads it is going to make."""
    made: list[Head] = []

    def head(*given: Any) -> Head:
        made.append(task.head(*given))
        return made[-1]

    watched = copy.copy(task)
    watched.head = head  # type: ignore[method-assign, assignment]  # this one copy only
    return watched, made
