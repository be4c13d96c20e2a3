"""From what the user said to a run: check everything, open the folder, drive the events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.control import Control
from nbtune.errors import NbtuneError, RunError, SpecError
from nbtune.events import Event, Noted, Preparing, Started
from nbtune.events import Prepared as PreparedEvent
from nbtune.running import folder as folders
from nbtune.running import interrupts, locks
from nbtune.running.folder import RunFolder
from nbtune.running.run import Run
from nbtune.running.spec import RunSpec, make_spec
from nbtune.tasks.head import Recipe
from nbtune.tasks.hookspecs import Watcher
from nbtune.tasks.pretrained import Pretrained, pretrained
from nbtune.tasks.registry import registry

if TYPE_CHECKING:
    from nbtune.data.prepare import Prepared
    from nbtune.running.plan import Plan
    from nbtune.tasks.task import Task

USUAL_LENGTH = 512
"""Tokens, where neither the user nor the model says less: longer inputs cost memory with the square."""


def finetune(
    task: str,
    *,
    data: Any,
    validation: Any = None,
    test: Any = None,
    overwrite: bool = False,
    namespace: Mapping[str, Any] | None = None,
    watchers: Sequence[Watcher] = (),
    control: Control | None = None,
    **settings: Any,
) -> Run:
    """Fine-tune a model and return the run. `settings` are those of `RunSpec` and of the task, flat.

    The data may be a DataFrame, a list of dicts, a `datasets.Dataset`, a path, `hub:NAME`, `sample:TASK`, or the
    name of a variable in `namespace`. Everything the user may have got wrong is checked before training.

    Raises:
        SpecError, DataError, ModelError: what was asked for cannot be done; nothing was written.
        RunError: the name is taken, or the runs folder cannot be written.
        TrainingError: training could not go on; the best model so far is kept.
    """
    heard = control or Control()
    spec, configured = make_spec(registry().task(task), _given(settings))
    base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
    _tell(watchers, Preparing(stage="looking at the model", done=0, total=1))
    recipe = _recipe(spec, base)
    _refuse_taken(spec.name, overwrite)
    _tell(watchers, Preparing(stage="reading the data", done=0, total=1))
    parts = {"data": data, "validation": validation, "test": test}
    prepared = _prepare(spec, configured, spec.columns, namespace, **parts)
    folder = folders.create(spec.name, spec.task, overwrite=overwrite)
    sources = {"data": prepared.data, "validation": _words(validation), "test": _words(test)}
    spec = spec.model_copy(update={"name": folder.name, **sources})
    plan = _plan(spec, configured, base, recipe, prepared, folder, heard)
    with locks.hold(folder.path):
        if folder.is_run():  # another kernel was faster
            raise folders.taken(folder.name)
        _begin(plan)
        return _drive(plan, watchers)


def resume(
    run: Run,
    *,
    task: str | None = None,
    data: Any = None,
    validation: Any = None,
    test: Any = None,
    namespace: Mapping[str, Any] | None = None,
    watchers: Sequence[Watcher] = (),
    control: Control | None = None,
    **settings: Any,
) -> Run:
    """Go on with a run that was stopped or cut off, from its newest whole checkpoint and the data it kept.

    Nothing but the run is needed. What is given all the same (a task, data, settings) must be what the run has; only
    `checkpoint_every` and `device` may be others.

    Raises:
        RunError: the run has finished or is being trained; what it needs is missing or damaged; the data, a setting,
            the base model or the format of the checkpoints is not what it was.
    """
    from nbtune.running import resuming

    folder = RunFolder(run.folder)
    with locks.hold(folder.path):
        status, spec = folder.status(), folder.spec()
        if status == "finished":
            words = f"the run {run.name!r} has finished"
            raise RunError(words, "start a new run, with this one's model_path as its model")
        if task not in (None, spec.task):
            raise RunError(f"the run {run.name!r} learns {spec.task!r}, not {task!r}", "leave the task out")
        configured = registry().task(spec.task).configured(spec.options)
        trust = settings.pop("trust_remote_code", None) or run.trusted
        given = {**_given(settings), "trust_remote_code": trust}
        spec = resuming.spec_with(folder, configured, given)
        base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
        prepared = resuming.kept_data(folder, configured)
        if data is not None:
            parts = {"data": data, "validation": validation, "test": test}
            again = _prepare(spec, configured, given.get("columns") or spec.columns, namespace, **parts)
            resuming.refuse_other_data(run.name, prepared.raw, again.raw)
        resuming.refuse_other_making(folder, spec, base)
        # killed before it had told of its data: there is nothing to go on from
        begun = any(isinstance(event, PreparedEvent) for event in folder.events())
        if not begun:
            folder.event_log.cut(0)
        recipe = _recipe(spec, base)
        plan = _plan(spec, configured, base, recipe, prepared, folder, control or Control(), resume=begun)
        return _drive(plan, watchers, begun=True)


def _begin(plan: Plan) -> None:
    """Keep what a resume needs; the spec last, because a folder with a spec is a run.

    Raises:
        RunError: it cannot be written; the name is free again.
    """
    from nbtune.running import environment, identity, snapshot

    prepared, folder = plan.prepared, plan.folder
    try:
        with folder.writing("the data"):
            content = {
                "source": prepared.data,
                "split": prepared.made_split,
                "columns": dict(prepared.columns.names),
                "parts": snapshot.write_examples(folder.path, prepared.raw),
                "base": identity.base_digest(plan.base),
            }
            folder.write_json("data.json", content)
            folder.write_json("environment.json", environment.describe())
            folder.write_spec(plan.spec)
    except RunError:
        folder.remove()
        raise


def _drive(plan: Plan, watchers: Sequence[Watcher], begun: bool = False) -> Run:
    """Pull the events to the end, writing each down and showing it to everybody who watches."""
    from nbtune.running.runner import execute

    run = Run(plan.folder, plan.control, trust_remote_code=plan.spec.trust_remote_code)
    plugins = _Guarded(registry().watchers(run, plan.control))
    try:
        # closed here, so that nothing is written any more when the run is let go of
        with interrupts.heard_by(plan.control) as pressed, contextlib.closing(execute(plan)) as events:
            for event in events:
                begun = begun or isinstance(event, Started)
                _log(plan, event, watchers)
                _tell((*watchers, plugins), event)
                for note in plugins.take_notes():
                    _log(plan, note, watchers)
                    _tell(watchers, note)
    except NbtuneError:
        if not begun:  # nothing was learned: the name is free again
            plan.folder.remove()
        raise
    if pressed.insisted:
        raise KeyboardInterrupt
    return run


def _log(plan: Plan, event: Event, watchers: Iterable[Watcher]) -> None:
    trouble = plan.folder.log(event)
    if trouble:
        _tell(watchers, Noted(step=getattr(event, "step", 0), severity="warning", message=trouble))


class _Guarded:
    """Plugins' watchers: one that fails is dropped and named, and the training goes on."""

    def __init__(self, watchers: Iterable[Watcher]) -> None:
        self._watchers = list(watchers)
        self._notes: list[Noted] = []

    def on_event(self, event: Event) -> None:
        for watcher in list(self._watchers):
            try:
                watcher.on_event(event)
            except Exception as error:  # a stranger's code
                self._watchers.remove(watcher)
                words = f"the watcher {type(watcher).__name__} failed and was dropped: {type(error).__name__}: {error}"
                self._notes.append(Noted(step=getattr(event, "step", 0), severity="warning", message=words))

    def take_notes(self) -> list[Noted]:
        notes, self._notes = self._notes, []
        return notes


