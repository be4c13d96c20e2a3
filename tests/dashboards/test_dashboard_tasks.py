"""The whole way, for each task: choose, train, look at the report, try, correct, list. Hostile data does no harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from nbtune.running import background
from nbtune.testing.harmless import NASTY, faults

TASKS = ("ner", "classification", "sentiment", "recommendation")
TOGETHER = " ".join(nasty for name, nasty in NASTY.items() if name not in ("megabyte", "half a pair"))
TEXT = f"Ann said a good word {NASTY['script']} {NASTY['attribute']}"


@pytest.mark.parametrize("task", TASKS)
def test_the_whole_way(
    task: str, drive: Callable[..., Any], drawn: Callable[[Any], list[str]], hostile_table: Any, capfd: Any
) -> None:
    table, columns = hostile_table(task, TOGETHER)
    driver = drive(df=table)
    board = driver.board
    driver.choose(task, "df", columns, test_fraction=0.3, validation_fraction=0.2)
    assert "The first rows of df" in " ".join(drawn(board.form.columns.widget))
    driver.start()
    assert driver.said(board.form.notice) == ""
    driver.finish()
    run = board.desk.run
    assert run.status == "finished"
    assert "finished" in board.training.picture.value
    assert "95% interval" in board.evaluating.picture.value

    board.evaluating.data.take("df")
    board.evaluating.score.click()
    driver.settle()
    assert driver.said(board.evaluating.notice) == ""

    for name, place in board.trying.inputs.items():
        known = {"user": "u1", "item": "i1", "time": "2026-01-01"}
        place.value = known.get(name.split()[0], TEXT)
    board.trying.explain.click()
    driver.settle()
    assert driver.said(board.trying.notice) == ""
    assert ("as a table" in board.trying.answer.value) == (task in ("ner", "sentiment"))  # which draw their answers
    assert "prediction" in board.trying.answer.value or task in ("ner", "sentiment")
    assert ("rests on" in board.trying.reasons.value) == (task != "recommendation")

    board.mistakes.look.click()
    driver.settle()
    refused = "gives no probabilities of labels" in driver.said(board.mistakes.notice)
    assert refused == (task == "recommendation")

    for extra in board.extras:
        board.open_tab(extra.title)
        driver.settle()
        for place in extra.inputs.values():
            place.value = place.value or TEXT
        extra.show.click()
        driver.settle()
        assert driver.said(extra.notice) == ""
        assert extra.picture.value
    board.open_tab("Runs")
    assert run.name in str(board.runs.list.options)

    for picture in drawn(board.widget):
        if board_style(picture):
            continue
        assert faults(picture, "html") == []
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")


def board_style(picture: str) -> bool:
    """The sheet of the dashboard's own, which holds nothing of the data."""
    return picture.startswith("<style>") and "nbtune-dashboard" in picture and "<div" not in picture


def test_panels_are_offered_where_they_help(drive: Callable[..., Any], hostile_table: Any) -> None:
    table, columns = hostile_table("recommendation", "")
    driver = drive(df=table)
    driver.choose("recommendation", "df", columns)
    driver.start()
    driver.finish()
    (extra,) = driver.board.extras
    assert extra.title in driver.board.tabs.titles
    driver.board.open_tab(extra.title)
    driver.settle()
    assert {"u0", "u1"} < set(extra.inputs["user"].options)
    extra.inputs["user"].value = "u1"
    extra.show.click()
    driver.settle()
    assert "What u1 liked" in extra.picture.value
    assert "why" in extra.picture.value
    extra.inputs["k"].value = "many"
    extra.show.click()
    driver.settle()
    assert "&#x27;many&#x27; is no number of items" in driver.said(extra.notice)


def test_models_that_have_not_seen_them_judge_training_labels_until_they_are_stopped(
    drive: Callable[..., Any], reviews: pd.DataFrame, wait_until: Any
) -> None:
    driver = drive(reviews=reviews)
    driver.choose("classification", "reviews", {"text": "body", "label": "verdict"}, epochs=60, batch_size=1)
    driver.start()
    driver.finish()
    board, mistakes = driver.board, driver.board.mistakes
    mistakes.part.value = dict(mistakes.part.options)["training data, asking models that have not seen it"]
    mistakes.folds.value = 2
    assert "2 models are trained like" in mistakes.cost.value
    mistakes.look.click()
    wait_until(lambda: "trained step" in driver.said(mistakes.notice))
    board.tabs.selected_index = 0
    assert "started elsewhere" not in board.state.value
    driver.start()
    assert "one thing trains at a time" in driver.said(board.form.notice)
    assert mistakes.look.disabled
    mistakes.stop.click()
    wait_until(lambda: not mistakes.look.disabled)
    wait_until(lambda: "nothing is kept of them" in driver.said(mistakes.notice))
    assert background.current() is None
    mistakes.look.click()
    wait_until(lambda: "labels are likely wrong, of" in driver.said(mistakes.notice))
    assert mistakes.stop.disabled


def test_labels_are_corrected_in_a_file_and_trained_with(
    drive: Callable[..., Any], reviews: pd.DataFrame, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    driver = drive(reviews=reviews)
    board = driver.board
    driver.choose("classification", "reviews", {"text": "body", "label": "verdict"}, validation_fraction=0.3)
    driver.start()
    driver.finish()
    mistakes = board.mistakes
    mistakes.train.click()
    assert "there are no corrections yet" in driver.said(mistakes.saved)
    mistakes.look.click()
    driver.settle()
    mistakes.kind.value = "all"
    assert len(mistakes.list.options) > 1  # a model of one epoch is wrong about half of them
    count = len(mistakes.list.options)
    mistakes.words.value = "FILM, number"
    assert len(mistakes.list.options) == count
    mistakes.given.value = mistakes.given.options[1][1]
    assert 0 < len(mistakes.list.options) <= count
    mistakes.given.value = mistakes.given.options[0][1]
    mistakes.words.value = "no such words"
    assert mistakes.list.options == ()
    assert mistakes.save.disabled
    mistakes.words.value = ""
    gold = mistakes.label.value
    mistakes.accept.click()
    assert "is corrected in" in driver.said(mistakes.saved)
    assert mistakes.label.value not in (None, gold)  # the answer that the place has now
    path = mistakes.corrections
    assert len(path.read_text().splitlines()) == 1
    mistakes.list.value = 1
    other = "good" if mistakes.label.value == "bad" else "bad"
    mistakes.label.value = other
    mistakes.save.click()
    assert len(path.read_text().splitlines()) == 2
    mistakes.save.click()
    assert "already" in driver.said(mistakes.saved)
    mistakes.list.value = 0
    assert mistakes.label.value != gold  # what the file says now
    mistakes.train.click()
    assert f'corrections = "{path}"' in board.code.text
