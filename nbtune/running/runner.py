"""Composes one run: prepared data and a spec in, events out, a folder on disk.

The loop learns; here it is decided when to save, what is the best, and what is written.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, replace
from typing import Any

from nbtune.control import Stop
from nbtune.errors import RunError, TrainingError
from nbtune.events import Adjusted, Ended, EndStatus, Evaluated, Event, Noted, Preparing, Stepped
from nbtune.events import Prepared as PreparedEvent
from nbtune.running import saving
from nbtune.running.features import encode
from nbtune.running.finishing import keep, predict
from nbtune.running.interrupts import at_once, whole
from nbtune.running.memory import hold_on
from nbtune.running.plan import Plan
from nbtune.running.spec import RunSpec
from nbtune.tasks.head import Head
from nbtune.tasks.metrics import Scored
from nbtune.training import adapters, memory
from nbtune.training.batches import Budget
from nbtune.training.determinism import deterministic
from nbtune.training.devices import Device, choose_device
from nbtune.training.job import Job, LoopSettings, LoopState
from nbtune.training.loop import train
from nbtune.training.randomness import seed_generators

CHUNK = 500
"""Examples predicted between two words about it."""
CLASSES = 500
"""Classes whose scores are told one by one at every evaluation; of more, only the report tells."""
OPENING = "loading the model"
"""The stage in which settings are refused that do not fit the model."""


def execute(plan: Plan) -> Generator[Event, None, None]:
    """Train, keep the best, save and score. The last event is `Ended`, also where it then raises.

    Raises:
        TrainingError: training cannot go on; the best model so far has been saved.
    """
    began = time.monotonic()
    job: Job | None = None
    try:
        with deterministic(plan.spec.deterministic):
            if not plan.resume:
                yield _prepared_event(plan)
            job = yield from make_job(plan)
            with saving.Checkpoints(plan, job) as checkpoints:
                ended = yield from _learn(job, checkpoints)
                ended = yield from keep(plan, job, ended)
                yield from checkpoints.settle()
    except Stop:
        yield _ended("stopped", f"stopped before {'training went on' if plan.resume else 'the first step'}", began)
        return
    except Exception as error:
        failure = _explained(plan, error)
        if job is not None and not isinstance(failure, RunError):  # which says that nothing can be written
            yield from _rescue(plan, job)
        yield _ended("failed", str(getattr(failure, "message", failure)), began, job)
        if failure is error:
            raise
        raise failure from None
    yield replace(ended, seconds=job.state.seconds if plan.resume else time.monotonic() - began)


def _learn(job: Job, checkpoints: saving.Checkpoints) -> Generator[Event, None, Ended]:
    """Drive the loop: keep the best weights and take the checkpoints; gives how it ended."""
    for event in train(job):
        if isinstance(event, Ended):
            if event.step == 0 and event.status == "stopped":
                raise Stop  # a model that has learned nothing is none
            yield from checkpoints.conclude(finished=event.status == "finished")
            return event
        yield event
        if isinstance(event, Evaluated) and event.best:
            job.keep_best()
        if isinstance(event, Adjusted) and event.setting == "learning_rate":  # by hand, and so not in the spec
            yield from checkpoints.take()
        if isinstance(event, (Stepped, Evaluated)):
            yield from checkpoints.heed()
    raise AssertionError("the loop ends with Ended")


def make_job(plan: Plan) -> Generator[Event, None, Job]:
    """The head on its device with its encoded examples, ready for the loop."""
    spec = plan.spec
    hold_on()
    seed_generators(spec.seed)  # the new layers of the head
    device = choose_device(spec.device, spec.precision)
    yield Preparing(stage=OPENING, done=0, total=1)
    with at_once(plan.control):
        head = make_head(plan)
    train_examples = plan.prepared.parts["train"]
    features = yield from encode(plan, head, train_examples)
    budget = Budget()  # kept from one evaluation to the next
    job = Job(
        run=plan.folder.name,
        task=plan.task.name,
        model=spec.model,
        head=head,
        features=features,
        device=device,
        settings=loop_settings(spec),
        control=plan.control,
        metrics=plan.task.metrics(plan.prepared.inventory),
        evaluate=lambda: _evaluate(plan, head, device, budget),
        rows=train_examples.rows.data,
        validation_examples=len(plan.prepared.parts.get("validation", ())),
    )
    seed_generators(spec.seed + 1)  # dropout, whatever the head drew for its new layers
    if plan.resume:
        yield from saving.restore(plan, job)
    return job


def make_head(plan: Plan) -> Head:
    head = plan.task.head(plan.base, plan.prepared.inventory, plan.recipe)
    adapters.freeze(head, plan.spec.freeze)
    if plan.spec.lora is not None:
        lora = plan.spec.lora
        adapters.add_lora(
            head, adapters.LoraSettings(rank=lora.rank, alpha=lora.alpha, dropout=lora.dropout, targets=lora.targets)
        )
    return head


def _evaluate(plan: Plan, head: Head, device: Device, budget: Budget) -> Generator[Preparing, None, Scored]:
    """Validation scores."""
    examples = plan.prepared.parts["validation"]
    predictions: list[Any] = []
    for prediction in predict(plan, head, device, examples, budget):
        predictions.append(prediction)
        if len(predictions) % CHUNK == 0:
            yield Preparing(stage="evaluating", done=len(predictions), total=len(examples))
    scored = plan.task.metrics(plan.prepared.inventory).scored(examples, predictions)
    return scored if len(scored.classes) <= CLASSES else scored._replace(classes={})


def _rescue(plan: Plan, job: Job) -> Iterator[Event]:
    """After a failure, keep the best model there is; the failure itself is what the user must hear of."""
    if job.state.best_step is None:
        return
    try:
        job.finish()
        saved = whole(plan.control, saving.save_model, plan, job)
    except Exception as error:  # a full disk, say: then the best weights stay in checkpoints/
        yield Noted(step=job.state.step, severity="warning", message=f"the best model could not be saved: {error}")
    else:
        yield saved


def _explained(plan: Plan, error: Exception) -> Exception:
    """What the user can do about a failure of torch; any other error as it is."""
    if memory.is_out_of_memory(error):
        return _out_of_memory(plan, error)
    if isinstance(error, RuntimeError) and "does not have a deterministic implementation" in str(error):
        operation = str(error).split(" does not have")[0]
        words = f"deterministic = true, but on this device {operation} gives other digits each time"
        return TrainingError(words, "leave deterministic out, or train on the CPU")
    return error


def _out_of_memory(plan: Plan, error: Exception) -> TrainingError:
    spec = plan.spec
    smaller = max(1, spec.batch_size // 2)
    words = str(error).splitlines() or [type(error).__name__]
    return TrainingError(
        f"memory ran out with batch_size = {spec.batch_size}: {words[0]}",
        f"use batch_size = {smaller} with accumulate = {spec.accumulate * 2} (the same effective batch), "
        "a smaller max_length, freeze or lora",
    )


def _prepared_event(plan: Plan) -> PreparedEvent:
    prepared = plan.prepared
    names = {k: v if isinstance(v, str) else ", ".join(v) for k, v in prepared.columns.names.items()}
    return PreparedEvent(
        task=plan.task.name,
        data=prepared.data,
        columns=names,
        reasons=dict(prepared.columns.reasons),
        parts={part: len(examples) for part, examples in prepared.parts.items()},
        labels=dict(prepared.inventory.counts),
        split=prepared.made_split,
        findings=tuple(asdict(finding) for finding in prepared.findings),
    )


def loop_settings(spec: RunSpec) -> LoopSettings:
    return LoopSettings(
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        accumulate=spec.accumulate,
        learning_rate=spec.learning_rate,
        optimizer=spec.optimizer,
        schedule=spec.schedule,
        warmup=spec.warmup,
        weight_decay=spec.weight_decay,
        clip=spec.clip,
        patience=spec.patience,
        evaluate_every=None if spec.evaluate_every == "epoch" else spec.evaluate_every,
        length_grouping=None if spec.length_grouping == "auto" else spec.length_grouping,
        keep_frozen=spec.keep_frozen,
        seed=spec.seed,
    )


def _ended(status: EndStatus, reason: str, began: float, job: Job | None = None) -> Ended:
    state = LoopState() if job is None else job.state
    return Ended(
        status=status,
        step=state.step,
        reason=reason,
        seconds=time.monotonic() - began,
        best=state.best or {},
        best_step=state.best_step,
    )
