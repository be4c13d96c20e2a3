"""The same numbers each time, also where that is slower: on CUDA, sums of many threads come in any order otherwise."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextlib.contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Have torch use deterministic algorithms only, inside the block; what was set before is set again after it.

    On a CPU the algorithms are deterministic anyway. Operations that have none raise a RuntimeError.
    """
    if not wanted:
        yield
        return
    workspace = os.environ.get(_WORKSPACE)
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    # cuBLAS splits sums as its workspace allows: see "Results reproducibility" in its documentation
    os.environ.setdefault(_WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False  # measures, and may choose otherwise each time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        if workspace is None:
            os.environ.pop(_WORKSPACE, None)
