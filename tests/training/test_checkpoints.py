"""Checkpoints: whole or not used, and everything in them comes back."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nbtune.training.checkpoints import (
    FORMAT,
    HostCopy,
    OtherFormatError,
    Snapshot,
    checkpoints,
    free_name,
    prune,
    read_checkpoint,
    read_state,
    write_checkpoint,
)
from nbtune.training.randomness import random_state, seed_generators, set_random_state


def snapshot(step: int, best: bool = True) -> Snapshot:
    torch.manual_seed(step)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return Snapshot(weights, optimizer.state_dict(), {"bias": torch.ones(2)} if best else None, {"step": step})


def write(folder: Path, step: int) -> Path:
    return write_checkpoint(folder, free_name(folder, step), snapshot(step))


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    was = snapshot(5)
    back = read_checkpoint(write(tmp_path, 5))
    assert back.state == {"step": 5} == read_state(tmp_path / "step-00000005")
    assert back.best is not None
    assert torch.equal(back.best["bias"], torch.ones(2))
    assert all(torch.equal(back.weights[name], was.weights[name]) for name in was.weights)
    assert torch.equal(back.optimizer["state"][0]["exp_avg"], was.optimizer["state"][0]["exp_avg"])
    assert back.optimizer["param_groups"] == json.loads(json.dumps(was.optimizer["param_groups"]))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool])
def test_every_kind_of_tensor_is_read_back_by_the_library(tmp_path: Path, kind: torch.dtype) -> None:
    weights = {"a": torch.arange(6).reshape(2, 3).to(kind), "empty": torch.zeros(0, dtype=kind), "one": torch.ones(())}
    path = write_checkpoint(tmp_path, "step-00000001", Snapshot(weights, {"state": {}, "param_groups": []}, None, {}))
    back = load_file(path / "weights.safetensors")
    assert {name: tensor.dtype for name, tensor in back.items()} == {"a": kind, "empty": kind, "one": torch.float32}
    assert all(torch.equal(back[name], weights[name]) for name in weights)


def test_the_digests_are_what_sha256sum_reads(tmp_path: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=write(tmp_path, 1), capture_output=True, text=True)
    assert checked.returncode == 0
    assert checked.stdout.count(": OK") == 4


def test_a_copy_does_not_follow_the_training(tmp_path: Path) -> None:
    was, copies = snapshot(1), HostCopy()
    first = copies.take(was)
    before = first.weights["bias"].clone()
    was.weights["bias"].add_(1)
    was.optimizer["param_groups"][0]["lr"] = 9.0
    assert torch.equal(first.weights["bias"], before)
    assert first.optimizer["param_groups"][0]["lr"] == 1e-3
    second = copies.take(was)
    assert torch.equal(second.weights["bias"], before + 1)
    assert second.weights["bias"].data_ptr() == first.weights["bias"].data_ptr()  # no memory is asked for twice


def test_weights_that_are_not_finite_are_no_checkpoint(tmp_path: Path) -> None:
    broken = snapshot(2)
    broken.weights["bias"][1] = float("nan")
    write(tmp_path, 1)
    with pytest.raises(ValueError, match="the weights of bias are not finite"):
        write_checkpoint(tmp_path, free_name(tmp_path, 2), broken)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_another_format_is_told_from_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, 1)
    monkeypatch.setattr("nbtune.training.checkpoints.FORMAT", FORMAT + 1)
    with pytest.raises(OtherFormatError, match=f"format {FORMAT}, this version reads {FORMAT + 1}"):
        read_checkpoint(path)


def test_a_step_saved_again_leaves_the_first_one_alone(tmp_path: Path) -> None:
    names = [write(tmp_path, step).name for step in (3, 3, 3, 12)]
    assert names == ["step-00000003", "step-00000003-1", "step-00000003-2", "step-00000012"]
    assert [path.name for path in checkpoints(tmp_path)] == names


def test_what_a_resume_passed_over_goes_with_the_next_checkpoint(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        write(tmp_path, step)
    (tmp_path / "step-mine").mkdir()
    prune(tmp_path, newest=write(tmp_path, 3))  # 4 and 6 were damaged
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003", "step-mine"]


@pytest.mark.parametrize(
    "part", ["weights.safetensors", "optimizer.safetensors", "best.safetensors", "state.json", "SHA256SUMS"]
)
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, part: str, harm: str) -> None:
    path = write(tmp_path, 1)
    content = bytearray((path / part).read_bytes())
    if harm == "flip":
        content[len(content) // 3] ^= 0x01
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
    seed_generators(3)
    state = json.loads(json.dumps(random_state()))
    first = (random.random(), float(np.random.rand()), float(torch.rand(1)))
    set_random_state(state)
    assert (random.random(), float(np.random.rand()), float(torch.rand(1))) == first


def test_a_seed_starts_every_generator() -> None:
    drawn = []
    for _ in range(2):
        seed_generators(2**40 + 5)
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(1))))
    assert drawn[0] == drawn[1]
