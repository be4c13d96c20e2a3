"""Giving memory back: loaded models, the device's cache, and what the last error kept alive."""

from __future__ import annotations

import sys
import traceback

from nbtune.running.memory import give_back

_LAST = ("last_exc", "last_value", "last_traceback", "last_type")


def free(name: str | None = None) -> str:
    """Close the opened model of one run, or of all, and empty the caches; says what was won.

    Raises:
        RunError: there is no run of that name.
    """
    from nbtune.running import opened
    from nbtune.running.catalog import load

    before = held()
    forget_last_error()
    if name is not None:
        load(name).free()
    else:
        opened.close()
    give_back()
    return _said(before, held())


def forget_last_error() -> None:
    """Drop what the interpreter keeps of the last error shown: its frames hold every local, tensors included."""
    shown = getattr(sys, "last_value", None)
    if shown is not None:
        traceback.clear_frames(shown.__traceback__)
    for name in _LAST:
        if hasattr(sys, name):
            delattr(sys, name)


def held() -> tuple[int, int]:
    """Bytes this process keeps in memory, and on the device; 0 where it cannot be told."""
    resident = 0
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            import resource

            resident = int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        pass  # only Linux has it
    torch = sys.modules.get("torch")
    device = int(torch.cuda.memory_reserved()) if torch is not None and torch.cuda.is_available() else 0
    return resident, device


def _said(before: tuple[int, int], after: tuple[int, int]) -> str:
    parts = []
    for place, old, new in zip(("memory", "GPU memory"), before, after, strict=True):
        if old or new:
            parts.append(f"{place}: {max(0, old - new) / 2**20:,.0f} MB given back, {new / 2**20:,.0f} MB in use")
    return "; ".join(parts) or "done"