def _plan(
    spec: RunSpec,
    task: Task,
    base: Pretrained,
    recipe: Recipe,
    prepared: Prepared,
    folder: RunFolder,
    control: Control,
    resume: bool = False,
) -> Plan:
    from nbtune.running.plan import Plan

    return Plan(spec, task, base, recipe, prepared, folder, control, resume)


def _recipe(spec: RunSpec, base: Pretrained) -> Recipe:
    longest = base.longest
    if spec.max_length is not None and spec.max_length > longest:
        raise SpecError(
            f"max_length = {spec.max_length} is beyond the model: {spec.model!r} takes {longest} tokens at most",
            f"use max_length = {longest} or less",
        )
    return Recipe(
        max_length=spec.max_length or min(longest, USUAL_LENGTH),
        label_smoothing=spec.label_smoothing,
        class_weights=spec.class_weights,
        seed=spec.seed,
    )


def _prepare(
    spec: RunSpec,
    task: Task,
    columns: Mapping[str, Any],
    namespace: Mapping[str, Any] | None,
    **parts: Any,
) -> Prepared:
    from nbtune.data.prepare import prepare

    return prepare(
        task,
        **parts,
        columns=columns,
        bad_rows=spec.bad_rows,
        validation_fraction=spec.validation_fraction,
        test_fraction=spec.test_fraction,
        seed=spec.seed,
        namespace=namespace,
    )


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those left at None, which mean their default."""
    return {name: value for name, value in settings.items() if value is not None}


def _refuse_taken(name: str | None, overwrite: bool) -> None:
    """Say that a name is taken before the data is read; the folder itself is made after."""
    if name is not None and not overwrite and folders.is_taken(name):
        raise folders.taken(name)


def _words(source: Any) -> str:
    return source if isinstance(source, str) else "" if source is None else type(source).__name__


def _tell(watchers: Iterable[Watcher], event: Event) -> None:
    for watcher in watchers:
        watcher.on_event(event)
