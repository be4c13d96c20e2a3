"""A run on disk. Every write is a temporary file, synced, then renamed: readers see the old or the new, never half."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbtune.errors import RunError, SpecError, did_you_mean
from nbtune.events import Ended, Event
from nbtune.running import locks
from nbtune.running.disk import is_of_the_disk, reason_of, settled, write_atomically
from nbtune.running.log import EventLog
from nbtune.running.spec import RunSpec, read_spec, write_spec

MARKER = "spec.toml"
"""A folder with this file is a run: it is written last of what a run begins with."""

_BEGINNINGS = re.compile(r"\.lock|data|data\.json|environment\.json|\..*\.tmp")
"""What a folder holds that was killed before it became a run."""


class RunFolder:
    """The files of one run. Light: a name and a path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.event_log = EventLog(path / "events.jsonl")

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def model(self) -> Path:
        return settled(self.path / "model")

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def is_run(self) -> bool:
        return (self.path / MARKER).is_file()

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

    def log(self, event: Event) -> str:
        """Append an event; as `EventLog.write`."""
        return self.event_log.write(event)

    def events(self) -> Iterator[Event]:
        """The events so far."""
        return self.event_log.read()

    def status(self) -> str:
        """`finished`, `stopped`, `failed`; where the run has not said how it ended, `running` while somebody trains in
        it, else `unfinished`."""
        last = self.event_log.last()
        if isinstance(last, Ended):
            return last.status
        return "running" if locks.is_held(self.path) else "unfinished"

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turn what the disk refuses inside the block into a `RunError` that says what to do."""
        try:
            yield
        except Exception as error:
            if not is_of_the_disk(error):
                raise
            raise RunError(
                f"{what} of the run {self.name!r} cannot be written: {reason_of(error, self.path)}",
                f"free some space or see to the disk; nbtune.load({self.name!r}).resume() then goes on from the last "
                "checkpoint",
            ) from None

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


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


def create(
    name: str | None,
    task: str,
    *,
    overwrite: bool = False,
    further: Sequence[str] = (),
    beside: RunFolder | None = None,
) -> RunFolder:
    """A new, empty run folder; `TASK-1`, `TASK-2` ... where no name is given. It lies beside another run, or else in
    the runs folder. Names that go on with one of `further` must be free as well, or are made free.

    Raises:
        RunError: a name is taken (nothing is ever overwritten silently), or the folder cannot be made.
    """
    root = runs_dir() if beside is None else beside.path.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        if name is None:
            return _next_free(root, task, further)
        path = root / name
        others = _with(path, further)
        _make_room([path, *others], overwrite)
        for other in others:
            with contextlib.suppress(OSError):  # not there, or somebody was quick to use it
                other.rmdir()
        path.mkdir(exist_ok=True)
    except FileExistsError:
        raise taken(root / (name or "")) from None
    except OSError as error:
        raise RunError(
            f"the runs folder {str(root)!r} cannot be written: {error.strerror}",
            "set NBTUNE_RUNS_DIR to a folder of yours",
        ) from error
    return RunFolder(path)


def taken(path: Path) -> RunError:
    """The refusal to train under a name that is in use."""
    training = " and is being trained" if locks.is_held(path) else ""
    return RunError(
        f"there is already a run named {path.name!r}{training}",
        f"choose another name, open it with nbtune.load({path.name!r}), or say overwrite = true",
    )


def refuse_taken(name: str, further: Sequence[str] = ()) -> None:
    """Raise if a run of this name, or of one that goes on with one of `further`, would have to be overwritten."""
    first = runs_dir() / name
    for path in (first, *_with(first, further)):
        if path.exists() and not _never_began(path):
            raise taken(path)


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


def _never_began(path: Path) -> bool:
    return path.is_dir() and all(_BEGINNINGS.fullmatch(entry.name) for entry in path.iterdir())


def _with(path: Path, endings: Sequence[str]) -> list[Path]:
    return [path.with_name(f"{path.name}{ending}") for ending in endings]


def _make_room(paths: Sequence[Path], overwrite: bool) -> None:
    """Take away what is in folders that may be used again; all of them, or none.

    Raises:
        RunError: one may not be, or somebody trains in it.
    """
    there = [path for path in paths if path.exists()]
    for path in there:
        if not _never_began(path):
            if not overwrite:
                raise taken(path)
            if not (path / MARKER).is_file():
                raise RunError(f"{path} is not a run, so it is not overwritten", "choose another name")
    with contextlib.ExitStack() as held:
        for path in there:
            held.enter_context(locks.hold(path))
        for path in there:
            # the spec last: a kill leaves a run that can be overwritten again
            entries = [entry for entry in path.iterdir() if entry.name != locks.LOCK]
            for entry in sorted(entries, key=lambda entry: entry.name == MARKER):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _next_free(root: Path, task: str, further: Sequence[str]) -> RunFolder:
    for number in range(1, 100_000):
        path = root / f"{task}-{number}"
        if any(other.exists() for other in _with(path, further)):
            continue
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return RunFolder(path)
    raise RunError(f"{root} holds 99,999 unnamed runs", "give the run a name")


def now() -> str:
    """The time as written into files: ISO 8601 with zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
