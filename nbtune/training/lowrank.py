"""The linear layer with a low-rank adapter (Hu et al., 2021) as one differentiable function.

peft builds it from six operations, each with passes of its own over the inputs forward and backward, which cost as much
as LoRA saves in a small model. Here the adapter's product is added inside the matrix product, and layers that are fed
the same rows (query, key and value) share one dropout mask.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nbtune.training.dropout import Masks


class SharedMasks:
    """The rows that were fed last, their dropout mask, and the rows under it."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._rows: Tensor | None = None
        self._probability = 0.0
        self._dropped: tuple[Tensor, Tensor] | None = None

    def of(self, rows: Tensor, probability: float) -> tuple[Tensor, Tensor]:
        """The mask and the masked rows."""
        if self._dropped is None or self._rows is not rows or self._probability != probability:
            mask = self._masks.draw(rows.shape, probability)
            self._rows, self._probability, self._dropped = rows, probability, (mask, rows.detach() * mask)
        return self._dropped

    def forget(self) -> None:
        """Let the rows go, which hold a whole graph."""
        self._rows = self._dropped = None


class LowRankForward:
    """In place of the `forward` of peft's LoRA `Linear`; what it does not know is left to peft."""

    def __init__(self, layer: Any, masks: SharedMasks) -> None:
        self.layer = layer
        self.masks = masks

    def __call__(self, rows: Tensor, *further: Any, **named: Any) -> Tensor:
        layer = self.layer
        if further or named or layer.disable_adapters or layer.merged or torch.is_autocast_enabled("cpu"):
            return type(layer).forward(layer, rows, *further, **named)  # type: ignore[no-any-return]
        (name,) = layer.active_adapters
        chance = _chance(layer.lora_dropout[name])
        mask, dropped = self.masks.of(rows, chance) if chance else (None, rows)
        out: Tensor = _LowRank.apply(  # type: ignore[no-untyped-call]
            rows.flatten(0, -2),
            layer.base_layer.weight,
            layer.base_layer.bias,
            layer.lora_A[name].weight,
            layer.lora_B[name].weight,
            float(layer.scaling[name]),
            dropped.detach().flatten(0, -2),
            None if mask is None else mask.flatten(0, -2),
        )
        return out.view(*rows.shape[:-1], out.shape[-1])


def is_plain(layer: nn.Module) -> bool:
    """Whether `layer` is a LoRA layer of the plain kind: one adapter on an `nn.Linear`, without variants or biases."""
    if type(layer).__name__ != "Linear" or not type(layer).__module__.startswith("peft.tuners.lora"):
        return False
    lora: Any = layer
    (name, *others) = lora.active_adapters
    plain = not others and name in lora.lora_A and name not in lora.lora_variant
    return plain and type(lora.base_layer) is nn.Linear and lora.lora_B[name].bias is None


class _LowRank(torch.autograd.Function):
    """`rows @ weight.T + bias + scale * dropped @ down.T @ up.T`; weight and bias do not learn.

    `dropped` is `rows * mask`, computed once for all layers that are fed the same rows.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scale: float,
        dropped: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        inner = dropped @ down.t()
        out = F.linear(rows, weight, bias)
        out.addmm_(inner, up.t(), alpha=scale)
        ctx.save_for_backward(weight, down, up, inner, dropped, mask)
        ctx.scale = scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, down, up, inner, dropped, mask = ctx.saved_tensors
        inner_gradient = (gradient @ up).mul_(ctx.scale)
        up_gradient = (gradient.t() @ inner).mul_(ctx.scale)
        down_gradient = inner_gradient.t() @ dropped
        rows_gradient = None
        if ctx.needs_input_grad[0]:
            rows_gradient = gradient @ weight
            if mask is None:
                rows_gradient.addmm_(inner_gradient, down)
            else:
                rows_gradient.addcmul_(inner_gradient @ down, mask)
        return rows_gradient, None, None, down_gradient, up_gradient, None, None, None


def _chance(dropout: nn.Module) -> float:
    """The probability that a dropout layer drops with now."""
    return float(dropout.p) if isinstance(dropout, nn.Dropout) and dropout.training else 0.0
