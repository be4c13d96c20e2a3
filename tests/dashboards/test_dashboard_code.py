"""The cell that is shown does what the dashboard does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbtune.dashboards.code import Asked
from nbtune.notebook.arguments import parse
from nbtune.notebook.commands import FINETUNE
from nbtune.notebook.settings import merged, parse_body
from nbtune.running.catalog import load

ODD = [
    "a b.csv",
    "it's.csv",
    'say "x".csv',
    "-dash.csv",
    "a=b.csv",
    "x.csv?delimiter=;",
    "# no.csv",
    "naïve.csv",
    "a\\b",
]


def asked_by(cell: str) -> dict[str, Any]:
    """What the magic would make of a cell."""
    line, _, body = cell.removeprefix("%%finetune").partition("\n")
    typed = parse(FINETUNE, line)
    return merged(("", typed.values), ("", typed.settings), ("", parse_body(body)))


@pytest.mark.parametrize("data", ODD)
def test_any_name_of_data_survives(data: str) -> None:
    settings = {"data": data, "validation": "dev_df", "name": "first.1", "epochs": 2, "columns": {"text": "a b"}}
    assert asked_by(Asked("ner", settings).cell()) == {"task": "ner", **settings}


def test_a_variable_stands_on_the_line_and_settings_in_the_body() -> None:
    cell = Asked("ner", {"data": "train_df", "name": "conll", "epochs": 3, "columns": {"tokens": "words"}}).cell()
    assert cell == '%%finetune ner --data train_df --name conll\nepochs = 3\n\n[columns]\ntokens = "words"'


def test_running_the_cell_gives_the_spec_that_the_dashboard_started(
    drive: Callable[..., Any], reviews: pd.DataFrame, shell: Any
) -> None:
    reviews = reviews.assign(title=reviews["body"].str.upper())
    driver = drive(reviews=reviews, dev=reviews.head(6))
    driver.choose(
        "classification",
        "reviews",
        {"text": "title", "label": "verdict"},
        learning_rate=1e-3,
        clip=0,
        lora={"rank": 4, "alpha": 8, "dropout": 0.0, "merge": True},
        fix=["drop_leaks"],
        class_weights="balanced",
        checkpoint_every=100,
    )
    driver.board.form.validation.take("dev")
    cell = driver.board.code.text
    assert "[columns]" in cell
    driver.start()
    assert driver.said(driver.board.form.notice) == ""
    driver.finish()
    started = driver.board.desk.run
    shell.user_ns.update(driver.namespace)
    shell.run_cell(cell).raise_error()
    (other,) = {path.name for path in started.folder.parent.iterdir()} - {started.name}
    assert load(other).spec.model_copy(update={"name": started.name}) == started.spec


def test_the_cell_says_what_is_missing(drive: Callable[..., Any]) -> None:
    assert drive().board.code.text.startswith("# there is no data to learn from")


def test_a_file_is_named_by_its_path(drive: Callable[..., Any], reviews: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "my reviews.csv"
    reviews.to_csv(path, index=False)
    driver = drive()
    driver.choose("classification", str(path))
    assert asked_by(driver.board.code.text)["data"] == str(path)
