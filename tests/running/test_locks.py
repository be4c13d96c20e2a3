"""One owner a run: the second is refused, and a dead owner holds nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbtune
from nbtune.control import Control
from nbtune.errors import RunError
from nbtune.events import Event, Stepped
from nbtune.running.locks import hold, is_held

DATA = pd.DataFrame([{"text": f"{word} {thing}", "label": word} for word in ("good", "bad") for thing in "abcdefghij"])
HOLDER = """
import sys
from pathlib import Path
from nbtune.running.locks import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which owns `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_process_is_refused_with_the_first_ones_number(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    assert is_held(tmp_path)
    with pytest.raises(RunError, match=f"is being trained by process {other.pid}\\n"), hold(tmp_path):
        pass
    other.communicate("\n")  # which lets it end
    assert not is_held(tmp_path)
    with hold(tmp_path):
        assert is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_dies_with_its_owner(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()
    assert (tmp_path / ".lock").exists()
    assert not is_held(tmp_path)
    with hold(tmp_path):
        assert is_held(tmp_path)


def test_asking_does_not_take_the_lock_from_who_comes_next(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    for _ in range(50):
        assert not is_held(tmp_path)
        with hold(tmp_path):
            pass
        (tmp_path / ".lock").touch()


def test_a_run_being_trained_is_refused_to_others_but_may_be_looked_at(tiny_model: str, runs_dir: Path) -> None:
    settings: dict[str, Any] = {"data": DATA, "model": tiny_model, "epochs": 2, "batch_size": 4, "name": "first"}
    refusals: list[str] = []
    seen: list[Any] = []
    control = Control()

    class Rival:
        def on_event(self, event: Event) -> None:
            if isinstance(event, Stepped) and event.step == 3:
                for rival in ({"overwrite": True}, {}, {"resume": "first", "data": None}):
                    with pytest.raises(RunError) as caught:
                        nbtune.finetune("classification", watchers=[], **{**settings, **rival})
                    refusals.append(caught.value.message)
                run = nbtune.load("first")
                seen.append((run.status, sum(isinstance(event, Stepped) for event in run.events())))
                seen.append(list(nbtune.runs()["status"]))
                control.stop()

    run = nbtune.finetune("classification", watchers=[Rival()], control=control, **settings)
    assert refusals == ["the run 'first' is training in this kernel, and there is one at a time"] * 3
    assert seen == [("running", 3), ["running"]]
    assert run.status == "stopped"

    class Reader:
        def on_event(self, event: Event) -> None:
            if isinstance(event, Stepped) and event.step == 5:
                seen.append(len(nbtune.load("first").predict(["good"])))

    assert run.resume(watchers=[Reader()]).status == "finished"
    assert seen[-1] == 1
    assert not (run.folder / ".lock").exists()


def test_a_name_whose_run_never_began_is_free(tiny_model: str, runs_dir: Path) -> None:
    """A kill may fall before the folder says that it is a run."""
    (runs_dir / "first" / "data").mkdir(parents=True)
    (runs_dir / "first" / "data" / ".train.tmp").write_text("half")
    (runs_dir / "first" / ".lock").write_text("")
    with pytest.raises(RunError, match="there are no runs"):
        nbtune.load("first")
    run = nbtune.finetune("classification", data=DATA, model=tiny_model, name="first", epochs=1, watchers=[])
    assert run.status == "finished"
    assert not list(run.folder.rglob(".*"))
