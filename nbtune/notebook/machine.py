"""What this process may use of the machine: the container's limits, not the host's size."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from nbtune.training import cgroups

_FACTS = Path("/proc/meminfo")


def memory_limit(root: Path = cgroups.ROOT, own: Path = cgroups.OWN) -> tuple[int | None, str]:
    """Bytes of memory this process may use, and who says so; None where it cannot be told."""
    total, limits = _physical(), cgroups.memory_limits(root, own)
    if limits and (total is None or limits[0][0] < total):
        return limits[0][0], "the container's limit"
    return total, "the machine's memory"


def memory_free(root: Path = cgroups.ROOT, own: Path = cgroups.OWN, facts: Path = _FACTS) -> int | None:
    """Bytes that may still be taken: what the machine has, and what every limit leaves, whichever is least."""
    left = [limit - used for limit, folder in cgroups.memory_limits(root, own) if (used := cgroups.memory_used(folder))]
    with contextlib.suppress(OSError, ValueError, KeyError):
        said = dict(line.split(":", 1) for line in facts.read_text().splitlines() if ":" in line)
        left.append(int(said["MemAvailable"].split()[0]) * 1024)
    return max(0, min(left)) if left else None


def free_space(folder: Path) -> int:
    """Bytes free where `folder` lies or would lie."""
    return shutil.disk_usage(existing(folder)).free


def existing(folder: Path) -> Path:
    """The folder, or the nearest of its parents that is there."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _physical() -> int | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
