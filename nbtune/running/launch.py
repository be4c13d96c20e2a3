"""From what the user said to a run: check everything, open the folder, have it driven."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.control import Control, Stop
from nbtune.errors import Interrupted, RunError, SpecError, release
from nbtune.events import Preparing
from nbtune.running import background as trainings
from nbtune.running import folder as folders
from nbtune.running import interrupts
from nbtune.running.driving import drive, tell
from nbtune.running.folder import RunFolder
from nbtune.running.memory import give_back
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
    background: bool = False,
    **settings: Any,
) -> Run:
    """Fine-tune a model and return the run. `settings` are those of `RunSpec` and of the task, flat.

    The data may be a DataFrame, a list of dicts, a `datasets.Dataset`, a path, `hub:NAME`, `sample:TASK`, or the
    name of a variable in `namespace`. Everything the user may have got wrong is checked before training.

    With `background` the data is read and the model opened before this returns, so that mistakes are told here; the
    rest is done in a thread, which `Run.wait` waits for.

    Raises:
        SpecError, DataError, ModelError: what was asked for cannot be done; nothing was written.
        RunError: the name is taken, the runs folder cannot be written, or another run is training here.
        TrainingError: training could not go on; the best model so far is kept.
        Interrupted: the interrupt key was pressed before there was a run.
        KeyboardInterrupt: it was pressed a second time.
    """
    heard = control or Control()
    sources = {"data": data, "validation": validation, "test": test}
    with _attended(heard, "stopped before there was a run; nothing was written"):
        plan = _checked(task, sources, settings, watchers, heard, namespace=namespace, overwrite=overwrite)
        return drive(plan, watchers, in_background=background)


def resume(
    run: Run, *, watchers: Sequence[Watcher] = (), control: Control | None = None, background: bool = False
) -> Run:
    """Go on with a run that was stopped or cut off, from its newest whole checkpoint and the data it kept.

    Raises:
        RunError: the run has finished, or what it needs is missing.
    """
    heard = control or Control()
    with _attended(heard, f"stopped before the run {run.name!r} went on; it is as it was"):
        return drive(_found_again(run, heard), watchers, in_background=background)


@contextlib.contextmanager
def _attended(control: Control, too_early: str) -> Iterator[None]:
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
) -> Plan:
    """All that can be known before training, with a folder for the run."""
    spec, configured = make_spec(registry().task(task), _given(settings))
    trainings.refuse_second()
    _import_libraries()
    from nbtune.data.prepare import prepare

    with interrupts.at_once(control):
        base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
        tell(watchers, Preparing(stage="looking at the model", done=0, total=1))
        recipe = _recipe(spec, base)
        _refuse_taken(spec.name, overwrite)
        tell(watchers, Preparing(stage="reading the data", done=0, total=1))
        prepared = prepare(
            configured,
            **sources,
            columns=spec.columns,
            bad_rows=spec.bad_rows,
            validation_fraction=spec.validation_fraction,
            test_fraction=spec.test_fraction,
            seed=spec.seed,
            namespace=namespace,
        )
    folder = folders.create(spec.name, spec.task, overwrite=overwrite)
    described = {"data": prepared.data, **{part: _words(sources[part]) for part in ("validation", "test")}}
    spec = spec.model_copy(update={"name": folder.name, **described})
    folder.write_spec(spec)
    return _plan(spec, configured, base, recipe, prepared, folder, control)


def _found_again(run: Run, control: Control) -> Plan:
    """The plan of a run, from what its folder kept."""
    if run.status == "finished":
        raise RunError(f"the run {run.name!r} has finished", "start a new run, with this one's model_path as its model")
    trainings.refuse_second()
    _import_libraries()
    spec = run.spec
    task = registry().task(spec.task).configured(spec.options)
    with interrupts.at_once(control):
        base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
        prepared, recipe = _kept_data(run, task), _recipe(spec, base)
    return _plan(spec, task, base, recipe, prepared, RunFolder(run.folder), control, resume=True)


def _import_libraries() -> None:
    """An import that an interrupt cuts leaves modules half loaded, for the rest of the process: so these come first,
    where it waits."""
    import transformers  # noqa: F401

    import nbtune.data.prepare
    import nbtune.running.runner  # noqa: F401


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
        parts={part: list(task.arrange(examples, inventory, part)) for part, examples in raw.items()},
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
