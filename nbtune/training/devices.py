"""Where the arithmetic runs, and in which precision."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any, Literal

import torch

from nbtune.errors import SpecError
from nbtune.tasks.head import Batch
from nbtune.training import cgroups

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class Device:
    """A torch device with the precision to compute in. Weights stay in float32; matrix products are autocast."""

    device: torch.device
    precision: Precision

    @property
    def kind(self) -> str:
        return self.device.type

    @property
    def name(self) -> str:
        """In words: `cpu (2 threads)`, `cuda (NVIDIA H100)`."""
        if self.kind == "cuda":
            return f"cuda ({torch.cuda.get_device_name(self.device)})"
        if self.kind == "cpu":
            threads = torch.get_num_threads()
            return f"cpu ({threads} thread{'s' if threads > 1 else ''})"
        return self.kind

    @property
    def needs_scaling(self) -> bool:
        """Whether gradients underflow without loss scaling (float16 has 5 exponent bits)."""
        return self.precision == "fp16"

    @property
    def pad_multiple(self) -> int:
        """Tensor cores want dimensions divisible by 8."""
        return 8 if self.kind == "cuda" else 1

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.kind, dtype=torch.bfloat16 if self.precision == "bf16" else torch.float16)

    def send(self, batch: Batch) -> Batch:
        """A batch to this device, without waiting for the copy on CUDA."""
        if self.kind == "cpu":
            return batch
        if self.kind == "cuda":
            return {key: tensor.pin_memory().to(self.device, non_blocking=True) for key, tensor in batch.items()}
        return {key: tensor.to(self.device) for key, tensor in batch.items()}


def choose_device(wish: str = "auto", precision: str = "auto") -> Device:
    """CUDA before MPS before CPU; bf16 where the hardware has it, else fp16 on CUDA, fp32 elsewhere.

    Raises:
        SpecError: the device is not there, or cannot compute in the precision asked for.
    """
    use_cpu_quota()
    device = _find(wish)
    if precision == "auto":
        return Device(device, _best_precision(device))
    if precision == "fp16" and device.type == "cpu":
        raise SpecError("precision 'fp16' trains on CUDA and MPS only", 'use precision = "auto", "fp32" or "bf16"')
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise SpecError("this GPU does not support bf16", 'use precision = "fp16" or "auto"')
    if precision not in ("fp32", "bf16", "fp16"):
        words = 'choose from "auto", "fp32", "bf16", "fp16"; to predict on the CPU also "int8"'
        raise SpecError(f"there is no precision {precision!r}", words)
    return Device(device, precision)  # type: ignore[arg-type]  # checked on the line above


def cpu_quota() -> int:
    """The cores this process may use: the container's quota, not the host's count."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroups.cores()
    return max(1, min(allowed, round(limit)) if limit else allowed)


def use_cpu_quota() -> None:
    """Lower torch's threads to the quota; more threads than cores only wait for each other."""
    if torch.get_num_threads() > cpu_quota():
        torch.set_num_threads(cpu_quota())


def _find(wish: str) -> torch.device:
    if wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind = wish.partition(":")[0]
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in available:
        raise SpecError(f"there is no device {wish!r}", 'choose from "auto", "cpu", "cuda", "cuda:1", "mps"')
    if not available[kind]:
        raise SpecError(f"this machine has no usable {kind} device", 'use device = "auto", or see %nbtune doctor')
    return torch.device(wish)


def _best_precision(device: torch.device) -> Precision:
    if device.type != "cuda":
        return "fp32"
    # emulated bf16 on older GPUs is slower than fp16
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
