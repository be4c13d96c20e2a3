"""From what the user said to a run: check everything, open the folder, have it driven."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nbtune.control import Control, Stop
from nbtune.errors import Interrupted, RunError, SpecError, release
from nbtune.events import Prepared as PreparedEvent
from nbtune.events import Preparing
from nbtune.running import background as trainings
from nbtune.running import folder as folders
from nbtune.running import interrupts, locks, seeds
from nbtune.running.driving import drive, tell
from nbtune.running.folder import RunFolder
from nbtune.running.memory import give_back
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
    background: bool = False,
    **settings: Any,
) -> Run:
    """Fine-tune a model and return the run. `settings` are those of `RunSpec` and of the task, flat.

    The data may be a DataFrame, a list of dicts, a `datasets.Dataset`, a path, `hub:NAME`, `sample:TASK`, or the
    name of a variable in `namespace`. Everything the user may have got wrong is checked before training.

    With `background` the data is read and the model opened before this returns, so that mistakes are told here; the
    rest is done in a thread, which `Run.wait` waits for.

    With `seeds` = 5 it is trained five times, each a run of its own (NAME, NAME.seed1, ...); the first is returned, and
    its report tells the mean and spread of all, for which `Run.wait` waits, too.

    Raises:
        SpecError, DataError, ModelError: what was asked for cannot be done; nothing was written.
        RunError: the name is taken, the runs folder cannot be written, or another run is training here.
        TrainingError: training could not go on; the best model so far is kept.
        Interrupted: the interrupt key was pressed before there was a run.
        KeyboardInterrupt: it was pressed a second time.
    """
    heard = control or Control()
    sources = {"data": data, "validation": validation, "test": test}
    with attended(heard, "stopped before there was a run; nothing was written"), contextlib.ExitStack() as held:
        plan = _checked(
            task, sources, settings, watchers, heard, namespace=namespace, overwrite=overwrite, background=background
        )
        held.enter_context(locks.hold(plan.folder.path))
        if plan.folder.is_run():  # another kernel was faster
            raise folders.taken(plan.folder.path)
        interrupts.whole(heard, begin, plan)
        further = functools.partial(seeds.train_further, watchers=watchers, control=heard)
        run = drive(plan, watchers, held, in_background=background, begun=False, further=further)
    return run if background else seeds.train_further(run, watchers, control)


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
    background: bool = False,
    **settings: Any,
) -> Run:
    """Go on with a run that was stopped or cut off, from its newest whole checkpoint and the data it kept.

    Nothing but the run is needed. What is given all the same (a task, data, settings) must be what the run has; only
    `checkpoint_every` and `device` may be others.

    Raises:
        RunError: the run has finished or is being trained; what it needs is missing or damaged; the data, a setting,
            the base model or the format of the checkpoints is not what it was.
    """
    if background:
        seeds.refuse_displays(run.spec, watchers)
    if seeds.only_further_missing(run):
        train = seeds.train_further_behind if background else seeds.train_further
        return train(run, watchers, control)
    heard = control or Control()
    too_early = f"stopped before the run {run.name!r} went on; it is as it was"
    parts = {"data": data, "validation": validation, "test": test}
    trainings.refuse_second()
    with attended(heard, too_early), contextlib.ExitStack() as held:
        held.enter_context(locks.hold(run.folder))
        import_libraries()
        with interrupts.at_once(heard):
            plan = _found_again(run, task, parts, namespace, heard, settings)
        further = functools.partial(seeds.train_further, watchers=watchers, control=heard)
        run = drive(plan, watchers, held, in_background=background, begun=True, further=further)
    return run if background else seeds.train_further(run, watchers, control)


def _found_again(
    run: Run,
    task: str | None,
    parts: Mapping[str, Any],
    namespace: Mapping[str, Any] | None,
    control: Control,
    settings: Mapping[str, Any],
) -> Plan:
    """The plan of a run, from what its folder kept."""
    from nbtune.running import resuming

    folder = RunFolder(run.folder)
    status, spec = folder.status(), folder.spec()
    if status == "finished":
        words = f"the run {run.name!r} has finished"
        raise RunError(words, "start a new run, with this one's model_path as its model")
    if task not in (None, spec.task):
        raise RunError(f"the run {run.name!r} learns {spec.task!r}, not {task!r}", "leave the task out")
    configured = registry().task(spec.task).configured(spec.options)
    given = {**_given(settings), "trust_remote_code": settings.get("trust_remote_code") or run.trusted}
    spec = resuming.spec_with(folder, configured, given)
    base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
    prepared = resuming.kept_data(folder, configured)
    if parts["data"] is not None:
        again = _prepare(spec, configured, given.get("columns") or spec.columns, namespace, **parts)
        resuming.refuse_other_data(run.name, prepared.raw, again.raw)
    resuming.refuse_other_making(folder, spec, base)
    # killed before it had told of its data: there is nothing to go on from
    begun = any(isinstance(event, PreparedEvent) for event in folder.events())
    if not begun:
        folder.event_log.cut(0)
    return make_plan(spec, configured, base, recipe_of(spec, base), prepared, folder, control, resume=begun)


@contextlib.contextmanager
def attended(control: Control, too_early: str) -> Iterator[None]:
    """Hear the interrupt key, and give back what a traceback would keep in memory."""
    try:
        with interrupts.heard_by(control):
            yield
    except Stop:
        raise Interrupted(too_early, "start it again when ready") from None
    except BaseException as error:
        release(error)
        raise
    finally:
        give_back()


def _checked(
    task: str,
    sources: Mapping[str, Any],
    settings: Mapping[str, Any],
    watchers: Sequence[Watcher],
    control: Control,
    *,
    namespace: Mapping[str, Any] | None,
    overwrite: bool,
    background: bool,
) -> Plan:
    """All that can be known before training, with a folder for the run."""
    spec, configured = make_spec(registry().task(task), _given(settings))
    if background:
        seeds.refuse_displays(spec, watchers)
    trainings.refuse_second()
    import_libraries()

    further = seeds.endings(spec)
    with interrupts.at_once(control):
        base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
        tell(watchers, Preparing(stage="looking at the model", done=0, total=1))
        recipe = recipe_of(spec, base)
        if spec.name is not None and not overwrite:  # before the data is read; the folder itself is made after
            folders.refuse_taken(spec.name, further)
        tell(watchers, Preparing(stage="reading the data", done=0, total=1))
        prepared = _prepare(spec, configured, spec.columns, namespace, **sources)
    if spec.name is not None and overwrite:  # of a family of five, two that are asked for now leave none of the others
        further = sorted({*further, *seeds.former(spec.name)})
    folder = folders.create(spec.name, spec.task, overwrite=overwrite, further=further)
    described = {"data": prepared.data, **{part: _words(sources[part]) for part in ("validation", "test")}}
    spec = spec.model_copy(update={"name": folder.name, **described})
    return make_plan(spec, configured, base, recipe, prepared, folder, control)


def import_libraries() -> None:
    """An import that an interrupt cuts leaves modules half loaded, for the rest of the process: so these come first,
    where it waits."""
    import transformers  # noqa: F401

    import nbtune.data.prepare
    import nbtune.running.runner  # noqa: F401


def begin(plan: Plan) -> None:
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
                "fixes": [asdict(fixed) for fixed in prepared.fixes],
                "parts": snapshot.write_examples(folder.path, prepared.raw),
                "base": identity.base_digest(plan.base),
                **({"corrections": dict(prepared.corrections)} if prepared.corrections else {}),
            }
            folder.write_json("data.json", content)
            folder.write_json("environment.json", environment.describe())
            folder.write_spec(plan.spec)
    except RunError:
        folder.remove()
        raise


def make_plan(
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


def recipe_of(spec: RunSpec, base: Pretrained) -> Recipe:
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

    return prepare(task, **parts, **{**spec.for_reading(), "columns": columns}, namespace=namespace)


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those left at None, which mean their default."""
    return {name: value for name, value in settings.items() if value is not None}


def _words(source: Any) -> str:
    return source if isinstance(source, str) else "" if source is None else type(source).__name__
