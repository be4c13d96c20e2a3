"""Checkpoints: what a run needs to go on exactly where it was, written so that a half-written one is never used.

A checkpoint is a folder: tensors as safetensors, the rest as JSON, and `SHA256SUMS`, which `sha256sum -c` reads too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbtune.training.tensor_files import read_tensors, sha256, sync, write_synced, write_tensors

FORMAT = 3
"""Raised whenever the same state would go on otherwise: another layout, but also another order of batches."""

_WEIGHTS, _OPTIMIZER, _BEST, _STATE, _SUMS = (
    "weights.safetensors",
    "optimizer.safetensors",
    "best.safetensors",
    "state.json",
    "SHA256SUMS",
)
_NAME = re.compile(r"step-\d{8,}(-\d+)?")


class OtherFormatError(ValueError):
    """A checkpoint that another version wrote: whole, but not to be read here."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a training between two steps. `best` are the weights of the best evaluation so far."""

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]  # as `Optimizer.state_dict` gives it; without groups where nothing is to be learned
    best: Mapping[str, Tensor] | None
    state: Mapping[str, Any]  # plain JSON values


class HostCopy:
    """Buffers in the host's memory, filled again by each copy: the training goes on while they are written."""

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def take(self, snapshot: Snapshot) -> Snapshot:
        """A copy that further steps do not change. It is valid until the next one is taken."""
        optimizer = snapshot.optimizer
        entries = {
            index: {key: self._copy(f"{index}.{key}", value) for key, value in state.items()}
            for index, state in optimizer["state"].items()
        }
        weights = {name: self._copy(name, tensor) for name, tensor in snapshot.weights.items()}
        # groups are dictionaries that the schedule changes, `best` is replaced and never changed
        groups = [dict(group) for group in optimizer["param_groups"]]
        return replace(snapshot, weights=weights, optimizer={"state": entries, "param_groups": groups})

    def _copy(self, name: str, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != value.shape or buffer.dtype != value.dtype:
            buffer = self._buffers[name] = torch.empty(value.shape, dtype=value.dtype)
        return buffer.copy_(value.detach())


def free_name(folder: Path, step: int) -> str:
    """`step-00000120`, or `step-00000120-1` where there is one of this step: a good one is never removed first."""
    name = f"step-{step:08d}"
    same = [path for path in checkpoints(folder) if _order(path)[0] == step]
    return f"{name}-{_order(same[-1])[1] + 1}" if same else name


def write_checkpoint(folder: Path, name: str, snapshot: Snapshot) -> Path:
    """Write the checkpoint `name` (of `free_name`) below `folder`: built aside, synced, renamed. Returns its path.

    Raises:
        OSError: the disk is full, or the folder is gone. No earlier checkpoint is touched.
        ValueError: the weights are not finite, so that nobody could go on from them.
    """
    _refuse_broken(snapshot.weights)
    folder.mkdir(exist_ok=True)  # not its parents: a run's folder that was removed stays away
    target, aside = folder / name, folder / f".{name}.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        tensors, plain = _flatten(snapshot.optimizer)
        parts = {_WEIGHTS: snapshot.weights, _OPTIMIZER: tensors, _BEST: snapshot.best}
        sums = {name: write_tensors(aside / name, part) for name, part in parts.items() if part is not None}
        content = {"format": FORMAT, "optimizer": plain, "state": dict(snapshot.state)}
        sums[_STATE] = write_synced(aside / _STATE, iter([json.dumps(content).encode()]))
        write_synced(aside / _SUMS, (f"{digest}  {name}\n".encode() for name, digest in sums.items()))
        sync(aside)
        os.replace(aside, target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)  # give the room back
        raise
    sync(folder)
    return target


def read_checkpoint(path: Path) -> Snapshot:
    """What `write_checkpoint` was given, checked by its digests first.

    Raises:
        OtherFormatError: another version wrote it.
        ValueError: a part is missing or damaged.
    """
    content, present = _checked(path)
    try:
        optimizer = _unflatten(read_tensors(path / _OPTIMIZER), content["optimizer"])
        best = read_tensors(path / _BEST) if _BEST in present else None
        return Snapshot(read_tensors(path / _WEIGHTS), optimizer, best, content["state"])
    except (OSError, KeyError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def read_state(path: Path) -> Mapping[str, Any]:
    """The `state` of a checkpoint whose every part was found whole.

    Raises:
        OtherFormatError, ValueError: as `read_checkpoint`.
    """
    state: Mapping[str, Any] = _checked(path)[0]["state"]
    return state


def checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints below `folder`, oldest first."""
    return sorted((path for path in folder.glob("step-*") if _NAME.fullmatch(path.name) and path.is_dir()), key=_order)


def prune(folder: Path, keep: int = 2, newest: Path | None = None) -> None:
    """Remove all but the newest `keep` checkpoints, and what a killed writer left.

    Those after `newest` belong to a course that was left: a resume passed them over.
    """
    for path in folder.glob(".step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)
    known = checkpoints(folder)
    current = [path for path in known if newest is None or _order(path) <= _order(newest)]
    for path in known:
        if path not in current[-keep:]:
            shutil.rmtree(path, ignore_errors=True)


def _order(path: Path) -> tuple[int, int]:
    step, again = path.name.removeprefix("step-"), "0"
    if "-" in step:
        step, again = step.split("-")
    return int(step), int(again)


def _checked(path: Path) -> tuple[dict[str, Any], set[str]]:
    """The JSON of a checkpoint, and the names of its parts."""
    try:
        lines = (path / _SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        for name, digest in sums.items():
            if sha256(path / name) != digest:
                raise ValueError(f"{path.name}: {name} differs from its digest")
        content: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise OtherFormatError(f"format {content['format']}, this version reads {FORMAT}")
        if not {_WEIGHTS, _OPTIMIZER, _STATE} <= sums.keys():
            raise ValueError(f"{path.name}: {_SUMS} is cut short")
    except (OSError, KeyError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    return content, set(sums)


def _flatten(optimizer: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split an optimizer's state_dict into tensors and plain JSON values."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {"param_groups": optimizer["param_groups"], "state": {}}
    for index, entries in optimizer["state"].items():
        plain["state"][str(index)] = {}
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            else:
                plain["state"][str(index)][key] = value
    return tensors, plain


def _unflatten(tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in plain["state"].items()}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state[int(index)][key] = tensor
    return {"state": state, "param_groups": plain["param_groups"]}


def _refuse_broken(weights: Mapping[str, Tensor]) -> None:
    """A loss is read now and then; between two reads the weights may have become what nobody can go on from."""
    for name, tensor in weights.items():
        # not by torch, whose threads would be taken from the training
        values = tensor.detach().cpu().float().numpy() if tensor.is_floating_point() else np.zeros(1)
        if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
            raise ValueError(f"the weights of {name} are not finite")
