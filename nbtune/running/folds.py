"""Out-of-fold judgements: models trained like a run's on parts of its training data, each judging the part it missed.

They live in memory and are gone afterwards; nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nbtune.control import Control, Stop
from nbtune.data.folds import fold_of
from nbtune.data.packing import pack
from nbtune.data.prepare import Prepared
from nbtune.errors import Interrupted
from nbtune.events import Ended, Evaluated, Stepped
from nbtune.running import background, interrupts, opened, resuming
from nbtune.running.folder import RunFolder
from nbtune.running.memory import give_back
from nbtune.running.model import Progress, kept_recipe
from nbtune.running.plan import Plan
from nbtune.running.runner import make_job
from nbtune.tasks.judging import Judgement, judgements
from nbtune.tasks.pretrained import pretrained
from nbtune.tasks.registry import registry
from nbtune.training.batches import forward_with
from nbtune.training.determinism import deterministic
from nbtune.training.job import Job
from nbtune.training.loop import set_training, train
from nbtune.training.shortcuts import pack_predictions
from nbtune.values import Example


def judge_by_folds(
    folder: RunFolder,
    count: int,
    *,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
    control: Control | None = None,
) -> tuple[Sequence[Example], list[Judgement | None]]:
    """The run's training examples with what models say that have not learned from them; None for an example with a
    label that only its own fold has.

    The models have the run's settings, base and validation data. `progress` is called with the steps taken and those
    of all folds.

    Raises:
        SpecError: there are too few or too many folds.
        RunError: a run is training here; what the run kept is missing or damaged.
        Interrupted: the interrupt key was pressed, or `control` asked to stop.
    """
    plan = _plan(folder, trust_remote_code, control or Control())
    examples = pack(plan.prepared.parts["train"])
    folds = fold_of(plan.task, examples, count, plan.spec.seed)
    training = background.begin(plan.folder.path, plan.control)
    opened.close()  # their memory is needed here
    found: list[Judgement | None] = [None] * len(examples)
    try:
        with interrupts.heard_by(plan.control), deterministic(plan.spec.deterministic):
            for fold in range(count):
                rest, own = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
                part = replace(plan.prepared, parts={**plan.prepared.parts, "train": examples.take(rest)})
                known = {label for example in part.parts["train"] for label in plan.task.labels_of(example)}
                for place, judgement in zip(
                    own, _judged(plan, part, examples.take(own), fold, count, progress), strict=True
                ):
                    labels = plan.task.labels_of(examples[int(place)])
                    found[place] = judgement if known.issuperset(labels) else None
    except Stop:
        raise Interrupted("stopped between the folds; nothing is kept of them", "start it again when ready") from None
    finally:
        training.end()
        give_back()
    return examples, found


def _plan(folder: RunFolder, trust_remote_code: bool, control: Control) -> Plan:
    spec = folder.spec()
    task = registry().task(spec.task).configured(spec.options)
    prepared: Prepared = resuming.kept_data(folder, task)
    return Plan(
        # what a fold encodes is of no use to a later run
        spec=spec.model_copy(update={"cache": False}),
        task=task,
        base=pretrained(spec.model, trust_remote_code=trust_remote_code),
        recipe=kept_recipe(folder.path),
        prepared=prepared,
        folder=RunFolder(folder.path.with_name(f"{folder.name}-folds")),  # never made
        control=control,
    )


def _judged(
    plan: Plan, part: Prepared, held_out: Sequence[Example], fold: int, folds: int, progress: Progress | None
) -> Iterator[Judgement]:
    """Train on the rest, and judge the examples that were held out."""
    job = _trained(replace(plan, prepared=part), fold, folds, progress)
    forward = forward_with(job.head, job.device, heed=plan.control.heed)
    yield from judgements(job.head, held_out, forward)


def _trained(plan: Plan, fold: int, folds: int, progress: Progress | None) -> Job:
    making = make_job(plan)
    while True:
        try:
            next(making)
        except StopIteration as made:
            job: Job = made.value
            break
    for event in train(job):
        if isinstance(event, Evaluated) and event.best:
            job.keep_best()
        if isinstance(event, Stepped) and progress is not None:
            progress(fold * job.total_steps + event.step, folds * job.total_steps)
        if isinstance(event, Ended) and event.status == "stopped":
            raise Stop
    job.finish()
    pack_predictions(job.head, job.device)
    set_training(job.head, False)
    return job
