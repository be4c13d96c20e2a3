"""What frozen layers give for a text, computed once and kept: in memory up to a limit, beyond it in a temporary file.

Frozen layers run without dropout, and each text by itself, so that what they give depends on the text alone: a run that
keeps it and a run that computes it anew learn the same weights, bit for bit.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 64 << 20
"""Bytes of a block of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes that may be kept in memory, and in a temporary file beyond that; what does not fit is computed anew."""

    memory: int = 1 << 30
    disk: int = 8 << 30


LIMITS = Limits()


class KeptStates:
    """Hidden states by the tokens they belong to."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or LIMITS
        self._places: dict[bytes, tuple[int, int, int]] = {}
        self._blocks: list[NDArray[np.float32]] = []
        self._filled = 0  # rows of the last block
        self._full = False

    def __len__(self) -> int:
        return len(self._places)

    def expected(self, texts: int) -> int:
        """Bytes of memory that the states of so many texts would take, by those kept so far."""
        filled = sum(block.nbytes for block in self._blocks)
        if self._blocks:
            filled -= self._blocks[-1][self._filled :].nbytes
        return min(self._limits.memory, filled * texts // max(1, len(self)))

    def gather(self, keys: Sequence[bytes], compute: Callable[[int], Tensor]) -> Tensor:
        """The states of each key below each other, [rows, width]; `compute(i)` gives those of `keys[i]`."""
        parts: list[Tensor] = []
        for position, key in enumerate(keys):
            place = self._places.get(key)
            if place is None:
                states = compute(position)
                self._keep(key, states)
                parts.append(states)
            else:
                block, start, stop = place
                parts.append(torch.from_numpy(self._blocks[block][start:stop]))
        return torch.cat(parts)

    def _keep(self, key: bytes, states: Tensor) -> None:
        rows = len(states)
        if self._full or not self._room(rows, states.shape[1]):
            return
        block = self._blocks[-1]
        block[self._filled : self._filled + rows] = states.numpy()
        self._places[key] = (len(self._blocks) - 1, self._filled, self._filled + rows)
        self._filled += rows

    def _room(self, rows: int, width: int) -> bool:
        """Whether the last block has room for `rows`; a new one is begun where the limits allow it."""
        if self._blocks and self._filled + rows <= len(self._blocks[-1]):
            return True
        height = max(rows, BLOCK // (4 * width))
        block = self._new_block(height, width)
        if block is None:
            self._full = True
            return False
        self._blocks.append(block)
        self._filled = 0
        return True

    def _new_block(self, height: int, width: int) -> NDArray[np.float32] | None:
        size = 4 * height * width
        used = sum(block.nbytes for block in self._blocks)
        if used + size <= self._limits.memory:
            return np.empty((height, width), dtype=np.float32)
        on_disk = sum(block.nbytes for block in self._blocks if isinstance(block, np.memmap))
        # what other programs need of the disk is left to them
        if on_disk + size > min(self._limits.disk, shutil.disk_usage(tempfile.gettempdir()).free // 2):
            return None
        with tempfile.TemporaryFile(prefix="nbtune-") as file:  # mapped, it lives as long as the mapping
            file.truncate(size)
            mapped: Any = np.memmap(file, dtype=np.float32, mode="r+", shape=(height, width))
        return mapped  # type: ignore[no-any-return]


def text_keys(ids: Tensor, types: Tensor | None, lengths: Sequence[int]) -> list[bytes]:
    """What tells texts apart: their tokens, and to which of a pair each belongs."""
    tokens = ids.numpy().astype(np.int32)
    segments = None if types is None else types.numpy().astype(np.uint8)
    keys = []
    for row, length in enumerate(lengths):
        key = tokens[row, :length].tobytes()
        keys.append(key if segments is None else key + segments[row, :length].tobytes())
    return keys
