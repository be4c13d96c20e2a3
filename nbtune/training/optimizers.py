"""The optimizer and the learning-rate schedule of a run."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from nbtune.tasks.head import Head
from nbtune.training.adapters import learners, modules

OptimizerName = Literal["adamw", "sgd"]
ScheduleName = Literal["linear", "cosine", "constant"]


def make_optimizer(
    head: Head, name: OptimizerName, *, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019) or SGD with Nesterov momentum 0.9; biases and norms do not decay."""
    spared = _not_decayed(head)
    groups = [
        {"params": [p for n, p in learners(head) if n not in spared], "weight_decay": weight_decay},
        {"params": [p for n, p in learners(head) if n in spared], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)
    # one kernel for all parameters, on CPU and CUDA; MPS has it from torch 2.6 on
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def clip_and_step(optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, limit: float | None) -> Tensor:
    """Scale the gradients to a norm of at most `limit` and take the step. Returns the norm before, a scalar.

    The fused optimizer divides the gradients while it reads them, which saves a pass over all of them.
    """
    scaler.unscale_(optimizer)
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = _total_norm(gradients)
    if limit is not None and optimizer.defaults.get("fused") and not scaler.is_enabled():
        optimizer.grad_scale = ((norm + 1e-6) / limit).clamp(min=1.0)  # type: ignore[attr-defined]  # fused only
    elif limit is not None:
        torch.nn.utils.clip_grads_with_norm_(
            [p for group in optimizer.param_groups for p in group["params"]], limit, norm
        )
    scaler.step(optimizer)
    scaler.update()
    return norm


def _total_norm(gradients: list[Tensor]) -> Tensor:
    """The Euclidean norm of all gradients together, a scalar."""
    if not gradients or any(gradient.device.type != "cpu" for gradient in gradients):
        return torch.nn.utils.get_total_norm(gradients)
    # on a CPU a dot product reads memory at twice the speed of torch's norm
    flat = [gradient.flatten() for gradient in gradients]
    return torch.stack([torch.dot(part, part) for part in flat]).sum().sqrt()


def make_schedule(
    optimizer: torch.optim.Optimizer, name: ScheduleName, *, warmup_steps: int, total_steps: int
) -> LambdaLR:
    """The learning rate over steps, as `transformers.get_scheduler` defines the three names."""
    from transformers import get_scheduler

    full_name = "constant_with_warmup" if name == "constant" else name
    return get_scheduler(full_name, optimizer, num_warmup_steps=warmup_steps, num_training_steps=total_steps)  # type: ignore[no-any-return]


def set_peak(optimizer: torch.optim.Optimizer, schedule: LambdaLR, learning_rate: float) -> float:
    """Scale the schedule to a new peak, in force for the very next step. Returns the old peak."""
    old = float(schedule.base_lrs[0])
    schedule.base_lrs = [learning_rate] * len(schedule.base_lrs)
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * learning_rate / old
        group["initial_lr"] = learning_rate
    return old


def warmup_steps(warmup: float, total_steps: int) -> int:
    """A share of all steps below 1, a number of steps from 1 on."""
    return round(warmup * total_steps) if warmup < 1 else int(warmup)


def _not_decayed(head: Head) -> set[str]:
    """Names of biases and of the parameters of normalisation layers."""
    spared: set[str] = set()
    for prefix, root in modules(head).items():
        for module_name, module in root.named_modules():
            norm = "norm" in type(module).__name__.lower()
            for name, _ in module.named_parameters(recurse=False):
                if norm or name.endswith("bias"):
                    spared.add(f"{prefix}.{module_name}.{name}" if module_name else f"{prefix}.{name}")
    return spared
