"""Whether a run may go on: from the data, the settings and the base model that it learned with, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.errors import RunError
from nbtune.running import identity
from nbtune.running.folder import RunFolder
from nbtune.running.snapshot import fingerprint, read_examples
from nbtune.running.spec import RunSpec, make_spec
from nbtune.tasks.pretrained import Pretrained
from nbtune.tasks.task import Task
from nbtune.training import checkpoints
from nbtune.values import ColumnMap, Example, Part

if TYPE_CHECKING:
    from nbtune.data.fixes import Fixed
    from nbtune.data.prepare import Prepared

PARTS: tuple[Part, ...] = ("train", "validation", "test")


def spec_with(folder: RunFolder, task: Task, given: Mapping[str, Any]) -> RunSpec:
    """The spec of the run, with those of the settings `given` that a resume may change.

    Raises:
        SpecError: a setting is unknown or out of range.
        RunError: a setting differs that decides what is learned.
    """
    spec = folder.spec()
    wanted, _ = make_spec(task, given)
    then, now = {**spec.options, **identity.settings(spec)}, {**wanted.options, **identity.settings(wanted)}
    changed = [f"{name} = {now.get(name)!r} (it has {then.get(name)!r})" for name in given if _differs(name, then, now)]
    if given.get("name", folder.name) != folder.name:
        changed.append(f"name = {given['name']!r}")
    if changed:
        raise RunError(
            f"the run {folder.name!r} cannot go on with {', '.join(changed)}",
            "leave the setting out, or start a new run; this one's model_path can be its model",
        )
    # no one has to trust code because a folder says so
    harmless = {name: getattr(wanted, name) for name in ("checkpoint_every", "device") if name in given}
    return spec.model_copy(update={**harmless, "trust_remote_code": wanted.trust_remote_code})


def kept_data(folder: RunFolder, task: Task) -> Prepared:
    """The data as the run saw it.

    Raises:
        RunError: it is missing, or is not what the run wrote.
    """
    from nbtune.data.packing import pack
    from nbtune.data.prepare import Prepared

    content = folder.read_json("data.json")
    raw = {part: examples for part in PARTS if (examples := read_examples(folder.path, part)) is not None}
    if content is None or "train" not in raw:
        raise RunError(f"the run {folder.name!r} kept no data to go on with", "start a new run")
    for part, facts in content["parts"].items():
        if part not in raw or fingerprint(raw[part]) != facts["sha256"]:
            raise RunError(f"the kept {part} data of the run {folder.name!r} was changed", "start a new run")
    inventory = task.inventory(raw["train"])
    return Prepared(
        parts={part: pack(task.arrange(examples, inventory, part)) for part, examples in raw.items()},
        raw=raw,
        inventory=inventory,
        columns=ColumnMap({k: v if isinstance(v, str) else tuple(v) for k, v in content["columns"].items()}),
        findings=(),
        data=content["source"],
        made_split=content["split"],
        fixes=fixes_of(content),
        corrections=content.get("corrections"),
    )


def fixes_of(content: Mapping[str, Any]) -> tuple[Fixed, ...]:
    """What was changed in the data, as `data.json` has it."""
    from nbtune.data.fixes import Fixed

    return tuple(Fixed(**{**fixed, "rows": tuple(fixed["rows"])}) for fixed in content.get("fixes", ()))


def refuse_other_data(
    name: str, kept: Mapping[Part, Sequence[Example]], given: Mapping[Part, Sequence[Example]]
) -> None:
    """Raise unless the data given with a resume is the data the run learned from."""
    for part in dict.fromkeys((*kept, *given)):
        then, now = kept.get(part, []), given.get(part, [])
        if fingerprint(then) != fingerprint(now):
            raise RunError(
                f"the {part} data is not what the run {name!r} learned from: {_difference(then, now)}",
                "leave the data out, the run has kept its own; or start a new run",
            )


def refuse_other_making(folder: RunFolder, spec: RunSpec, base: Pretrained) -> None:
    """Raise if the newest whole checkpoint belongs to other settings, data, base or another version of the format."""
    content = folder.read_json("data.json") or {}
    then: Mapping[str, Any] = {"base": content.get("base")}
    for path in reversed(checkpoints.checkpoints(folder.checkpoints)):
        try:
            then = checkpoints.read_state(path)["made_of"]
            # a setting that came later had its default's effect then
            then = {
                **then,
                "settings": {**identity.settings(RunSpec.model_validate({"task": spec.task})), **then["settings"]},
            }
            break
        except checkpoints.OtherFormatError as error:
            raise RunError(
                f"the checkpoints of the run {folder.name!r} have another {error}",
                "resume with the nbtune that wrote them (environment.json names it), or start a new run",
            ) from None
        except ValueError:  # damaged: passed over, which `restore` says
            continue
    data = {part: facts["sha256"] for part, facts in content.get("parts", {}).items()}
    now = {"settings": identity.settings(spec), "data": data, "base": identity.base_digest(base)}
    known = {name: now[name] for name in now if then.get(name) is not None}
    changes = identity.differences({name: then[name] for name in known}, known)
    if changes:
        words = "; ".join(change.removeprefix("settings.") for change in changes)
        raise RunError(
            f"the run {folder.name!r} cannot go on, since its checkpoint {words}",
            "undo the change, or start a new run",
        )


def _differs(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return name not in identity.HARMLESS and then.get(name) != now.get(name)


def _difference(then: Sequence[Example], now: Sequence[Example]) -> str:
    if len(then) != len(now):
        return f"{len(then):,} examples then, {len(now):,} now"
    rows = (new.row for old, new in zip(then, now, strict=True) if fingerprint([old]) != fingerprint([new]))
    return f"the first row that differs is {next(rows)}"
