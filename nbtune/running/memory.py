"""Freed memory: kept for the next batch while something runs, given back afterwards. Imports nothing that is not
loaded already."""

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
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@functools.cache
def hold_on() -> None:
    """From now on, let freed memory be used again without a detour through the system, until `give_back`.

    A batch frees and asks for megabytes in every layer, and glibc returns them and fetches new pages each time, which
    the system has to clear: a twentieth of the time of an 8-bit prediction.
    """
    tune = _of_glibc("mallopt")
    if tune is not None:
        tune(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc allows
        tune(_TRIM_THRESHOLD, 256 << 20)  # more than a batch needs, less than anybody would miss


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of malloc.h: free memory at the end of the heap from which it is returned; size of blocks got from the system."""


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function that glibc has beyond the standard, and other C libraries lack."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
