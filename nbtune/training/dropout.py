"""Dropout whose random numbers are cheap on a CPU.

torch draws a Bernoulli number an element from a serial Mersenne twister, which takes a tenth of a training step of a
small model. Here 64 random bits of SFC64 serve four elements: the probability is exact to 1 / 65536, and the masks
cost an eighth. On other devices torch's own dropout is as fast as a copy, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_LEVELS = 1 << 16


class Masks:
    """The random masks of one training; `state` and `restore` make them part of a checkpoint."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.SFC64(seed)

    def draw(self, shape: Sequence[int], probability: float) -> Tensor:
        """Zeros with `probability`, elsewhere what keeps the expected value, as float32 on the CPU."""
        size = prod(shape)
        dropped = round(probability * _LEVELS)
        if dropped == _LEVELS:
            return torch.zeros(tuple(shape))
        words = self._bits.random_raw(-(-size // 4)).view(np.int16)
        mask = torch.empty(tuple(shape))
        torch.ge(torch.from_numpy(words[:size]).view(mask.shape), dropped - _LEVELS // 2, out=mask)
        return mask.mul_(_LEVELS / (_LEVELS - dropped))

    def state(self) -> dict[str, Any]:
        state: Any = self._bits.state
        return {"words": [int(word) for word in state["state"]["state"]]}

    def restore(self, state: Mapping[str, Any]) -> None:
        own: Any = self._bits.state
        own["state"]["state"] = np.asarray(state["words"], dtype=np.uint64)
        self._bits.state = own


class CheapDropout(nn.Dropout):
    """`nn.Dropout` with masks from a `Masks`; in float32 on the CPU, elsewhere it is its base class."""

    def __init__(self, probability: float, masks: Masks) -> None:
        super().__init__(probability)
        self.masks = masks

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        if not self.training or not 0 < self.p < 1 or input.device.type != "cpu":
            return super().forward(input)
        return input * self.masks.draw(input.shape, self.p)
