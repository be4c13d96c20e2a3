"""How long a training will take and how much memory, from a few steps of the real loop on real batches.

A head is built as for the run and thrown away. The steps are chosen so that they stand for the epoch: one at each of a
dozen quantiles of their size, and the largest for the memory.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.data.prepare import Prepared
from nbtune.drawing import Record
from nbtune.running import resident
from nbtune.running.background import refuse_second
from nbtune.running.features import encode
from nbtune.running.folder import RunFolder
from nbtune.running.memory import give_back, hold_on
from nbtune.running.plan import Plan
from nbtune.running.runner import loop_settings, make_head
from nbtune.running.spec import RunSpec, interval
from nbtune.running.trial_answers import TrialAnswers
from nbtune.tasks.head import Head, Recipe
from nbtune.tasks.pretrained import Pretrained
from nbtune.tasks.task import Task
from nbtune.training.devices import Device, choose_device
from nbtune.training.job import Job
from nbtune.training.randomness import random_state, seed_generators, set_random_state
from nbtune.training.trial import TrialSteps
from nbtune.values import Example

_ENCODING = 2.0
"""Seconds that encoding all training examples may take; beyond it, as many as that allows stand for the rest."""
_WRITTEN = 64 << 20
"""Bytes written to tell how fast the disk is."""


@dataclass(frozen=True, slots=True)
class Estimate(Record):
    """What a run would take on this machine as it is now. `stages` are seconds of what adds up to `seconds`.

    `memory` is the most that the process would hold, in bytes, with what it holds already (None where the system does
    not say), `device_memory` the most that would be taken of a GPU. Patience may end a run earlier.
    """

    seconds: float
    stages: Mapping[str, float]
    memory: int | None
    device_memory: int | None
    steps: int
    measured: int
    device: str


def estimate(spec: RunSpec, task: Task, base: Pretrained, recipe: Recipe, prepared: Prepared) -> Estimate:
    """Measure a run of `spec` on data that is prepared.

    Raises:
        RunError: another run is training in this process, whose random numbers this would disturb.
        TrainingError: the loss is not finite within these few steps.
        SpecError: a setting does not fit the model.
    """
    refuse_second()
    plan = Plan(spec, task, base, recipe, prepared, RunFolder(Path("estimate")), Control())
    before = random_state()
    resident.forget_peak()
    try:
        return _Measuring(plan).result()
    finally:
        set_random_state(before)
        give_back()


class _Measuring:
    """The stages of a run, each done in part."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.spec = plan.spec
        hold_on()
        seed_generators(plan.spec.seed)
        self.device: Device = choose_device(plan.spec.device, plan.spec.precision)
        if self.device.kind == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device.device)
        began = time.perf_counter()
        self.head: Head = make_head(plan)
        self.opening = time.perf_counter() - began

    def result(self) -> Estimate:
        train_examples = self.plan.prepared.parts["train"]
        features, encoding, share = self._encode(train_examples)
        job = Job(
            run="estimate",
            task=self.plan.task.name,
            model=self.spec.model,
            head=self.head,
            features=features,
            device=self.device,
            settings=loop_settings(self.spec),
            control=self.plan.control,
            metrics=self.plan.task.metrics(self.plan.prepared.inventory),
        )
        steps = TrialSteps(job, share)
        training = steps.measure(again=self.spec.freeze != 0 and self.spec.keep_frozen)
        answers = TrialAnswers(self.plan, self.head, self.device, longest=int(job.lengths.max()))
        stages = {
            "opening the model": self.opening,
            "encoding the texts": encoding,
            "training": training,
            "evaluating": self._passes(steps.total) * answers.seconds(len(self.plan.prepared.parts["validation"])),
        }
        learning = _sum(resident.peak(), self._kept_beside(job, share, sum(stages.values()), steps.total))
        job.finish()
        give_back()
        resident.forget_peak()
        report, scoring = answers.report()
        stages["saving and reporting"] = report + self._saving()
        if self.spec.seeds > 1:
            stages["the other seeds"] = (self.spec.seeds - 1) * sum(stages.values())
        on_cuda = self.device.kind == "cuda"
        return Estimate(
            seconds=sum(stages.values()),
            stages=stages,
            memory=None if learning is None or scoring is None else max(learning, scoring),
            device_memory=torch.cuda.max_memory_reserved(self.device.device) if on_cuda else None,
            steps=steps.total,
            measured=steps.measured,
            device=self.device.name,
        )

    def _encode(self, examples: Sequence[Example]) -> tuple[FeatureSet, float, float]:
        """Features, the seconds that all of them take, and the share of the examples that they are."""
        chance = np.random.default_rng(self.spec.seed)
        some = chance.permutation(len(examples))[: max(1000, self.spec.batch_size * self.spec.accumulate * 4)]
        began = time.perf_counter()
        features = FeatureSet.build(self.head.encode([examples[int(i)] for i in some], training=True))
        seconds = (time.perf_counter() - began) * len(examples) / len(some)
        if len(some) == len(examples):
            return features, seconds, 1.0
        if seconds <= _ENCODING:
            began = time.perf_counter()
            return _last(encode(self.plan, self.head, examples)), time.perf_counter() - began, 1.0
        count = int(len(examples) * _ENCODING / seconds)
        if count > len(some):
            some = np.sort(chance.permutation(len(examples))[:count])
            parts = (some[start : start + 1000] for start in range(0, count, 1000))
            features = FeatureSet.build(
                each for part in parts for each in self.head.encode([examples[int(i)] for i in part], training=True)
            )
        return features, seconds, len(some) / len(examples)

    def _passes(self, steps: int) -> int:
        every = self.spec.evaluate_every
        return self.spec.epochs if every == "epoch" else -(-steps // every)

    def _saving(self) -> float:
        """Seconds to write the model, by how fast a temporary file is written and synced."""
        size = max(1, sum(tensor.nbytes for tensor in self.head.model.state_dict().values()))
        with tempfile.TemporaryFile() as file:
            began = time.perf_counter()
            file.write(bytes(min(size, _WRITTEN)))
            file.flush()
            os.fsync(file.fileno())
            seconds = time.perf_counter() - began
        return float(seconds * size / min(size, _WRITTEN))

    def _kept_beside(self, job: Job, share: float, seconds: float, steps: int) -> int:
        """Bytes of what a run holds beside what the few steps did: the best weights, the copy of a checkpoint where
        there will be one, the other examples' features, and what frozen layers gave for them."""
        weights = sum(tensor.nbytes for tensor in job.weights().values())
        state = job.optimizer.state_dict()["state"].values()
        moments = sum(v.nbytes for each in state for v in each.values() if isinstance(v, torch.Tensor))
        after, every = interval(self.spec.checkpoint_every)
        checkpointed = (after is not None and seconds > after) or (every is not None and steps >= every)
        copies = weights + (weights + moments if checkpointed else 0)
        features = sum(column.nbytes for column in job.features.token_columns())
        texts = round(len(job.features) / share) + len(self.plan.prepared.parts["validation"])
        kept = sum(each.expected(texts) - each.expected(len(each)) for each in job.shortcuts.kept)
        return copies + round(features * (1 / share - 1)) + max(0, kept)


def _sum(measured: int | None, known: int) -> int | None:
    return None if measured is None else measured + known


def _last(work: Any) -> FeatureSet:
    """What a generator gives in the end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: FeatureSet = end.value
            return found
