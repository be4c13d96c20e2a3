"""The loop: a generator of events. It learns; its driver saves, shows and decides.

Between two events the state is always that of a finished step, so the driver may take a checkpoint at any of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.errors import TrainingError
from nbtune.events import Adjusted, Ended, Evaluated, Event, Paused, Preparing, Resumed, Started, Stepped
from nbtune.tasks.head import Batch, Head
from nbtune.tasks.metrics import MetricSet
from nbtune.training import adapters, optimizers
from nbtune.training.batches import collate, epoch_batches
from nbtune.training.checkpoints import random_state, set_random_state
from nbtune.training.devices import Device

READ_EVERY = 0.5
"""Seconds between two reads of the loss from the device: as often as a display redraws."""

Evaluate = Callable[[], Generator[Preparing, None, dict[str, float]]]


class Stop(Exception):  # noqa: N818  # not an error: `control.stop` was heard in the middle of an evaluation
    """Raised by an evaluation that was told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How to learn; the fields mean what `nbtune.running.spec.RunSpec` says."""

    epochs: int
    batch_size: int
    accumulate: int = 1
    learning_rate: float
    optimizer: optimizers.OptimizerName = "adamw"
    schedule: optimizers.ScheduleName = "linear"
    warmup: float = 0.06
    weight_decay: float = 0.01
    clip: float | None = 1.0
    patience: int | None = None
    evaluate_every: int | None = None  # steps; None: once an epoch
    length_grouping: bool = True
    seed: int = 0


@dataclass(slots=True)
class LoopState:
    """Where the loop is: what a resume needs beside weights, optimizer and random state."""

    step: int = 0
    epoch: int = 0
    position: int = 0  # batches of this epoch already used
    best: dict[str, float] | None = None
    best_step: int | None = None
    evaluations_since_best: int = 0
    evaluated_at: int = -1
    seconds: float = 0.0


@dataclass
class Job:
    """Everything the loop needs. `evaluate` yields progress and returns the validation scores."""

    run: str
    task: str
    model: str
    head: Head
    features: FeatureSet
    device: Device
    settings: LoopSettings
    control: Control
    metrics: MetricSet
    evaluate: Evaluate | None = None
    rows: Sequence[int] = ()  # the table row of each example, for messages
    validation_examples: int = 0
    state: LoopState = field(default_factory=LoopState)

    def __post_init__(self) -> None:
        for module in adapters.modules(self.head).values():
            module.to(self.device.device)
        s = self.settings
        self.lengths = self.features.lengths()
        self.batches_per_epoch = -(-len(self.features) // s.batch_size)
        self.steps_per_epoch = -(-self.batches_per_epoch // s.accumulate)
        self.total_steps = self.steps_per_epoch * s.epochs
        self.optimizer = optimizers.make_optimizer(
            self.head, s.optimizer, learning_rate=s.learning_rate, weight_decay=s.weight_decay
        )
        self.schedule = optimizers.make_schedule(
            self.optimizer,
            s.schedule,
            warmup_steps=optimizers.warmup_steps(s.warmup, self.total_steps),
            total_steps=self.total_steps,
        )
        self.scaler = torch.amp.GradScaler(self.device.kind, enabled=self.device.needs_scaling)

    def weights(self) -> dict[str, Tensor]:
        """What has learned so far (frozen weights are the base's own)."""
        return {name: parameter.detach() for name, parameter in adapters.learners(self.head)}

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
        """Weights, optimizer state and everything else a resume needs; tensors are not copied."""
        state = {
            "loop": asdict(self.state),
            "schedule": {"base_lrs": list(self.schedule.base_lrs), "last_epoch": self.schedule.last_epoch},
            "scaler": self.scaler.state_dict(),
            "random": random_state(),
        }
        return self.weights(), self.optimizer.state_dict(), state

    def restore(self, weights: Mapping[str, Tensor], optimizer: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self.load_weights(weights)
        self.optimizer.load_state_dict(dict(optimizer))
        self.schedule.base_lrs = list(state["schedule"]["base_lrs"])
        self.schedule.last_epoch = state["schedule"]["last_epoch"]
        self.scaler.load_state_dict(state["scaler"])
        self.state = LoopState(**state["loop"])
        set_random_state(state["random"])

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy weights that `weights()` gave into the model."""
        with torch.no_grad():
            for name, parameter in adapters.learners(self.head):
                parameter.copy_(weights[name])


def train(job: Job) -> Iterator[Event]:
    """Train until the epochs are done, patience ends, or `job.control` says stop. The last event is `Ended`.

    Raises:
        TrainingError: the loss is not finite; the weights of the last evaluation that was best are the driver's to
            bring back.
    """
    began = time.monotonic() - job.state.seconds
    yield _started(job)
    set_training(job.head, True)
    window = _Window(job, began)
    reason = "all epochs done"
    try:
        if job.state.step and _due(job):  # a checkpoint from between a step and its evaluation
            yield from _evaluate(job)
        while job.state.epoch < job.settings.epochs and reason == "all epochs done":
            for rows in _steps_of_epoch(job):
                yield from _heed(job)
                if job.control.stopping:
                    reason = "stopped"
                    break
                yield _step(job, rows, window)
                if _due(job):
                    yield from _evaluate(job)
                    if _out_of_patience(job):
                        reason = f"no better {job.metrics.headline} in {job.settings.patience} evaluations"
                        break
            else:
                job.state.epoch, job.state.position = job.state.epoch + 1, 0
    except (KeyboardInterrupt, Stop):
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
    """Dropout on or off in the model and what is trained beside it."""
    for module in adapters.modules(head).values():
        module.train(mode)


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
    batches = epoch_batches(job.lengths, s.batch_size, seed=s.seed, epoch=job.state.epoch, grouped=s.length_grouping)
    while job.state.position < len(batches):
        yield batches[job.state.position : job.state.position + s.accumulate]


def _step(job: Job, groups: list[NDArray[np.int64]], window: _Window) -> Stepped:
    """One optimizer step over the micro-batches of `groups`, as if they were one batch."""
    micro = [collate([job.features[index] for index in group], job.head, job.device) for group in groups]
    weights = [job.head.weigh(batch) for batch in micro]
    total = sum(weights)
    job.optimizer.zero_grad(set_to_none=True)
    loss = torch.zeros((), device=job.device.device)
    for batch, weight in zip(micro, weights, strict=True):
        if weight > 0:  # a window that teaches no token has no mean loss
            loss += _backward(job, job.device.send(batch), weight / total)
    job.scaler.unscale_(job.optimizer)
    limit = job.settings.clip if job.settings.clip is not None else math.inf
    norm = torch.nn.utils.clip_grad_norm_([p for _, p in adapters.learners(job.head)], limit)
    rate = float(job.optimizer.param_groups[0]["lr"])
    job.scaler.step(job.optimizer)
    job.scaler.update()
    job.schedule.step()
    job.state.step += 1
    job.state.position += len(groups)
    return window.add(loss, norm, groups, rate)


def _backward(job: Job, batch: Batch, share: float) -> Tensor:
    with job.device.autocast():
        loss = job.head.loss(batch) * share
    torch.autograd.backward(job.scaler.scale(loss))
    return loss.detach()


class _Window:
    """The losses not read yet. Reading waits for the device, so it is done only as often as somebody looks."""

    def __init__(self, job: Job, began: float) -> None:
        self.job = job
        self.began = began
        self.read_at = time.monotonic()
        self.losses: list[Tensor] = []
        self.norms: list[Tensor] = []
        self.groups: list[list[NDArray[np.int64]]] = []
        self.tokens = 0
        self.examples = 0
        self.rate = 0.0

    def add(self, loss: Tensor, norm: Tensor, groups: list[NDArray[np.int64]], rate: float) -> Stepped:
        self.losses.append(loss)
        self.norms.append(norm)
        self.groups.append(groups)
        self.rate = rate
        indices = np.concatenate(groups)
        self.tokens += int(self.job.lengths[indices].sum())
        self.examples += len(indices)
        # on a CPU there is nothing to wait for, and a loss that is not finite is named at once
        due = self.job.device.kind == "cpu" or time.monotonic() - self.read_at >= READ_EVERY
        return self._event(read=due)

    def close(self) -> Stepped | None:
        """The last event if there are losses left to read."""
        return self._event(read=True) if self.losses else None

    def _event(self, read: bool) -> Stepped:
        loss, norm = self._read() if read else (None, None)
        state = self.job.state
        state.seconds = time.monotonic() - self.began
        event = Stepped(
            step=state.step,
            epoch=state.epoch + min(1.0, state.position / self.job.batches_per_epoch),
            learning_rate=self.rate,
            tokens=self.tokens,
            examples=self.examples,
            seconds=state.seconds,
            loss=loss,
            gradient_norm=norm,
        )
        self.tokens = self.examples = 0
        return event

    def _read(self) -> tuple[float, float]:
        losses = torch.stack(self.losses).tolist()
        norm = float(self.norms[-1])
        for offset, value in enumerate(losses):
            if not math.isfinite(value):
                self._refuse(value, self.job.state.step - len(losses) + 1 + offset, self.groups[offset])
        self.losses, self.norms, self.groups = [], [], []
        self.read_at = time.monotonic()
        return sum(losses) / len(losses), norm

    def _refuse(self, value: float, step: int, groups: list[NDArray[np.int64]]) -> None:
        owners = sorted({int(self.job.features.owners[index]) for group in groups for index in group})
        rows = [self.job.rows[owner] if self.job.rows else owner for owner in owners]
        s = self.job.settings
        advice = f"try learning_rate = {s.learning_rate / 10:g}"
        advice += ", a longer warmup" if s.warmup < 0.1 else ""
        advice += ", clip = 1.0" if s.clip is None else ""
        advice += ', precision = "fp32"' if self.job.device.precision != "fp32" else ""
        raise TrainingError(
            f"the loss became {value} at step {step}, on training rows {', '.join(map(str, rows[:16]))}"
            + (" ..." if len(rows) > 16 else ""),
            advice + ", or look at those rows",
        )


def _heed(job: Job) -> Iterator[Event]:
    """Act on what `control` was asked for since the last step."""
    rate = job.control.take_learning_rate()
    if rate is not None:
        old = optimizers.set_peak(job.optimizer, job.schedule, rate)
        yield Adjusted(step=job.state.step, setting="learning_rate", old=old, new=rate)
    if job.control.paused:
        yield Paused(step=job.state.step, time=time.time())
        # in slices, so that an interrupt of the kernel is heard while waiting
        while not job.control.wait_while_paused(0.2):
            pass
        if not job.control.stopping:
            yield Resumed(step=job.state.step, time=time.time())


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
        metrics = yield from job.evaluate()
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
    )


def _out_of_patience(job: Job) -> bool:
    patience = job.settings.patience
    return patience is not None and job.state.evaluations_since_best >= patience
