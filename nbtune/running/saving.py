"""What a run writes while it learns: checkpoints beside the training, and the model in the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from nbtune.errors import RunError
from nbtune.events import Event, Noted, Saved
from nbtune.running import environment, identity
from nbtune.running.disk import reason_of
from nbtune.running.model import export
from nbtune.running.plan import Plan
from nbtune.running.spec import interval
from nbtune.training import checkpoints
from nbtune.training.checkpoints import HostCopy, Snapshot
from nbtune.training.job import Job
from nbtune.training.tensor_files import sync

_NOTHING: dict[str, Any] = {"state": {}, "param_groups": []}
"""An optimizer that has nothing left to do."""

SHARE = 0.02
"""The share of a run that checkpoints by time may cost; rarer ones keep to it where they are expensive."""


_Moment: TypeAlias = tuple[int, int, float]


class Checkpoints:
    """Takes checkpoints by time or by steps. Training stands still for a copy in memory; a thread writes it to disk.

    As a context, leaving it waits for what is being written.
    """

    def __init__(self, plan: Plan, job: Job) -> None:
        self.plan, self.job = plan, job
        self._seconds, self._steps = interval(plan.spec.checkpoint_every)
        self._facts = {"made_of": identity.recorded(plan), "environment": environment.describe()}
        self._taken_at, self._taken_step = time.monotonic(), job.state.step
        self._copy = HostCopy()
        self._stall = 0.0
        self._cost = 0.0
        self._writing: _Writing | None = None
        self._failing = False
        self._kept = _moment(job) if plan.resume else None

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writing is not None:
            self._writing.join()

    def heed(self) -> Iterator[Event]:
        """Say what became of the last checkpoint, and take the next one if it is due."""
        if self._writing is not None and not self._writing.is_alive():
            yield from self.settle()
        if self._due():
            yield from self.take()

    def take(self) -> Iterator[Event]:
        """Take a checkpoint of this moment, between two steps; it is written while training goes on."""
        began = time.monotonic()
        yield from self.settle()  # one at a time: the buffers are the same
        yield from self._hand_over(self._copy.take(self.job.snapshot()), began)

    def conclude(self, finished: bool) -> Iterator[Event]:
        """The last checkpoint, written while the model is. Of a training that has finished it is small: whoever resumes
        needs the best weights and no optimizer."""
        began = time.monotonic()
        yield from self.settle()
        if self._kept == _moment(self.job):
            return
        if finished:
            whole = self.job.snapshot()
            weights = self._copy.take(replace(whole, optimizer=_NOTHING)).weights if whole.best is None else whole.best
            yield from self._hand_over(Snapshot(weights, _NOTHING, None, whole.state), began)
        else:
            yield from self.take()

    def settle(self) -> Iterator[Event]:
        """Wait for the checkpoint that is being written, and say so where it could not be."""
        writing, self._writing = self._writing, None
        if writing is None:
            return
        writing.join()
        if writing.failure is None:
            self._kept = writing.moment
            self._cost = self._stall + writing.seconds
            if self._failing:
                yield Noted(step=self.job.state.step, severity="note", message="checkpoints are written again")
            self._failing = False
            return
        if not isinstance(writing.failure, (OSError, ValueError)):
            raise writing.failure
        if self._failing:  # said already
            return
        self._failing = True
        kept = checkpoints.checkpoints(self.plan.folder.checkpoints)
        rest = f"the last good one is {kept[-1].name}" if kept else "there is none before it"
        words = f"the checkpoint of step {writing.step} could not be written: {reason_of(writing.failure)}; {rest}"
        yield Noted(step=self.job.state.step, severity="warning", message=words)

    def _due(self) -> bool:
        if self._steps is not None:
            return self.job.state.step - self._taken_step >= self._steps
        if self._seconds is None or self._writing is not None:
            return False
        return time.monotonic() - self._taken_at >= max(self._seconds, self._cost / SHARE)

    def _hand_over(self, snapshot: Snapshot, began: float) -> Iterator[Event]:
        job, folder = self.job, self.plan.folder
        self._taken_at, self._taken_step = time.monotonic(), job.state.step
        self._stall = self._taken_at - began
        writing = _Writing(folder.checkpoints, _moment(job), folder.event_log.path)
        yield Saved(step=job.state.step, path=f"checkpoints/{writing.file}", kind="checkpoint", seconds=self._stall)
        # what was told until now, the line above included, is what a resume need not tell again
        writing.snapshot = replace(snapshot, state={**snapshot.state, **self._facts, "log": folder.event_log.size()})
        self._writing = writing
        writing.start()


class _Writing(threading.Thread):
    """A checkpoint on its way to the disk."""

    snapshot: Snapshot

    def __init__(self, folder: Path, moment: _Moment, log: Path) -> None:
        super().__init__(name="nbtune checkpoint")
        self.folder, self.moment, self.log = folder, moment, log
        self.step = moment[0]
        self.file = checkpoints.free_name(folder, self.step)
        self.failure: Exception | None = None
        self.seconds = 0.0  # of processor time, which training had to do without

    def run(self) -> None:
        began = time.thread_time()
        try:
            if self.log.exists():
                sync(self.log)
            path = checkpoints.write_checkpoint(self.folder, self.file, self.snapshot)
            checkpoints.prune(self.folder, newest=path)
        except Exception as error:
            self.failure = error
        self.seconds = time.thread_time() - began


def _moment(job: Job) -> _Moment:
    """What tells one checkpoint from another: an evaluation or another learning rate changes what a resume goes on
    with, too."""
    return job.state.step, job.state.evaluated_at, float(job.schedule.base_lrs[0])


def restore(plan: Plan, job: Job) -> Iterator[Event]:
    """Go back to the newest checkpoint that is whole; one that is not is passed over, and that is said.

    Raises:
        RunError: its weights are not those of this model: another version of a package builds it otherwise.
    """
    notes: list[Noted] = []
    for path in reversed(checkpoints.checkpoints(plan.folder.checkpoints)):
        try:
            snapshot = checkpoints.read_checkpoint(path)
        except ValueError as error:
            words = f"a damaged checkpoint was passed over: {error}"
            notes.append(Noted(step=0, severity="warning", message=words))
            continue
        _refuse_other_model(plan, job, snapshot)
        job.restore(snapshot)
        plan.folder.event_log.cut(snapshot.state["log"])
        changes = identity.differences(snapshot.state["environment"], environment.describe())
        if changes:
            words = f"since the checkpoint, {'; '.join(changes)}: the numbers may differ in their last digits"
            notes.append(Noted(step=job.state.step, severity="note", message=words))
        break
    else:
        plan.folder.event_log.cut_to_start()
        words = "no checkpoint to go on from: training starts at the beginning"
        notes.append(Noted(step=0, severity="note", message=words))
    yield from (replace(note, step=job.state.step) for note in notes)


def _refuse_other_model(plan: Plan, job: Job, snapshot: Snapshot) -> None:
    now = {name: tuple(tensor.shape) for name, tensor in job.weights().items()}
    then = {name: tuple(tensor.shape) for name, tensor in snapshot.weights.items()}
    differ = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    if differ:
        raise RunError(
            f"the checkpoint of the run {plan.folder.name!r} does not fit the model that is built now: {differ[0]}",
            "resume with the packages that environment.json names, or start a new run",
        )


def save_model(plan: Plan, job: Job) -> Saved:
    """Write `model/`.

    Raises:
        RunError: it cannot be written; the checkpoints stay as they are.
    """
    began = time.monotonic()
    with plan.folder.writing("the model"):
        export(plan.folder.path, plan.task, job.head, plan.prepared.inventory, plan.recipe, plan.spec)
    return Saved(step=job.state.step, path="model", kind="model", seconds=time.monotonic() - began)
