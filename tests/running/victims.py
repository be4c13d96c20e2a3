"""Trains in processes that are killed: a script that imports everything once and forks a child for each request.

Requests are JSON lines: `settings` for `nbtune.finetune`, and after which event (`event`) or operation on the disk
(`disk`: a sync, rename or removal) the child kills itself, as the system would: SIGKILL, nothing is cleaned up. The
answer is what the child counted, and how it ended: the number of the signal, or minus its exit status.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


class Victims:
    """The other side: starts the script and asks it."""

    def __init__(self, runs_dir: Path, hash_seed: str = "0") -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        settings = {"NBTUNE_RUNS_DIR": str(runs_dir), "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, **ENVIRONMENT, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def train(self, kill: dict[str, int] | None = None, **settings: Any) -> dict[str, Any]:
        """Train in a child of its own, or resume, until it ends or kills itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"kill": kill or {}, "settings": settings}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=60)


class _Executioner:
    """Counts events and operations on the disk, and ends the process at the one that was asked for."""

    def __init__(self, kill: dict[str, int], counts: Path) -> None:
        self.kill, self.counts, self.path = kill, {"event": 0, "disk": 0}, counts
        self.lock = threading.Lock()

    def count(self, kind: str) -> None:
        with self.lock:  # checkpoints are written by a thread of their own
            self.counts[kind] += 1
            self.path.write_text(json.dumps(self.counts))
            if self.counts[kind] == self.kill.get(kind):
                os.kill(os.getpid(), signal.SIGKILL)

    def on_event(self, event: Any) -> None:
        self.count("event")

    def watch_the_disk(self) -> None:
        def counted(original: Any) -> Any:
            def operation(*arguments: Any, **named: Any) -> Any:
                self.count("disk")
                return original(*arguments, **named)

            return operation

        os.fsync, os.replace, os.rename = counted(os.fsync), counted(os.replace), counted(os.rename)
        shutil.rmtree = counted(shutil.rmtree)


def _child(request: dict[str, Any], counts: Path) -> None:
    import nbtune
    from nbtune.control import Control

    watcher = _Executioner(request["kill"], counts)
    watcher.watch_the_disk()
    nbtune.finetune(watchers=[watcher], control=Control(), **request["settings"])


def _serve(counts: Path) -> None:
    import pandas  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import transformers.models.bert.modeling_bert  # noqa: F401  # with torch, whose threads start at first use

    answers = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        counts.unlink(missing_ok=True)
        process = os.fork()
        if process == 0:
            status = 1
            try:
                _child(request, counts)
                status = 0
            except BaseException as error:
                print(type(error).__name__, error, file=sys.stderr)
            finally:
                os._exit(status)
        _, ended = os.waitpid(process, 0)
        code = -os.waitstatus_to_exitcode(ended)
        counted = json.loads(counts.read_text()) if counts.is_file() else {}
        os.write(answers, (json.dumps({"ended": code, **counted}) + "\n").encode())


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        _serve(Path(folder) / "counts.json")
