"""What a process and everything it starts take in memory, sampled, and an end to it where that is too much. Linux."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.1


class MemoryWatch(threading.Thread):
    """Samples the tree under a process until `stop`; kills the whole tree above `limit` bytes.

    `peak_pss` is the largest sum of proportional set sizes that was seen: pages that processes share count once, mapped
    files included. `peak_marks` is the largest sum of the high-water marks (RSS) that the system keeps of processes.
    It misses nothing between two samples, and is more than was taken at once where processes share pages or peak at
    different times: the limit is held to it. `during` is what `doing` said then.
    """

    def __init__(self, root: int, limit: float) -> None:
        super().__init__(name="memory-watch", daemon=True)
        self.doing = ""
        self.during = ""
        self.peak_pss = 0
        self.peak_marks = 0
        self.exceeded = False
        self._root = root
        self._limit = limit
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.sample()

    def sample(self) -> None:
        """Look once."""
        pids = list(_tree(self._root))
        self.peak_pss = max(self.peak_pss, sum(_kilobytes(pid, "smaps_rollup", "Pss") for pid in pids) * 1024)
        marks = sum(_kilobytes(pid, "status", "VmHWM") for pid in pids) * 1024
        if marks > self.peak_marks:
            self.peak_marks, self.during = marks, self.doing
        if self.peak_marks > self._limit and not self.exceeded:
            self.exceeded = True
            kill_tree(self._root)

    def processor_seconds(self) -> float:
        """What the tree has spent until now, those who have ended left out."""
        spent = 0.0
        for pid in _tree(self._root):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = psutil.Process(pid).cpu_times()
                spent += times.user + times.system
        return spent

    def stop(self) -> None:
        """No more samples after this."""
        self._over.set()
        self.join()


def kill_tree(root: int) -> None:
    """Kill a process and all it started, if they still live."""
    for pid in reversed(list(_tree(root))):
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


def _tree(root: int) -> Iterator[int]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(root)
        yield root
        for child in process.children(recursive=True):
            yield child.pid


def _kilobytes(pid: int, file: str, name: str) -> int:
    """A number of a file in /proc; 0 for a process that is gone."""
    try:
        content = Path(f"/proc/{pid}/{file}").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in content.splitlines() if line.startswith(f"{name}:")), 0)
