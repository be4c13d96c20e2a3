"""Devices and precision: chosen by what is there, refused in words."""

from __future__ import annotations

import os

import pytest
import torch

from nbtune.errors import SpecError
from nbtune.training.devices import choose_device, cpu_quota


def test_a_cpu_computes_in_fp32_by_default() -> None:
    device = choose_device("cpu")
    assert (device.kind, device.precision, device.needs_scaling) == ("cpu", "fp32", False)


def test_bf16_on_a_cpu_is_a_choice() -> None:
    device = choose_device("cpu", "bf16")
    with device.autocast():
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("gpu", "auto", "there is no device 'gpu'"),
        ("cpu", "fp16", "'fp16' trains on CUDA and MPS only"),
        ("cpu", "fp8", "there is no precision 'fp8'"),
    ],
)
def test_what_cannot_be_is_refused(device: str, precision: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        choose_device(device, precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_missing_gpu_is_named() -> None:
    with pytest.raises(SpecError, match="no usable cuda device"):
        choose_device("cuda")


def test_the_quota_is_at_least_one_core_and_at_most_the_host() -> None:
    assert 1 <= cpu_quota() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_cuda_the_precision_follows_the_hardware() -> None:
    assert choose_device("cuda").precision in {"bf16", "fp16"}
