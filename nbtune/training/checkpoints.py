"""Checkpoints: what a run needs to go on exactly where it was, written so that a half-written one is never used."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

FORMAT = 1
_PARTS = ("weights.safetensors", "optimizer.safetensors")


def write_checkpoint(
    folder: Path, step: int, weights: Mapping[str, Tensor], optimizer: Mapping[str, Any], state: Mapping[str, Any]
) -> Path:
    """Write `step-000120/` below `folder`: built aside, synced, then renamed. Returns its path."""
    target = folder / f"step-{step:08d}"
    aside = folder / f".{target.name}.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    tensors, plain = _flatten(optimizer)
    save_file(_contiguous(weights), aside / _PARTS[0])
    save_file(_contiguous(tensors), aside / _PARTS[1])
    digests = {part: _sha256(aside / part) for part in _PARTS}
    content = {"format": FORMAT, "digests": digests, "optimizer": plain, "state": dict(state)}
    (aside / "state.json").write_text(json.dumps(content), encoding="utf-8")
    for path in aside.iterdir():
        sync(path)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(aside, target)
    sync(folder)
    return target


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Weights, optimizer state and loop state.

    Raises:
        ValueError: a part is missing, damaged, or of another format.
    """
    try:
        content = json.loads((path / "state.json").read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"checkpoint format {content['format']}, this version reads {FORMAT}")
        for part, digest in content["digests"].items():
            if _sha256(path / part) != digest:
                raise ValueError(f"{part} differs from its digest")
        weights = load_file(path / _PARTS[0])
        optimizer = _unflatten(load_file(path / _PARTS[1]), content["optimizer"])
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    return weights, optimizer, content["state"]


def checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints below `folder`, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def prune(folder: Path, keep: int = 2) -> None:
    """Remove all but the newest `keep` checkpoints."""
    for path in checkpoints(folder)[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def random_state() -> dict[str, Any]:
    """The state of python's, numpy's and torch's random generators as plain values."""
    version, internal, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    state: dict[str, Any] = {
        "python": [version, list(internal), gauss],
        "numpy": [kind, np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
    }
    if torch.cuda.is_available():
        state["cuda"] = [device.numpy().tobytes().hex() for device in torch.cuda.get_rng_state_all()]
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Take back what `random_state` gave."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(_bytes_tensor(state["torch"]))
    if torch.cuda.is_available() and "cuda" in state:
        torch.cuda.set_rng_state_all([_bytes_tensor(device) for device in state["cuda"]])


def sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _bytes_tensor(text: str) -> Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
