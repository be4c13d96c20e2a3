"""From what the user said to a run: check everything, open the folder, drive the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.control import Control
from nbtune.errors import NbtuneError, RunError, SpecError
from nbtune.events import Event, Noted, Preparing, Started
from nbtune.running import folder as folders
from nbtune.running import interrupts
from nbtune.running.folder import RunFolder
from nbtune.running.run import Run
from nbtune.running.spec import RunSpec, make_spec
from nbtune.tasks.head import Recipe
from nbtune.tasks.hookspecs import Watcher
from nbtune.tasks.pretrained import Pretrained, pretrained
from nbtune.tasks.registry import registry
from nbtune.values import Part

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
    from nbtune.data.prepare import prepare

    heard = control or Control()
    spec, configured = make_spec(registry().task(task), _given(settings))
    base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
    _tell(watchers, Preparing(stage="looking at the model", done=0, total=1))
    recipe = _recipe(spec, base)
    _refuse_taken(spec.name, overwrite)
    _tell(watchers, Preparing(stage="reading the data", done=0, total=1))
    prepared = prepare(
        configured,
        data=data,
        validation=validation,
        test=test,
        columns=spec.columns,
        bad_rows=spec.bad_rows,
        validation_fraction=spec.validation_fraction,
        test_fraction=spec.test_fraction,
        seed=spec.seed,
        namespace=namespace,
    )
    folder = folders.create(spec.name, spec.task, overwrite=overwrite)
    sources = {"data": prepared.data, "validation": _words(validation), "test": _words(test)}
    spec = spec.model_copy(update={"name": folder.name, **sources})
    folder.write_spec(spec)
    return _drive(_plan(spec, configured, base, recipe, prepared, folder, heard), watchers)


def resume(run: Run, *, watchers: Sequence[Watcher] = (), control: Control | None = None) -> Run:
    """Go on with a run that was stopped or cut off, from its newest whole checkpoint and the data it kept.

    Raises:
        RunError: the run has finished, or what it needs is missing.
    """
    if run.status == "finished":
        raise RunError(f"the run {run.name!r} has finished", "start a new run, with this one's model_path as its model")
    spec = run.spec
    task = registry().task(spec.task).configured(spec.options)
    base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
    prepared = _kept_data(run, task)
    folder = RunFolder(run.folder)
    plan = _plan(spec, task, base, _recipe(spec, base), prepared, folder, control or Control(), resume=True)
    return _drive(plan, watchers)


def _drive(plan: Plan, watchers: Sequence[Watcher]) -> Run:
    """Pull the events to the end, writing each down and showing it to everybody who watches."""
    from nbtune.running.runner import execute

    run = Run(plan.folder, plan.control, trust_remote_code=plan.spec.trust_remote_code)
    plugins = _Guarded(registry().watchers(run, plan.control))
    begun = plan.resume
    try:
        with interrupts.heard_by(plan.control) as pressed:
            for event in execute(plan):
                begun = begun or isinstance(event, Started)
                plan.folder.log(event)
                _tell((*watchers, plugins), event)
                for note in plugins.take_notes():
                    plan.folder.log(note)
                    _tell(watchers, note)
    except NbtuneError:
        if not begun:  # nothing was learned: the name is free again
            plan.folder.remove()
        raise
    if pressed.insisted:
        raise KeyboardInterrupt
    return run


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


def _kept_data(run: Run, task: Task) -> Prepared:
    from nbtune.data.packing import pack
    from nbtune.data.prepare import Prepared
    from nbtune.running.snapshot import fingerprint, read_examples
    from nbtune.values import ColumnMap

    content = RunFolder(run.folder).read_json("data.json")
    parts: tuple[Part, ...] = ("train", "validation", "test")
    raw = {part: examples for part in parts if (examples := read_examples(run.folder, part)) is not None}
    if content is None or "train" not in raw:
        raise RunError(f"the run {run.name!r} kept no data to go on with", "start a new run")
    for part, examples in raw.items():
        if fingerprint(examples) != content["parts"][part]["sha256"]:
            raise RunError(f"the kept {part} data of {run.name!r} was changed", "start a new run")
    inventory = task.inventory(raw["train"])
    return Prepared(
        parts={part: pack(task.arrange(examples, inventory, part)) for part, examples in raw.items()},
        raw=raw,
        inventory=inventory,
        columns=ColumnMap({k: v if isinstance(v, str) else tuple(v) for k, v in content["columns"].items()}),
        findings=(),
        data=content["source"],
        made_split=content["split"],
    )


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those left at None, which mean their default."""
    return {name: value for name, value in settings.items() if value is not None}


def _refuse_taken(name: str | None, overwrite: bool) -> None:
    """Say that a name is taken before the data is read; the folder itself is made after."""
    if name is not None and not overwrite and (folders.runs_dir() / name).exists():
        raise RunError(
            f"there is already a run named {name!r}",
            f"choose another name, open it with nbtune.load({name!r}), or say overwrite = true",
        )


def _words(source: Any) -> str:
    return source if isinstance(source, str) else "" if source is None else type(source).__name__


def _tell(watchers: Iterable[Watcher], event: Event) -> None:
    for watcher in watchers:
        watcher.on_event(event)
