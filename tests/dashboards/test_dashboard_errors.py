"""What goes wrong is said in words with the remedy, nothing reaches the log, and the dashboard stays usable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str]) -> Callable[[], None]:
    def check() -> None:
        told = capfd.readouterr()
        assert (told.out, told.err) == ("", "")

    return check


def test_mistakes_one_after_the_other_and_then_a_run(
    drive: Callable[..., Any], reviews: pd.DataFrame, tmp_path: Path, quiet: Callable[[], None]
) -> None:
    driver = drive(reviews=reviews, bare=reviews[["body"]], empty=reviews.head(0))
    form = driver.board.form
    form.task.value = "classification"

    form.start.click()
    driver.settle()
    assert "there is no data to learn from" in driver.said(form.notice)

    form.data.type(str(tmp_path / "<img src=x>.csv"))
    driver.settle()
    assert "&lt;img src=x&gt;.csv" in driver.said(form.columns.notice)
    assert "<img" not in driver.said(form.columns.notice)

    form.data.take("empty")
    driver.settle()
    assert "is empty" in driver.said(form.columns.notice)

    form.data.take("bare")
    driver.settle()
    assert "no column for" in driver.said(form.columns.notice)
    form.start.click()
    driver.settle()
    assert "no column for" in driver.said(form.notice)

    form.data.take("reviews")
    driver.settle()
    form.columns.chosen("text").value = "verdict"
    form.columns.chosen("label").value = "verdict"
    assert "Not done" in driver.said(form.columns.notice)
    form.columns.chosen("text").value = "body"
    assert driver.said(form.columns.notice) == ""

    form.settings.use("epochs", 0)
    form.start.click()
    driver.settle()
    assert "epochs = 0" in driver.said(form.notice)
    form.settings.use("epochs", 1)

    form.settings.model.value = "no/such model"
    form.start.click()
    driver.settle()
    assert "no/such model" in driver.said(form.notice)

    driver.choose("classification", "reviews", {"text": "body", "label": "verdict"})
    form.settings.name.value = "mine"
    driver.start()
    assert driver.said(form.notice) == ""
    driver.finish()
    assert driver.board.desk.run.status == "finished"

    driver.start()
    assert "already a run named" in driver.said(form.notice)
    quiet()


def test_what_needs_a_run_says_so(drive: Callable[..., Any], quiet: Callable[[], None]) -> None:
    driver = drive()
    board = driver.board
    for pressed, notice in (
        (board.evaluating.score, board.evaluating.notice),
        (board.trying.predict, board.trying.notice),
        (board.trying.explain, board.trying.notice),
        (board.mistakes.look, board.mistakes.notice),
    ):
        pressed.click()
        driver.settle()
        assert "there is no run yet" in driver.said(notice)
    for pressed in (board.training.pause, board.training.stop, board.training.set_rate):
        pressed.click()
        assert "no run trains here now" in driver.said(board.training.notice)
    quiet()


def test_nothing_to_predict_and_unknown_labels(
    drive: Callable[..., Any], reviews: pd.DataFrame, quiet: Callable[[], None]
) -> None:
    driver = drive(reviews=reviews, odd=reviews.assign(verdict="odd"))
    driver.choose("classification", "reviews", {"text": "body", "label": "verdict"})
    driver.start()
    driver.finish()
    board = driver.board
    board.trying.predict.click()
    driver.settle()
    assert "there is nothing to predict" in driver.said(board.trying.notice)
    board.evaluating.data.take("odd")
    board.evaluating.score.click()
    driver.settle()
    assert "odd" in driver.said(board.evaluating.notice)
    quiet()


def test_a_fault_of_ours_is_named_without_a_traceback(
    drive: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, quiet: Callable[[], None]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("<i>oops</i>")

    driver = drive()
    monkeypatch.setattr(driver.board.form, "asked", broken)
    driver.board.form.start.click()
    driver.settle()
    assert "ZeroDivisionError: &lt;i&gt;oops" in driver.said(driver.board.form.notice)
    quiet()


def test_variables_made_later_are_found(drive: Callable[..., Any], reviews: pd.DataFrame) -> None:
    driver = drive()
    assert "later" not in str(driver.board.form.data.options)
    driver.namespace["later"] = reviews
    driver.board.form.again.click()
    driver.settle()
    assert "later (DataFrame, 24 × 2)" in str(driver.board.form.data.options)
