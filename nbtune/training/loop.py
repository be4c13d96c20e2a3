"""The loop: a generator of events. It learns; its driver saves, shows and decides.

Between two events the state is always that of a finished step, so the driver may take a checkpoint at any of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtune.control import Stop
from nbtune.events import Adjusted, Ended, Evaluated, Event, Paused, Resumed, Started
from nbtune.tasks.head import Batch, Head
from nbtune.training import adapters, memory, optimizers
from nbtune.training.batches import collate, epoch_batches
from nbtune.training.job import Job
from nbtune.training.losses import Window


def train(job: Job) -> Iterator[Event]:
    """Train until the epochs are done, patience ends, or `job.control` says stop. The last event is `Ended`.

    Raises:
        TrainingError: the loss is not finite; the weights of the last evaluation that was best are the driver's to
            bring back.
    """
    began = time.monotonic() - job.state.seconds
    yield _started(job)
    set_training(job.head, True)
    window = Window(job, began)
    reason = "all epochs done"
    try:
        if job.state.step and _due(job):  # a checkpoint from between a step and its evaluation
            yield from _evaluate(job)
        if _out_of_patience(job):  # a checkpoint from between the last evaluation and the end
            reason = _patience_ended(job)
        while job.state.epoch < job.settings.epochs and reason == "all epochs done":
            for rows in _steps_of_epoch(job):
                yield from _heed(job)
                if job.control.stopping:
                    reason = "stopped"
                    break
                yield from _step(job, rows, window)
                if _due(job):
                    yield from _evaluate(job)
                    if _out_of_patience(job):
                        reason = _patience_ended(job)
                        break
            else:
                job.state.epoch, job.state.position = job.state.epoch + 1, 0
    except Stop:  # in an evaluation; a bare KeyboardInterrupt may strike inside a step, and goes through
        reason = "stopped"
    last = window.close()
    if last is not None:
        yield last
    yield Ended(
        status="stopped" if reason == "stopped" else "finished",
        step=job.state.step,
        reason=reason,
        seconds=time.monotonic() - began,
        best=job.state.best or {},
        best_step=job.state.best_step,
    )


def set_training(head: Head, mode: bool) -> None:
    """Dropout on or off in the model and what is trained beside it; parts that do not learn never have it."""
    for root in adapters.modules(head).values():
        root.train(mode)
        for part in adapters.frozen_parts(root):
            part.eval()


def _started(job: Job) -> Started:
    parameters = [p for module in adapters.modules(job.head).values() for p in module.parameters()]
    return Started(
        run=job.run,
        task=job.task,
        model=job.model,
        device=job.device.name,
        precision=job.device.precision,
        epochs=job.settings.epochs,
        total_steps=job.total_steps,
        step=job.state.step,
        train_examples=int(job.features.owners.max()) + 1,
        validation_examples=job.validation_examples,
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        time=time.time(),
    )


def _steps_of_epoch(job: Job) -> Iterator[list[NDArray[np.int64]]]:
    """The batches of each remaining step of this epoch."""
    s = job.settings
    batches = epoch_batches(job.lengths, s.batch_size, seed=s.seed, epoch=job.state.epoch, grouped=job.state.grouped)
    while job.state.position < len(batches):
        yield batches[job.state.position : job.state.position + s.accumulate]


def _step(job: Job, groups: list[NDArray[np.int64]], window: Window) -> Iterator[Event]:
    """One optimizer step over the micro-batches of `groups`, as if they were one batch.

    Micro-batches that do not fit into memory are cut until they do; the step stays the same.
    """
    random = job.step_random_state()
    parts = memory.cut(groups, job.state.rows_at_once)
    while (loss := _gradients(job, parts)) is None:
        memory.release()
        job.set_step_random_state(random)
        old = max(len(part) for part in parts)
        job.state.rows_at_once = new = (old + 1) // 2  # less than `old`: a single row that does not fit is raised
        parts = memory.cut(groups, new)
        yield Adjusted(step=job.state.step, setting="rows at once", old=old, new=new)
    rate = float(job.optimizer.param_groups[0]["lr"])
    norm = optimizers.clip_and_step(job.optimizer, job.scaler, job.settings.clip)
    job.schedule.step()
    job.state.step += 1
    job.state.position += len(groups)
    yield window.add(loss, norm, groups, rate)


def _gradients(job: Job, groups: list[NDArray[np.int64]]) -> Tensor | None:
    """The mean loss over all groups, its gradients in place; None if a group does not fit into memory."""
    micro = [collate([job.features[index] for index in group], job.head, job.device) for group in groups]
    weights = [job.head.weigh(batch) for batch in micro]
    total = sum(weights)
    job.optimizer.zero_grad(set_to_none=True)
    loss = torch.zeros((), device=job.device.device)
    try:
        for batch, weight in zip(micro, weights, strict=True):
            if weight > 0:  # a window that teaches no token has no mean loss
                loss += _backward(job, job.device.send(batch), weight / total)
    except (RuntimeError, MemoryError) as error:
        if not memory.is_out_of_memory(error) or max(len(group) for group in groups) == 1:
            raise
        return None
    return loss


def _backward(job: Job, batch: Batch, share: float) -> Tensor:
    with job.device.autocast():
        loss = job.head.loss(batch) * share
    torch.autograd.backward(job.scaler.scale(loss))
    return loss.detach()


def _heed(job: Job) -> Iterator[Event]:
    """Act on what `control` was asked for since the last step."""
    if job.control.paused:
        yield Paused(step=job.state.step, time=time.time())
        # in slices, so that an interrupt of the kernel is heard while waiting
        while not job.control.wait_while_paused(0.2):
            pass
        if not job.control.stopping:
            yield Resumed(step=job.state.step, time=time.time())
    rate = job.control.take_learning_rate()  # after the pause, in which it may have been asked for
    if rate is not None:
        old = optimizers.set_peak(job.optimizer, job.schedule, rate)
        yield Adjusted(step=job.state.step, setting="learning_rate", old=old, new=rate)


def _due(job: Job) -> bool:
    if job.evaluate is None or job.state.evaluated_at == job.state.step:
        return False
    end = job.state.position >= job.batches_per_epoch
    every = job.settings.evaluate_every
    last = end and job.state.epoch + 1 == job.settings.epochs
    return last or (end if every is None else job.state.step % every == 0)


def _evaluate(job: Job) -> Iterator[Event]:
    assert job.evaluate is not None
    began = time.monotonic()
    set_training(job.head, False)
    try:
        metrics, classes = yield from job.evaluate()
    finally:
        set_training(job.head, True)
    state = job.state
    state.evaluated_at = state.step
    best = job.metrics.better(metrics, state.best)
    if best:
        state.best, state.best_step, state.evaluations_since_best = metrics, state.step, 0
    else:
        state.evaluations_since_best += 1
    yield Evaluated(
        step=state.step,
        epoch=state.epoch + min(1.0, state.position / job.batches_per_epoch),
        metrics=metrics,
        headline=job.metrics.headline,
        best=best,
        seconds=time.monotonic() - began,
        classes=classes,
    )


def _out_of_patience(job: Job) -> bool:
    patience = job.settings.patience
    return patience is not None and job.state.evaluations_since_best >= patience


def _patience_ended(job: Job) -> str:
    return f"no better {job.metrics.headline} in {job.settings.patience} evaluations"
