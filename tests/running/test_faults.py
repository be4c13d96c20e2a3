"""What the machine may do to a run: full disks, folders that vanish or cannot be written, clocks that jump."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbtune
from nbtune.errors import RunError
from nbtune.events import Adjusted, Ended, Event, Noted, Preparing, Saved, Started, Stepped
from nbtune.running.disk import replace_folder, settled
from nbtune.tasks.heads import SequenceHead
from nbtune.training.checkpoints import checkpoints, read_checkpoint, write_checkpoint

DATA = pd.DataFrame([{"text": f"{word} {thing}", "label": word} for word in ("good", "bad") for thing in "abcdefghij"])
WEIGHTS = 3_900_000
"""Bytes of the tiny model, about."""
LEARNED = 80_000
"""Bytes, at least, of those of its weights that learn: without the rows of unused words."""


class At:
    """A watcher that acts when it first sees a certain event, and remembers all."""

    def __init__(self, *acts: tuple[Callable[[Event], bool], Callable[[], Any]]) -> None:
        self.acts = list(acts)
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        for act in list(self.acts):
            if act[0](event):
                self.acts.remove(act)
                act[1]()

    def notes(self) -> str:
        return "\n".join(event.message for event in self.events if isinstance(event, Noted))


def step(number: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Stepped) and event.step == number


def taken(number: int) -> Callable[[Event], bool]:
    """When a checkpoint is about to be written, and the one before it is on disk."""
    return lambda event: isinstance(event, Saved) and event.step == number


def scoring(event: Event) -> bool:
    return isinstance(event, Preparing) and event.stage == "scoring"


def fitting(event: Event) -> bool:
    return isinstance(event, Preparing) and event.stage.startswith("fitting")


def fit(tiny_model: str, name: str = "first", **settings: Any) -> nbtune.Run:
    given = {"data": DATA, "epochs": 2, "batch_size": 4, "checkpoint_every": 2, "watchers": [], **settings}
    return nbtune.finetune("classification", model=tiny_model, name=name, **given)


def weights(run: nbtune.Run) -> bytes:
    return (run.model_path / "model.safetensors").read_bytes()


@contextlib.contextmanager
def largest_file() -> Iterator[Callable[[int | None], None]]:
    """Sets how large files of this process may become; None: as before. The system refuses what is beyond."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, before if size is None else (size, before[1]))

    try:
        yield limit
    finally:
        limit(None)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A runs folder on a disk of its own; the function given mounts it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)

    try:
        mount("size=64m")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a disk")
    monkeypatch.setenv("NBTUNE_RUNS_DIR", str(folder))
    yield lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave not a byte."""
    with open(folder / "filler", "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass


def test_a_checkpoint_that_does_not_fit_is_said_and_training_goes_on(tiny_model: str, runs_dir: Path) -> None:
    whole = fit(tiny_model, "whole")
    with largest_file() as limit:
        watcher = At((taken(4), lambda: limit(LEARNED // 2)), (taken(8), lambda: limit(None)))
        run = fit(tiny_model, watchers=[watcher])
    assert run.status == "finished"
    assert weights(run) == weights(whole)
    said = f"could not be written: {os.strerror(errno.EFBIG)}; the last good one is step-00000002"
    assert watcher.notes() == f"the checkpoint of step 4 {said}\ncheckpoints are written again"
    assert [path.name for path in checkpoints(run.folder / "checkpoints")] == ["step-00000010", "step-00000010-1"]
    assert not list(run.folder.rglob(".*"))


def test_a_model_that_does_not_fit_is_an_error_and_a_resume_only_saves_it(tiny_model: str, runs_dir: Path) -> None:
    whole = fit(tiny_model, "whole")
    with largest_file() as limit, pytest.raises(RunError) as caught:
        fit(tiny_model, watchers=[At((fitting, lambda: limit(WEIGHTS // 2)))])
    assert "the model of the run 'first' cannot be written: File too large" in caught.value.message
    assert "free some space" in caught.value.hint
    run = nbtune.load("first")
    assert run.status == "failed"
    for path in checkpoints(run.folder / "checkpoints"):
        read_checkpoint(path)
    watcher = At()
    again = nbtune.finetune(resume="first", watchers=[watcher])
    assert [event for event in watcher.events if isinstance(event, Stepped)] == []
    assert weights(again) == weights(whole)


def test_a_full_disk_keeps_the_last_checkpoint_and_training_goes_on(
    tiny_model: str, small_disk: Callable[..., None], tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    whole = fit(tiny_model, "whole")
    expected = weights(whole)
    shutil.rmtree(whole.folder)
    watcher = At((taken(6), lambda: fill(disk)), (taken(10), lambda: (disk / "filler").unlink()))
    run = fit(tiny_model, watchers=[watcher])
    assert run.status == "finished"
    assert weights(run) == expected
    assert "the checkpoint of step 6 could not be written: the disk is full" in watcher.notes()
    assert "the last good one is step-00000004" in watcher.notes()
    assert checkpoints(run.folder / "checkpoints")[-1].name == "step-00000010-1"


def test_events_the_disk_has_no_room_for_are_written_when_it_has(tiny_model: str, runs_dir: Path) -> None:
    log = runs_dir / "first" / "events.jsonl"
    with largest_file() as limit:
        # in the middle of a line
        watcher = At((step(3), lambda: limit(log.stat().st_size + 20)), (step(7), lambda: limit(None)))
        run = fit(tiny_model, checkpoint_every=100, watchers=[watcher])
    assert (
        watcher.notes()
        == "the events cannot be written to events.jsonl (File too large); they are kept in memory until they can"
    )
    told = [event for event in watcher.events if not isinstance(event, (Preparing, Noted))]
    assert list(run.events()) == told


def test_a_disk_that_stays_full_is_an_error_and_a_resume_goes_on(
    tiny_model: str, small_disk: Callable[..., None], tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    whole = fit(tiny_model, "whole")
    expected = weights(whole)
    shutil.rmtree(whole.folder)
    with pytest.raises(RunError, match="the model of the run 'first' cannot be written: the disk is full"):
        fit(tiny_model, watchers=[At((taken(6), lambda: fill(disk)))])
    assert nbtune.load("first").status == "unfinished"
    (disk / "filler").unlink()
    watcher = At()
    run = nbtune.finetune(resume="first", watchers=[watcher])
    assert next(event.step for event in watcher.events if isinstance(event, Stepped)) == 5
    assert weights(run) == expected


def test_a_disk_full_from_the_start_is_said_before_training(
    tiny_model: str, small_disk: Callable[..., None], tmp_path: Path
) -> None:
    fill(tmp_path / "disk")
    watcher = At()
    with pytest.raises(RunError, match="the data of the run 'first' cannot be written: the disk is full"):
        fit(tiny_model, watchers=[watcher])
    assert not any(isinstance(event, Started) for event in watcher.events)
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["filler"]


def test_a_folder_that_may_only_be_read_is_said_before_training_and_its_runs_can_be_used(
    tiny_model: str, small_disk: Callable[..., None]
) -> None:
    run = fit(tiny_model, "old")
    small_disk("ro")
    watcher = At()
    with pytest.raises(RunError, match=r"the runs folder .* cannot be written: Read-only file system") as caught:
        fit(tiny_model, watchers=[watcher])
    assert "NBTUNE_RUNS_DIR" in caught.value.hint
    assert not any(isinstance(event, Started) for event in watcher.events)
    with pytest.raises(RunError, match="the run 'old' cannot be written: Read-only file system"):
        nbtune.finetune(resume="old", watchers=[])
    assert nbtune.load("old").status == "finished"
    assert len(run.predict(["good"])) == 1


@pytest.mark.parametrize("when", [step(3), fitting, scoring], ids=["training", "concluding", "scoring"])
def test_a_folder_that_vanishes_is_a_clear_error_and_does_not_come_back(
    tiny_model: str, runs_dir: Path, when: Callable[[Event], bool]
) -> None:
    with pytest.raises(RunError) as caught:
        fit(tiny_model, watchers=[At((when, lambda: (runs_dir / "first").rename(runs_dir / "elsewhere")))])
    assert "first" in caught.value.message
    assert "is gone" in caught.value.message
    assert caught.value.hint
    assert [path.name for path in runs_dir.iterdir()] == ["elsewhere"]
    assert fit(tiny_model).status == "finished"  # the name is free


def test_a_clock_that_jumps_changes_nothing(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    whole = fit(tiny_model, "whole")
    jumps = iter(range(1, 1_000_000))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + (-1) ** next(jumps) * 86_400.0 * 400)
    watcher = At()
    run = fit(tiny_model, watchers=[watcher])
    assert weights(run) == weights(whole)
    seconds = [event.seconds for event in watcher.events if isinstance(event, Stepped)]
    assert seconds == sorted(seconds)
    assert all(0 <= event.seconds < 600 for event in watcher.events if isinstance(event, (Stepped, Saved, Ended)))
    assert [event.step for event in watcher.events if isinstance(event, Saved)] == [
        event.step for event in whole.events() if isinstance(event, Saved)
    ]


def test_checkpoints_by_time_become_rarer_where_they_are_dear(
    tiny_model: str, runs_dir: Path, monkeypatch: Any
) -> None:
    original = write_checkpoint

    def dear(*given: Any) -> Path:
        began = time.thread_time()
        while time.thread_time() - began < 0.05:
            pass
        return original(*given)

    monkeypatch.setattr("nbtune.training.checkpoints.write_checkpoint", dear)
    monkeypatch.setattr("nbtune.running.saving.SHARE", 0.2)
    times: list[float] = []
    fit(tiny_model, checkpoint_every="0.001s", epochs=25, watchers=[Clock(times)])
    # all but the last one, which ends the run
    pauses = [later - earlier for earlier, later in itertools.pairwise(times[:-1])]
    assert pauses
    assert min(pauses) >= 0.05 / 0.2


class Clock:
    """Remembers when checkpoints were taken."""

    def __init__(self, times: list[float]) -> None:
        self.times = times

    def on_event(self, event: Event) -> None:
        if isinstance(event, Saved) and event.kind == "checkpoint":
            self.times.append(time.monotonic())


def test_a_kill_between_the_two_renames_of_a_folder_loses_neither(tmp_path: Path) -> None:
    for name, content in (("model", "old"), ("aside", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(content)
    original, killed = Path.rename, []

    def rename(path: Path, target: Path) -> Path:
        if path.name == "aside":
            killed.append(path)
            raise KeyboardInterrupt  # stands for the kill: nothing after it is run
        return original(path, target)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            replace_folder(tmp_path / "aside", tmp_path / "model")
    assert killed
    assert not (tmp_path / "model").exists()
    assert (settled(tmp_path / "model") / "file").read_text() == "old"
    replace_folder(tmp_path / "aside", tmp_path / "model")
    assert (tmp_path / "model" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failure_after_the_training_keeps_the_best_model(
    runs_dir: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("no thresholds to be had")

    monkeypatch.setattr(SequenceHead, "conclude", fail)
    with pytest.raises(ZeroDivisionError):
        nbtune.finetune("classification", data=DATA, model=tiny_model, name="r", epochs=2, learning_rate=1e-2)
    run = nbtune.load("r")
    assert run.status == "failed"
    assert not [event for event in run.events() if isinstance(event, Noted) and "could not be saved" in event.message]
    predicted = run.predict(DATA["text"].tolist())
    assert len(predicted) == len(DATA)


def test_a_step_that_was_cut_takes_no_checkpoint(
    runs_dir: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory runs out in the first steps, where there is nothing to keep, and maybe often."""
    whole = SequenceHead.loss

    def cramped(head: SequenceHead, batch: Any) -> Any:
        if len(batch["labels"]) > 3:
            raise MemoryError
        return whole(head, batch)

    monkeypatch.setattr(SequenceHead, "loss", cramped)
    seen = At()
    nbtune.finetune(
        "classification", data=DATA, model=tiny_model, epochs=1, batch_size=6, checkpoint_every=10**6, watchers=[seen]
    )
    kinds = [type(event) for event in seen.events]
    assert Adjusted in kinds
    assert Saved not in kinds[: kinds.index(Stepped)]
