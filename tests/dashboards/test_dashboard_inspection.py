"""The whole data is inspected by a button: with what was chosen, harmlessly, and what goes wrong is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from nbtune.testing.harmless import NASTY, faults

COLUMNS = {"text": "body", "label": "verdict"}


@pytest.mark.parametrize("hostile", [False, True])
def test_the_whole_data_is_inspected_as_it_was_chosen(
    drive: Callable[..., Any], reviews: pd.DataFrame, hostile: bool
) -> None:
    nasty = NASTY["script"] if hostile else "again"
    thrice = pd.DataFrame([{"body": f"a good film {nasty}", "verdict": "good"}] * 3)
    driver = drive(reviews=pd.concat([reviews, thrice], ignore_index=True))
    driver.choose("classification", "reviews", COLUMNS)
    form = driver.board.form
    form.whole.click()
    driver.settle()
    shown = str(form.inspection.value)
    assert faults(shown, "html") == []
    for words in ("repeat an earlier one", "a training would take", "lengths in tokens"):
        assert words in shown
    assert "Not done" not in driver.said(form.notice)


def test_other_data_takes_the_inspection_away(drive: Callable[..., Any], reviews: pd.DataFrame) -> None:
    driver = drive(reviews=reviews, others=reviews.head(12))
    driver.choose("classification", "reviews", COLUMNS)
    driver.board.form.whole.click()
    driver.settle()
    assert driver.board.form.inspection.value
    assert driver.board.form.data.take("others")
    driver.settle()
    assert driver.board.form.inspection.value == ""


def test_without_data_it_says_what_is_missing(drive: Callable[..., Any]) -> None:
    driver = drive()
    driver.board.form.whole.click()
    driver.settle()
    assert "there is no data to learn from" in driver.said(driver.board.form.notice)
