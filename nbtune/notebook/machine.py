"""What this process may use of the machine: the container's limits, not the host's size."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def memory_limit(cgroup: Path = _CGROUP) -> tuple[int | None, str]:
    """Bytes of memory this process may use, and who says so; None where it cannot be told."""
    total = _physical()
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            limit = int(file.read_text())  # "max" is no number
            if total is None or limit < total:  # version 1 writes a huge number for "none"
                return limit, "the container's limit"
    return total, "the machine's memory"


def memory_used(cgroup: Path = _CGROUP) -> int | None:
    """Bytes in use under the container's limit, the page cache left out."""
    for usage, stat, cache in (
        (cgroup / "memory.current", cgroup / "memory.stat", "inactive_file"),
        (
            cgroup / "memory" / "memory.usage_in_bytes",
            cgroup / "memory" / "memory.stat",
            "total_inactive_file",
        ),
    ):
        with contextlib.suppress(OSError, ValueError):
            fields = dict(line.split() for line in stat.read_text().splitlines())
            return max(0, int(usage.read_text()) - int(fields.get(cache, 0)))
    return None


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
