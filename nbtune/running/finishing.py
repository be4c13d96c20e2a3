"""What follows the training: what is fitted after the weights, the model on disk, the report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from nbtune.control import Stop
from nbtune.evaluation.report import Report
from nbtune.evaluation.reporting import make_report
from nbtune.events import Ended, Event, Noted, Preparing
from nbtune.running import card, saving
from nbtune.running.asked import also_in, row_by_row
from nbtune.running.before import untrained
from nbtune.running.calibrating import fitted_with_training
from nbtune.running.interrupts import at_once, between_batches, whole
from nbtune.running.memory import give_back
from nbtune.running.plan import Plan
from nbtune.tasks.head import Head
from nbtune.training.batches import Budget, forward_with
from nbtune.training.devices import Device
from nbtune.training.job import Job
from nbtune.training.loop import set_training
from nbtune.training.shortcuts import pack_predictions
from nbtune.values import Example, Part


def keep(plan: Plan, job: Job, ended: Ended) -> Generator[Event, None, Ended]:
    """Write the model; when training was not cut short, fit what comes after the weights and score it. Gives how the
    run ended after all: a stop in here leaves a model, and a resumed run does the rest from the last checkpoint."""
    job.finish()
    pack_predictions(job.head, job.device)
    set_training(job.head, False)
    if ended.status == "finished":
        yield Preparing(stage="fitting what follows the training", done=0, total=1)
        notes: list[str] = []
        concluded = _conclude(plan, job, notes.append)
        yield from (Noted(step=job.state.step, severity="warning", message=words) for words in notes)
        if not concluded:
            ended = replace(ended, status="stopped", reason="stopped while fitting what follows the training")
    if ended.status == "stopped" and type(job.head).conclude is not Head.conclude:
        words = "stopped before what follows the training (thresholds, a ranker) was fitted: a resumed run fits it"
        yield Noted(step=job.state.step, severity="note", message=words)
    yield whole(plan.control, saving.save_model, plan, job)
    if ended.status == "finished":
        yield Preparing(stage="scoring", done=0, total=1)
        give_back()  # a second model is opened for the report
        try:
            report = _final_report(plan, job)
        except Stop:
            return replace(ended, status="stopped", reason="stopped while scoring: a resumed run makes the report")
        with plan.folder.writing("the report"):
            plan.folder.write("report.json", report.to_json())
            prepared = plan.prepared
            text = card.model_card(plan.folder.name, plan.spec, prepared.data, report, prepared.fixes)
            plan.folder.write("README.md", text)
    return ended


def _conclude(plan: Plan, job: Job, note: Callable[[str], Any]) -> bool:
    """Whether it came to its end; if not, the head is as before."""
    parts, before = plan.prepared.parts, job.head.state()
    forward = forward_with(job.head, job.device, heed=plan.control.heed)
    try:
        with torch.random.fork_rng(), at_once(plan.control):
            validation: Sequence[Example] = parts.get("validation", [])
            pausing = between_batches(plan.control, forward)
            if plan.spec.calibrate:  # before thresholds, which are compared with probabilities
                fitted_with_training(job.head, validation, pausing, note)
            job.head.conclude(parts["train"], validation, pausing)
    except Stop:
        job.head.temperature = 1.0
        job.head.restore(before)
        return False
    return True


def predict(
    plan: Plan, head: Head, device: Device, examples: Sequence[Example], budget: Budget | None = None
) -> Iterator[Any]:
    """Predictions in order; a stop is heard between two batches, and between two predictions of a head that has no
    batches."""
    for prediction in head.predict(examples, forward_with(head, device, budget=budget, heed=plan.control.heed)):
        plan.control.heed()
        yield prediction


def _final_report(plan: Plan, job: Job) -> Report:
    """Scores on the test data, or on the validation data with a word of caution."""
    prepared = plan.prepared
    part: Part = "test" if prepared.parts.get("test") else "validation"
    notes = []
    if part == "validation":
        notes.append("these are the examples that chose the best checkpoint, so the scores are a little too good")
    read, examples, train = prepared.raw[part], prepared.parts[part], prepared.parts["train"]
    predictions = list(predict(plan, job.head, job.device, examples))
    with at_once(plan.control):  # the baselines are other people's learners
        rivals, missing = untrained(
            plan.task, lambda: plan.base, prepared.inventory, plan.recipe, job.device, examples, plan.control.heed
        )
        return make_report(
            run=plan.folder.name,
            task=plan.task,
            inventory=prepared.inventory,
            data=part,
            examples=examples,
            predictions=predictions,
            train=train,
            notes=[*notes, *missing],
            rivals=rivals,
            seen=also_in(plan.task, read, prepared.raw["train"]) if row_by_row(read, examples) else None,
        )
