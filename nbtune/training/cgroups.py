"""What a container may use of its machine, read from the kernel's control groups, in both of their versions.

A limit anywhere between the group of this process and the root holds for it, so all of them are looked at.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cores(root: Path = ROOT, own: Path = OWN) -> float | None:
    """How many cores' worth of time this process gets; None where nobody limits it."""
    return min(_quotas(root, own), default=None)


def memory_limits(root: Path = ROOT, own: Path = OWN) -> list[tuple[int, Path]]:
    """Limits in bytes, each with the group's folder, the tightest first. Version 1 writes a huge number for "none"."""
    found = []
    for folder in groups("memory", root, own):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                found.append((int((folder / name).read_text()), folder))  # "max" is no number
    return sorted(found, key=lambda each: each[0])


def memory_used(folder: Path) -> int | None:
    """Bytes that a group holds, without files that can be dropped at any time; None where it does not say."""
    for usage, cache in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
        with contextlib.suppress(OSError, ValueError):
            fields = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return max(0, int((folder / usage).read_text()) - int(fields.get(cache, 0)))
    return None


def groups(controller: str, root: Path = ROOT, own: Path = OWN) -> Iterator[Path]:
    """The folders of the groups this process is in, from its own up to the root."""
    for base, path in _places(controller, root, own):
        folder = base / path.lstrip("/")
        # inside a container the path may be that of the host, and only the root be mounted
        yield from (each for each in (folder, *folder.parents) if each.is_relative_to(base) and each.is_dir())


def _places(controller: str, root: Path, own: Path) -> Iterator[tuple[Path, str]]:
    """Where the hierarchy of a controller is mounted, and the path of this process in it."""
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        lines = []
    paths = {name: path for line in lines if len(line) == 3 for name in line[1].split(",") for path in line[2:]}
    if (root / controller).is_dir():
        yield root / controller, _inside(paths.get(controller, "/"))
    else:
        yield root, _inside(paths.get("", "/"))


def _inside(path: str) -> str:
    """A path that leaves its own namespace says nothing that could be looked up."""
    return "/" if ".." in PurePosixPath(path).parts else path


def _quotas(root: Path, own: Path) -> Iterator[float]:
    for folder in groups("cpu", root, own):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota) / int(period)  # "max" is no number
        with contextlib.suppress(OSError, ValueError):
            microseconds = int((folder / "cpu.cfs_quota_us").read_text())
            if microseconds > 0:
                yield microseconds / int((folder / "cpu.cfs_period_us").read_text())
