"""Work that does not fit into memory: told apart from other failures, and cut into smaller pieces."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

_WORDS = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch's allocators of CUDA, MPS and the CPU say; those of MPS and the CPU raise a plain RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def cut(groups: Sequence[NDArray[np.int64]], most: int | None) -> list[NDArray[np.int64]]:
    """The micro-batches of a step, in order, with at most `most` rows each."""
    if most is None:
        return list(groups)
    return [group[start : start + most] for group in groups for start in range(0, len(group), most)]


def release() -> None:
    """Give back what a failed attempt held; to be called outside of the `except` block, whose frames hold it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
