"""A run on disk. Every write is a temporary file, synced, then renamed: readers see the old or the new, never half."""

from __future__ import annotations

import json
import os
import shutil
import time
import tomllib
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbtune import events
from nbtune.errors import RunError, SpecError, did_you_mean
from nbtune.events import Ended, Event, Preparing
from nbtune.running.spec import RunSpec, read_spec, write_spec

MARKER = "spec.toml"
"""A folder with this file is a run."""


class RunFolder:
    """The files of one run. Light: a name and a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        return self.path / "checkpoints" / "best.safetensors"

    def spec(self) -> RunSpec:
        return read_spec((self.path / MARKER).read_text(encoding="utf-8"))

    def write_spec(self, spec: RunSpec) -> None:
        self.write(MARKER, write_spec(spec))

    def write(self, name: str, text: str) -> None:
        """Replace a text file of the run."""
        write_atomically(self.path / name, text)

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def read_json(self, name: str) -> Any:
        """The content of a JSON file of the run; None if it is not there."""
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def log(self, event: Event) -> None:
        """Append an event; progress that is only for the eye is left out."""
        if isinstance(event, Preparing):
            return
        with open(self.path / "events.jsonl", "a", encoding="utf-8") as file:
            file.write(events.to_json(event) + "\n")

    def events(self) -> Iterator[Event]:
        """The events so far. A last line cut short by a power cut is passed over."""
        path = self.path / "events.jsonl"
        if not path.is_file():
            return
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield events.from_json(line)

    def status(self) -> str:
        """`finished`, `stopped`, `failed`, or `unfinished` where the run has not said how it ended."""
        last = next(iter(deque(self.events(), maxlen=1)), None)
        return last.status if isinstance(last, Ended) else "unfinished"

    def remove(self) -> None:
        shutil.rmtree(self.path)


def runs_dir() -> Path:
    """Where runs live: `NBTUNE_RUNS_DIR`, else `runs_dir` in `[tool.nbtune]` of the nearest pyproject.toml (relative
    to that file), else `nbtune_runs`.
    """
    chosen = os.environ.get("NBTUNE_RUNS_DIR")
    if chosen:
        return Path(chosen).expanduser()
    file, settings = project_settings()
    if "runs_dir" in settings and file is not None:
        return file.parent / Path(str(settings["runs_dir"])).expanduser()
    return Path("nbtune_runs")


def project_settings() -> tuple[Path | None, Mapping[str, Any]]:
    """The nearest pyproject.toml with a `[tool.nbtune]` table, and that table.

    Raises:
        SpecError: the file is not TOML.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SpecError(f"{file} is not valid TOML: {error}", "repair it, or set NBTUNE_RUNS_DIR") from None
        settings = content.get("tool", {}).get("nbtune")
        if settings is not None:
            return file, settings
    return None, {}


def create(name: str | None, task: str, *, overwrite: bool = False) -> RunFolder:
    """A new, empty run folder; `TASK-1`, `TASK-2` ... where no name is given.

    Raises:
        RunError: the name is taken (nothing is ever overwritten silently), or the folder cannot be made.
    """
    root = runs_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        if name is None:
            return _next_free(root, task)
        path = root / name
        if overwrite and path.exists():
            if not (path / MARKER).is_file():
                raise RunError(f"{path} is not a run, so it is not overwritten", "choose another name")
            shutil.rmtree(path)
        path.mkdir()
    except FileExistsError:
        raise RunError(
            f"there is already a run named {name!r}",
            f"choose another name, open it with nbtune.load({name!r}), or say overwrite = true",
        ) from None
    except OSError as error:
        raise RunError(
            f"the runs folder {str(root)!r} cannot be written: {error.strerror}",
            "set NBTUNE_RUNS_DIR to a folder of yours",
        ) from error
    return RunFolder(path)


def find(name: str | Path) -> RunFolder:
    """The folder of a run by name or by path.

    Raises:
        RunError: there is no such run; the nearest name is offered.
    """
    for path in (runs_dir() / name, Path(name)):
        if (path / MARKER).is_file():
            return RunFolder(path)
    known = [folder.name for folder in all_runs()]
    hint = did_you_mean(str(name), known) if known else f"there are no runs in {str(runs_dir())!r} yet"
    raise RunError(f"there is no run {str(name)!r}", hint)


def all_runs() -> list[RunFolder]:
    """Every run in the runs folder, oldest first."""
    root = runs_dir()
    if not root.is_dir():
        return []
    found = [RunFolder(path) for path in root.iterdir() if (path / MARKER).is_file()]
    return sorted(found, key=lambda folder: (folder.path / MARKER).stat().st_ctime)


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file so that a crash leaves the old or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(aside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def _next_free(root: Path, task: str) -> RunFolder:
    for number in range(1, 100_000):
        path = root / f"{task}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return RunFolder(path)
    raise RunError(f"{root} holds 99,999 unnamed runs", "give the run a name")


def now() -> str:
    """The time as written into files: ISO 8601 with zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
