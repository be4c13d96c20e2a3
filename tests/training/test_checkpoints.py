"""Checkpoints: whole or not used, and everything in them comes back."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from nbtune.training.checkpoints import (
    checkpoints,
    prune,
    random_state,
    read_checkpoint,
    set_random_state,
    write_checkpoint,
)


def write(folder: Path, step: int) -> Path:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return write_checkpoint(folder, step, dict(model.named_parameters()), optimizer.state_dict(), {"step": step})


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    weights, optimizer, state = read_checkpoint(write(tmp_path, 5))
    assert state == {"step": 5}
    assert set(weights) == {"weight", "bias"}
    assert optimizer["state"][0]["exp_avg"].shape == (2, 3)
    assert optimizer["param_groups"][0]["lr"] == 1e-3


@pytest.mark.parametrize("part", ["weights.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, part: str, harm: str) -> None:
    path = write(tmp_path, 1)
    content = bytearray((path / part).read_bytes())
    if harm == "flip":
        content[len(content) // 3] ^= 0xFF
    (path / part).write_bytes(content[: len(content) // 2] if harm == "cut" else content)
    if harm == "remove":
        (path / part).unlink()
    with pytest.raises(ValueError):  # noqa: PT011  # the messages differ with the harm
        read_checkpoint(path)


def test_only_finished_checkpoints_are_listed_and_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        write(tmp_path, step)
    (tmp_path / ".step-00000009.tmp").mkdir()
    prune(tmp_path)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002", "step-00000003"]


def test_random_generators_go_on_where_they_were() -> None:
    state = random_state()
    first = (random.random(), float(np.random.rand()), float(torch.rand(1)))
    set_random_state(state)
    assert (random.random(), float(np.random.rand()), float(torch.rand(1))) == first
