"""Steering a run, and a state that never lies: of runs that were cut off, and of those that others train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbtune.events import Adjusted, Ended, Saved
from nbtune.running import background
from nbtune.running.catalog import load
from nbtune.running.launch import finetune

LONG = {"epochs": 2000, "batch_size": 4}


@pytest.fixture
def long_run(drive: Callable[..., Any], reviews: pd.DataFrame) -> Any:
    """A dashboard with a run that does not end by itself."""
    driver = drive(reviews=reviews)
    driver.choose("classification", "reviews", {"text": "body", "label": "verdict"}, **LONG)
    driver.board.form.settings.name.value = "long"
    driver.start()
    assert driver.said(driver.board.form.notice) == ""
    return driver


def test_pause_resume_rate_and_stop(long_run: Any, wait_until: Any) -> None:
    training = long_run.board.training
    assert not training.stop.disabled
    training.pause.click()
    wait_until(lambda: "paused" in training.picture.value)
    assert training.pause.description == "Resume"
    training.pause.click()
    wait_until(lambda: training.pause.description == "Pause")
    training.rate.value = 0.003
    training.set_rate.click()
    run = long_run.board.desk.run
    wait_until(lambda: any(isinstance(event, Adjusted) and event.new == 0.003 for event in run.events()))
    training.rate.value = -1
    training.set_rate.click()
    assert "must be positive" in long_run.said(training.notice)
    training.stop.click()
    long_run.finish()
    assert run.status == "stopped"
    assert "stopped" in training.picture.value
    assert training.stop.disabled
    assert "95% interval" not in long_run.board.evaluating.picture.value


def test_one_run_at_a_time_and_the_others_are_told(long_run: Any, drive: Callable[..., Any], wait_until: Any) -> None:
    other = drive(reviews=long_run.namespace["reviews"])
    assert "long trains in this kernel, started elsewhere" in other.board.state.value
    other.choose("classification", "reviews", {"text": "body", "label": "verdict"})
    other.start()
    assert "long" in other.said(other.board.form.notice)
    assert "one at a time" in other.said(other.board.form.notice)
    # it can be watched and steered from there
    other.board.runs.list.value = ("long",)
    other.board.runs.open.click()
    wait_until(lambda: "training" in other.board.training.picture.value)
    other.board.training.stop.click()
    other.finish()
    long_run.finish()
    assert "stopped" in other.board.training.picture.value
    assert "stopped" in long_run.board.training.picture.value
    assert "started elsewhere" not in other.board.state.value
    other.board.form.settings.use("epochs", 1)  # opening the other run has filled the form
    other.start()
    other.finish()
    assert other.board.desk.run.status == "finished"


def cut_off(run: Any) -> None:
    """As a kill would leave it: what had happened is written, the end is not."""
    log = run.folder / "events.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    assert '"Ended"' in lines[-1]
    log.write_text("".join(lines[:-1]))


def test_a_run_that_was_cut_off_is_said_and_resumed(
    drive: Callable[..., Any], reviews: pd.DataFrame, wait_until: Any
) -> None:
    first = drive(reviews=reviews)
    first.choose("classification", "reviews", {"text": "body", "label": "verdict"}, **{**LONG, "checkpoint_every": 5})
    first.board.form.settings.name.value = "cut"
    first.start()
    run = first.board.desk.run
    wait_until(lambda: any(isinstance(event, Saved) for event in run.events()))
    first.board.training.stop.click()
    first.finish()
    cut_off(run)

    again = drive(reviews=reviews)
    board = again.board
    assert "Cut off before its end: cut" in board.state.value
    assert "cut off" in board.runs.list.options[0][0]
    board.runs.list.value = ("cut",)
    board.runs.open.click()
    assert "cut off" in board.training.picture.value
    assert board.training.stop.disabled
    assert not board.runs.resume.disabled
    board.runs.resume.click()
    again.settle()
    assert again.said(board.runs.notice) == ""
    assert board.tabs.titles[board.tabs.selected_index] == "Train"
    assert "Cut off" not in board.state.value
    board.training.stop.click()
    again.finish()
    assert load("cut").status == "stopped"


def test_a_seed_that_was_cut_off_is_resumed_with_the_first_of_its_family(
    drive: Callable[..., Any], reviews: pd.DataFrame, tiny_model: str
) -> None:
    finetune(
        "classification",
        data="reviews",
        namespace={"reviews": reviews},
        columns={"text": "body", "label": "verdict"},
        name="kin",
        seeds=2,
        epochs=1,
        max_length=16,
        test_fraction=0.3,
        model=tiny_model,
    )
    cut_off(load("kin.seed1"))
    driver = drive(reviews=reviews)
    board = driver.board
    assert "Cut off before its end: kin;" in board.state.value
    board.runs.list.value = ("kin",)
    assert not board.runs.resume.disabled  # though it has itself finished
    board.runs.resume.click()
    driver.settle()
    driver.finish()
    assert load("kin.seed1").status == "finished"
    assert "Cut off" not in board.state.value
    board.runs.look()
    board.runs.list.value = ("kin",)
    assert board.runs.resume.disabled


def test_runs_are_opened_compared_and_deleted_with_a_question(
    drive: Callable[..., Any], reviews: pd.DataFrame, tiny_model: str
) -> None:
    settings = {"model": tiny_model, "epochs": 1, "max_length": 32, "columns": {"text": "body", "label": "verdict"}}
    for name in ("one", "two"):
        finetune(
            "classification", data="reviews", namespace={"reviews": reviews}, name=name, test_fraction=0.3, **settings
        )
    driver = drive(reviews=reviews)
    runs = driver.board.runs
    assert runs.delete.disabled
    runs.list.value = ("one", "two")
    runs.compare.click()
    driver.settle()
    assert driver.said(runs.notice) == ""
    assert "one" in runs.picture.value
    assert "two" in runs.picture.value
    runs.list.value = ("one",)
    runs.open.click()
    driver.settle()
    assert "is open" in driver.said(runs.notice)
    asked = driver.board.form.asked()
    assert asked.settings == {"data": "reviews", "test_fraction": 0.3, **settings}
    assert "95% interval" in driver.board.evaluating.picture.value
    runs.delete.click()
    assert runs.question.layout.display == ""
    runs.keep.click()
    assert load("one").status == "finished"
    runs.delete.click()
    runs.sure.click()
    assert [name for _, name in runs.list.options] == ["two"]
    assert not Path(load("two").folder.parent / "one").exists()
    assert driver.board.desk.run is None
    assert "Nothing has been trained" in driver.board.training.picture.value


def test_several_seeds_one_after_the_other_until_they_are_stopped(
    drive: Callable[..., Any], reviews: pd.DataFrame, wait_until: Any
) -> None:
    driver = drive(reviews=reviews)
    columns = {"text": "body", "label": "verdict"}
    driver.choose("classification", "reviews", columns, seeds=3, test_fraction=0.3, batch_size=1, epochs=10)
    board = driver.board
    board.form.settings.name.value = "many"
    assert "seeds = 3" in board.code.text
    driver.start()
    assert driver.said(board.form.notice) == ""
    wait_until(lambda: "Seed 2 of 3" in board.training.place.value and "many.seed1" in board.training.picture.value)
    board.tabs.selected_index = 0
    assert "started elsewhere" not in board.state.value
    board.training.stop.click()
    driver.finish()
    assert [load(name).status for name in ("many", "many.seed1")] == ["finished", "stopped"]
    assert "Resume in Runs goes on" in board.training.place.value
    board.runs.list.value = ("many",)
    assert not board.runs.resume.disabled
    board.runs.resume.click()
    driver.settle()
    assert driver.said(board.runs.notice) == ""
    driver.finish()
    assert [load(f"many{end}").status for end in ("", ".seed1", ".seed2")] == ["finished"] * 3
    assert "mean of 3 seeds" in board.evaluating.picture.value
    assert board.runs.resume.disabled


def test_a_run_that_trains_is_not_deleted(long_run: Any) -> None:
    runs = long_run.board.runs
    runs.look()
    runs.list.value = ("long",)
    runs.delete.click()
    runs.sure.click()
    assert "is being trained" in long_run.said(runs.notice)
    assert load("long").status == "running"
    assert background.current() is not None


def test_a_training_that_fails_is_told_in_words(
    long_run: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any, wait_until: Any
) -> None:
    from nbtune.running.folder import RunFolder

    def refuse(self: RunFolder, event: Any) -> str:
        raise OSError("<b>the disk</b> has gone")

    monkeypatch.setattr(RunFolder, "log", refuse)
    wait_until(lambda: not long_run.board.training.going)
    assert "Not done" in long_run.said(long_run.board.training.notice)
    assert "&lt;b&gt;the disk" in long_run.said(long_run.board.training.notice)
    assert isinstance(long_run.board.training.state.ended, Ended)
    assert capfd.readouterr().err == ""
