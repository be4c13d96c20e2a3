"""How much memory this process holds, and the most it held since it was last asked."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> bool:
    """Begin anew with the peak; False where the system cannot (only Linux does)."""
    with contextlib.suppress(OSError):
        _FORGET.write_text("5", encoding="ascii")
        return True
    return False


def resident() -> int | None:
    """Bytes in memory now; None where the system does not say."""
    return _field("VmRSS")


def peak() -> int | None:
    """The most bytes in memory at once since `forget_peak`, or since the process began."""
    found = _field("VmHWM")
    if found is not None:
        return found
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _field(name: str) -> int | None:
    with contextlib.suppress(OSError):
        match = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
        return int(match[1]) * 1024 if match else None
    return None
