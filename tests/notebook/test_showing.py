"""`%nbtune show`: of a run that trains here, that trains elsewhere, and whose kernel is gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbtune.events import Ended, Event, to_json
from nbtune.notebook.showing import show
from nbtune.running import locks
from nbtune.running.catalog import load
from nbtune.running.folder import RunFolder
from nbtune.running.run import Run
from nbtune.running.spec import RunSpec

Story = Callable[..., list[Event]]
LOOK: dict[str, Any] = {"kind": "auto", "refresh": 0.01, "controls": True}


@pytest.fixture
def half(runs_dir: Path, story: Story) -> Run:
    """A run that has not said how it ended."""
    folder = RunFolder(runs_dir / "conll")
    folder.path.mkdir(parents=True)
    folder.write_spec(RunSpec(task="ner", name="conll"))
    for event in story()[:-1]:
        folder.log(event)
    return Run(folder)


def test_a_run_of_another_kernel_is_said_to_train_there(half: Run, bare_shell: Any) -> None:
    with locks.hold(half.folder):
        picture = show(half, bare_shell, **LOOK)
    assert picture is not None
    for drawn in (picture.html, picture.markdown, picture.text):
        assert "training in another kernel" in drawn
        assert "show conll --follow" in drawn
    assert "as of " in picture.html


def test_a_run_whose_kernel_is_gone_says_so_and_how_to_go_on(half: Run, bare_shell: Any) -> None:
    picture = show(half, bare_shell, **LOOK)
    assert picture is not None
    for drawn in (picture.html, picture.markdown, picture.text):
        assert "unfinished" in drawn
        assert "cut off" in drawn
        assert "%finetune --resume conll" in drawn
    assert "left" not in picture.text


def test_following_ends_with_the_run(half: Run, bare_shell: Any, published: Any, story: Story) -> None:
    end = story()[-1]
    assert isinstance(end, Ended)
    with locks.hold(half.folder):
        half._folder.log(end)
        # its status is that of a run that has ended; what was running a moment before is followed to here
        shown = show(half, bare_shell, follow=True, **LOOK)
    assert shown is not None
    assert "finished" in shown.text
    assert published.new == []


def test_following_a_run_that_dies_says_so(
    half: Run, bare_shell: Any, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = iter([True, True, False])
    monkeypatch.setattr("nbtune.running.locks.is_held", lambda _: next(held, False))
    assert show(half, bare_shell, follow=True, **LOOK) is None
    assert len(published.new) == 1
    assert "training in another kernel" in published.new[0]["text/plain"]
    assert "unfinished" in published.last["text/plain"]


def test_the_key_ends_the_looking(half: Run, bare_shell: Any, published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", press)
    with locks.hold(half.folder):
        assert show(half, bare_shell, follow=True, **LOOK) is None
    assert "training in another kernel" in published.last["text/plain"]


def test_a_run_in_this_kernel_is_shown_live_to_its_end(
    shell: Any, runs_dir: Path, tiny_model: str, published: Any
) -> None:
    where = f"--name here --model {tiny_model} --background --quiet"
    result = shell.run_cell(f"run = %finetune sentiment --data sample:sentiment {where} epochs=3 max_length=16")
    assert result.success
    run = load("here")
    run.control.pause()
    assert published.new == []
    assert shell.run_cell("%nbtune show here").result is None
    assert len(published.new) == 1
    run.control.resume()
    run.wait()
    assert "finished" in published.last["text/plain"]
    assert "95% interval" in published.last["text/html"]
    losses = [json.loads(line) for line in (runs_dir / "here" / "events.jsonl").read_text().splitlines()]
    steps = sum(each["event"] == "Stepped" for each in losses)
    assert f"{steps} steps" in published.last["text/plain"]


def test_logs_without_classes_are_still_read(half: Run, story: Story) -> None:
    from nbtune.events import Evaluated, from_json

    evaluated = next(event for event in story() if isinstance(event, Evaluated))
    old = json.loads(to_json(evaluated))
    del old["classes"]
    assert from_json(json.dumps(old)) == evaluated
