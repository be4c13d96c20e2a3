"""Memory given back to the machine. Imports nothing that is not loaded already."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import sys
from collections.abc import Callable


def give_back() -> None:
    """Collect garbage, empty the device's cache, and return freed pages to the system."""
    gc.collect()  # modules, schedules and optimizers refer to each other in circles
    torch = sys.modules.get("torch")
    with contextlib.suppress(RuntimeError):  # a device that has failed answers nothing else from then on
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch is not None and torch.backends.mps.is_available():
            torch.mps.empty_cache()
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    """glibc's `malloc_trim`: it keeps freed memory for itself, a run's worth and more. Other C libraries have none."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
