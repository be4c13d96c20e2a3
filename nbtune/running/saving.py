"""What a run writes while it learns: checkpoints, the best weights, the model."""

from __future__ import annotations

import time
from collections.abc import Iterator

from safetensors.torch import load_file, save_file

from nbtune.events import Event, Noted, Saved
from nbtune.running.model import export
from nbtune.running.plan import Plan
from nbtune.running.spec import interval
from nbtune.training import checkpoints
from nbtune.training.job import Job


class Checkpoints:
    """When the next checkpoint is due, by time or by steps."""

    def __init__(self, plan: Plan, job: Job) -> None:
        self.plan, self.job = plan, job
        self.seconds, self.steps = interval(plan.spec.checkpoint_every)
        self.saved_at, self.saved_step = time.monotonic(), job.state.step

    def due(self) -> bool:
        if self.steps is not None:
            return self.job.state.step - self.saved_step >= self.steps
        return self.seconds is not None and time.monotonic() - self.saved_at >= self.seconds

    def save(self) -> Saved:
        began = time.monotonic()
        folder = self.plan.folder.checkpoints
        path = checkpoints.write_checkpoint(folder, self.job.state.step, *self.job.snapshot())
        checkpoints.prune(folder)
        self.saved_at, self.saved_step = time.monotonic(), self.job.state.step
        return Saved(
            step=self.job.state.step,
            path=f"checkpoints/{path.name}",
            kind="checkpoint",
            seconds=time.monotonic() - began,
        )


def restore(plan: Plan, job: Job) -> Iterator[Event]:
    """Go back to the newest checkpoint that is whole; one that is not is passed over, and that is said."""
    for path in reversed(checkpoints.checkpoints(plan.folder.checkpoints)):
        try:
            job.restore(*checkpoints.read_checkpoint(path))
            return
        except ValueError as error:
            yield Noted(step=0, severity="warning", message=f"a damaged checkpoint was passed over: {error}")
    yield Noted(step=0, severity="note", message="no checkpoint to go on from: training starts at the beginning")


def save_best(plan: Plan, job: Job) -> Saved:
    began = time.monotonic()
    path = plan.folder.best
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".tmp")
    save_file({name: tensor.cpu().contiguous() for name, tensor in job.weights().items()}, aside)
    checkpoints.sync(aside)
    aside.replace(path)
    return Saved(
        step=job.state.step, path="checkpoints/best.safetensors", kind="best", seconds=time.monotonic() - began
    )


def load_best(plan: Plan, job: Job) -> None:
    if job.state.best_step is not None and plan.folder.best.is_file():
        job.load_weights(load_file(plan.folder.best))


def save_model(plan: Plan, job: Job) -> Saved:
    began = time.monotonic()
    export(plan.folder.path, plan.task, job.head, plan.prepared.inventory, plan.recipe, plan.spec)
    return Saved(step=job.state.step, path="model", kind="model", seconds=time.monotonic() - began)
