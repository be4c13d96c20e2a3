"""A family of runs that differ in their seed alone: the first, which was asked for, and the further ones beside it.

Each is a run like any other (NAME, NAME.seed1, NAME.seed2 ...), from the data that the first has kept.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbtune.control import Control
from nbtune.errors import NbtuneError, RunError, SpecError
from nbtune.running import folder as folders
from nbtune.running import identity, interrupts, locks
from nbtune.running.folder import RunFolder
from nbtune.running.run import Run
from nbtune.running.spec import RunSpec
from nbtune.tasks.hookspecs import Watcher
from nbtune.tasks.pretrained import pretrained
from nbtune.tasks.registry import registry

if TYPE_CHECKING:
    from nbtune.evaluation.report import Report
    from nbtune.running.asked import Answered


def endings(spec: RunSpec) -> list[str]:
    """What the names of the further runs of a family add to that of the first."""
    return [f".seed{spec.seed + place}" for place in range(1, spec.seeds)]


def former(name: str) -> list[str]:
    """What the names of the further runs add that a run of this name has beside it now; they go where it goes."""
    folder = RunFolder(folders.runs_dir() / name)
    with contextlib.suppress(NbtuneError):  # its spec cannot be read: nobody knows whether it had any
        return [other.name.removeprefix(name) for other in _further(Run(folder))] if folder.is_run() else []
    return []


def family(run: Run) -> list[Run]:
    """The run, then the further ones of its family that have finished."""
    return [run, *(other for other in _further(run) if other.status == "finished")]


def only_further_missing(run: Run) -> bool:
    """Whether the run itself has finished, and one of its family has not."""
    spec = RunFolder(run.folder).spec()
    return spec.seeds > 1 and run.status == "finished" and len(family(run)) < spec.seeds


def train_further(first: Run, watchers: Sequence[Watcher], control: Control | None) -> Run:
    """Train what is missing of the family of a run that has finished, and put the spread into its report.

    A run that is stopped ends it; resuming the first goes on there.

    Raises:
        RunError: another run has the name of one of the family.
    """
    from nbtune.running.launch import resume

    spec = RunFolder(first.folder).spec()
    if spec.seeds == 1 or RunFolder(first.folder).status() != "finished":
        return first
    for place, name in enumerate(_names(first, spec), start=1):
        own = [another(watcher) for watcher in watchers]
        folder = RunFolder(first.folder.parent / name)
        if not folder.is_run():
            run = _train(first, name, spec.seed + place, own, control)
        else:
            _refuse_stranger(first, folder)
            run = Run(folder)
            if run.status != "finished":
                run = resume(run, watchers=own, control=control)
        if run.status != "finished":
            return first
    _write_report(first)
    return first


def train_further_behind(first: Run, watchers: Sequence[Watcher], control: Control | None) -> Run:
    """The same in a thread, which `Run.wait` of what is returned waits for."""
    from nbtune.running import background
    from nbtune.running.driving import telling_failure

    training = background.begin(first.folder, control or Control())
    run = Run(RunFolder(first.folder), trust_remote_code=first.trusted, training=training)
    work = functools.partial(train_further, run, watchers, training.control)
    training.go_on_in_thread(work, telling_failure(watchers, training), contextlib.ExitStack())
    return run


def refuse_displays(spec: RunSpec, watchers: Sequence[Watcher]) -> None:
    """Where a family is to be trained in the background.

    Raises:
        SpecError: it is to be shown in a cell, which has no place for a further display once it is done.
    """
    if spec.seeds > 1 and any(getattr(watcher, "in_cell", False) for watcher in watchers):
        words = (
            f"seeds = {spec.seeds} cannot be shown from the background: each run has a display, and the cell is done"
        )
        raise SpecError(words, "leave the background out, or train them in the dashboard")


def another(watcher: Watcher) -> Watcher:
    """The watcher for a further run: a new one from a display that says how, else the same."""
    make = getattr(watcher, "of_another_run", None)
    made: Watcher = watcher if make is None else make()
    return made


def with_spread(report: Report, first: Answered, further: Sequence[Answered]) -> Report:
    """The report with the spread of all metrics over the family."""
    from nbtune.evaluation.reporting import over_seeds

    metrics = first.model.task.metrics(first.model.inventory)
    return over_seeds(report, metrics, first.examples, [each.predictions for each in (first, *further)])


def _names(first: Run, spec: RunSpec) -> Iterator[str]:
    return (f"{first.name}{ending}" for ending in endings(spec))


def _further(first: Run) -> Iterator[Run]:
    spec = RunFolder(first.folder).spec()
    for name in _names(first, spec):
        folder = RunFolder(first.folder.parent / name)
        if folder.is_run() and not _foreign(first, folder):
            yield Run(folder)


def _refuse_stranger(first: Run, folder: RunFolder) -> None:
    """Raise unless the run in `folder` learns the same from the same data with another seed."""
    changes = _foreign(first, folder)
    if changes:
        raise RunError(
            f"{folder.name!r} would be one of the seeds of {first.name!r}, but it is another run: {changes[0]}",
            "give the family another name, or move that run's folder away",
        )


def _foreign(first: Run, folder: RunFolder) -> list[str]:
    """What the run in `folder` was told otherwise than the first, beside its seed; empty for one of the family."""

    def made_of(own: RunFolder) -> dict[str, Any]:
        parts = (own.read_json("data.json") or {}).get("parts", {})
        settings = {**identity.settings(own.spec()), "seed": None}
        return {"settings": settings, "data": {part: facts["sha256"] for part, facts in parts.items()}}

    return identity.differences(made_of(RunFolder(first.folder)), made_of(folder))


def _train(first: Run, name: str, seed: int, watchers: Sequence[Watcher], control: Control | None) -> Run:
    """Train once more as `first` was, with another seed, from the data it kept."""
    from nbtune.running import launch, resuming
    from nbtune.running.driving import drive

    heard = control or Control()
    too_early = f"stopped before {name!r}; resuming {first.name!r} goes on with its seeds"
    with launch.attended(heard, too_early), contextlib.ExitStack() as held:
        with interrupts.at_once(heard):
            was = RunFolder(first.folder).spec()
            split = was.seed if was.split_seed is None else was.split_seed
            spec = was.model_copy(update={"name": name, "seed": seed, "seeds": 1, "split_seed": split})
            task = registry().task(spec.task).configured(spec.options)
            base = pretrained(spec.model, trust_remote_code=first.trusted)
            prepared = resuming.kept_data(RunFolder(first.folder), task)
        recipe = replace(launch.recipe_of(spec, base), seed=seed)
        folder = folders.create(name, spec.task, beside=RunFolder(first.folder))
        plan = launch.make_plan(spec, task, base, recipe, prepared, folder, heard)
        held.enter_context(locks.hold(plan.folder.path))
        interrupts.whole(heard, launch.begin, plan)
        return drive(plan, watchers, held, in_background=False, begun=False)


def _write_report(first: Run) -> None:
    """The report of the first run again, with the spread of its family."""
    from nbtune.running import card, resuming

    report = first.report
    if report is None:
        return
    answers = [run.answers() for run in family(first)]
    report = with_spread(report, answers[0], answers[1:])
    folder = RunFolder(first.folder)
    with folder.writing("the report"):
        folder.write("report.json", report.to_json())
        data = folder.read_json("data.json") or {}
        fixes = resuming.fixes_of(data)
        text = card.model_card(folder.name, folder.spec(), data.get("source", ""), report, fixes)
        folder.write("README.md", text)
