"""Prediction with 8-bit linear layers on a CPU: weights are rounded once, a scale a row; inputs anew for each batch.

Scores move a little (a few tenths of a point); speed grows by half or more where the processor multiplies bytes (VNNI).
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from nbtune.errors import SpecError
from nbtune.tasks.head import Head
from nbtune.training.adapters import find_layers

_LEVELS = 127
_VNNI = bool(getattr(torch.cpu, "_is_vnni_supported", lambda: False)())


class Int8Linear(nn.Module):
    """A linear layer with weights of 8 bits, for inference in float32 on the CPU."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        weight = layer.weight.detach().float()
        # symmetric, a scale an output: rows of a weight differ in size by an order of magnitude
        scales = (weight.abs().amax(dim=1) / _LEVELS).clamp(min=1e-12)
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        with warnings.catch_warnings():
            # torch plans to drop tensors of this type in favour of compiled graphs, which no notebook cell waits for
            warnings.simplefilter("ignore", UserWarning)
            rounded = torch.quantize_per_channel(weight, scales.double(), zeros, 0, torch.qint8)
        bias = None if layer.bias is None else layer.bias.detach().float()
        self._packed = torch.ops.quantized.linear_prepack(rounded, bias)

    def forward(self, rows: Tensor) -> Tensor:
        # without VNNI two products are added in 16 bits and would overflow: inputs then have 7 bits
        return torch.ops.quantized.linear_dynamic(rows, self._packed, reduce_range=not _VNNI)  # type: ignore[no-any-return]


def quantise(head: Head) -> None:
    """Replace the linear layers of the head's transformer layers; it cannot be trained or saved any more.

    Raises:
        SpecError: the processor or the model's layout is not supported.
    """
    if torch.backends.quantized.engine == "none" or not hasattr(torch, "quantize_per_channel"):
        raise SpecError("int8 is not supported by this build of torch", 'use precision = "fp32"')
    layers = find_layers(head)
    if layers is None:
        raise SpecError(
            "int8 is not supported for this model: its layers cannot be told apart", 'use precision = "fp32"'
        )
    for layer in layers:
        for name, part in list(layer.named_modules()):
            if isinstance(part, nn.Linear):
                layer.set_submodule(name, Int8Linear(part))
