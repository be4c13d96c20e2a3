"""How sentiment is written: words, stars, numbers; what is said about rows that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest
from nbtune_sentiment import nbtune_tasks
from nbtune_sentiment.scale import FIVE, LABELS, Scale, scale_of
from nbtune_sentiment.task import Sentiment
from pydantic import ValidationError

from nbtune.api import DataError, Example, Inventory, Problem
from nbtune.data.columns import map_columns
from nbtune.data.objects import frame_of
from nbtune.data.prepare import Prepared, prepare
from nbtune.data.scoring import read_for_scoring
from nbtune.data.tables import Table

VERY_BAD, BAD, SO_SO, GOOD, VERY_GOOD = FIVE


def task(**options: Any) -> Sentiment:
    return Sentiment().configured(options)


def prepared(cells: list[Any], **options: Any) -> Prepared:
    rows = [{"text": f"text {row}", "sentiment": cell} for row, cell in enumerate(cells)]
    return prepare(task(**options), data=rows, validation=rows)


def problems(cells: list[Any], **options: Any) -> list[tuple[int, str, str]]:
    table = Table(frame_of([{"text": f"text {row}", "stars": cell} for row, cell in enumerate(cells)]), "rows")
    chosen = task(**options)
    found = chosen.read(table.frame, map_columns(chosen, table), "train")
    return [(problem.row, problem.column, problem.reason) for problem in found if isinstance(problem, Problem)]


def test_the_plugin_contributes_the_task() -> None:
    assert [found.name for found in nbtune_tasks()] == ["sentiment"]


@pytest.mark.parametrize(
    ("written", "classes", "read"),
    [
        (["1", "2", "3", "4", "5"], "auto", list(FIVE)),
        (["1 star", "5 stars", "3 Stars"], "auto", [VERY_BAD, VERY_GOOD, SO_SO]),
        (["1", "2", "3", "4", "5"], 3, [BAD, BAD, SO_SO, GOOD, GOOD]),
        (["1", "2", "4", "5"], 2, [BAD, BAD, GOOD, GOOD]),
        (["0", "1"], "auto", [BAD, GOOD]),
        (["1", "2"], "auto", [BAD, GOOD]),
        (["1", "2"], 5, [VERY_BAD, BAD]),
        (["-1", "0", "1"], "auto", [BAD, SO_SO, GOOD]),
        (["0", "1", "2"], "auto", [BAD, SO_SO, GOOD]),
        (["0", "1", "2", "3", "4"], "auto", list(FIVE)),
        (["-2", "-1", "0", "1", "2"], "auto", list(FIVE)),
        (["neg", "Pos"], "auto", [BAD, GOOD]),
        (["Negative", "NEUTRAL", "positive"], "auto", [BAD, SO_SO, GOOD]),
        (["very_negative", "Very Positive", "extremely-positive"], "auto", [VERY_BAD, VERY_GOOD, VERY_GOOD]),
        (["very negative", "very positive"], 3, [BAD, GOOD]),
        (["True", "False"], "auto", [GOOD, BAD]),
        (["0.25", "-0.8", "1"], "auto", [0.25, -0.8, 1.0]),
        (["1", "2", "3", "4", "5"], "numeric", [1.0, 2.0, 3.0, 4.0, 5.0]),
        (["7", "10", "1"], "auto", [7.0, 10.0, 1.0]),
    ],
)  # fmt: skip
def test_ways_of_writing(written: list[str], classes: Any, read: list[Any]) -> None:
    scale = scale_of(written, classes)
    assert [scale.read(word) for word in written] == read


def test_a_few_strays_beside_stars_are_slips() -> None:
    scale = scale_of(["1", "2", "3", "4", "5"] * 20 + ["55"], "auto")
    assert scale == Scale(5, "1 to 5")
    with pytest.raises(ValueError, match="is '55', where the other numbers are 1 to 5"):
        scale.read("55")


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_labels_are_in_order(classes: int) -> None:
    labels = Scale(classes).labels
    assert labels == LABELS[classes]
    assert [FIVE.index(label) for label in labels] == sorted(FIVE.index(label) for label in labels)


def test_unusable_rows_are_named_with_the_reason_and_the_remedy() -> None:
    found = problems(["positive", "postive", None, "negative", "joy"])
    assert [(row, column) for row, column, _ in found] == [(1, "sentiment"), (2, "sentiment"), (4, "sentiment")]
    assert "did you mean 'positive'?" in found[0][2]
    assert found[1][2] == "is missing (NaN)"
    assert "choose from: very negative, negative" in found[2][2]


def test_three_stars_fit_neither_of_two_classes() -> None:
    ((row, column, reason),) = problems([1, 3, 5, 4], classes=2)
    assert (row, column) == (1, "sentiment")
    assert reason.startswith("is '3', which is neutral and fits neither of two classes")
    assert 'bad_rows = "drop"' in reason


def test_words_are_no_intensity() -> None:
    assert problems([0.5, "good", 0.1], classes="numeric") == [(1, "sentiment", "is 'good', not a number")]


def test_an_empty_text_is_a_problem() -> None:
    chosen = task()
    table = Table(frame_of([{"text": " ", "stars": 1}, {"text": "fine", "stars": 5}]), "rows")
    first, second = chosen.read(table.frame, map_columns(chosen, table), "train")
    assert first == Problem(0, "is empty", "text")
    assert isinstance(second, Example)


def test_the_inventory_holds_all_classes_of_the_scale_in_order() -> None:
    found = prepared([1, 2, 4, 5, 5, 4])
    assert found.inventory.labels == FIVE
    assert found.inventory.counts[SO_SO] == 0
    assert [example.target for example in found.parts["train"]] == [VERY_BAD, BAD, GOOD, VERY_GOOD, VERY_GOOD, GOOD]
    assert any("numbers 1 to 5 read as very negative to very positive" in f.message for f in found.findings)


def test_numbers_are_known_by_mean_and_spread() -> None:
    found = prepared([0.5, 1.5, 2.5, 9.5])
    assert found.inventory == Inventory(
        facts={"rows": 4, "classes": 0, "convention": "", "mean": 3.5, "std": pytest.approx(12.5**0.5)}
    )
    assert [example.target for example in found.parts["validation"]] == [0.5, 1.5, 2.5, 9.5]


def test_a_table_of_few_values_is_read_on_the_scale_of_the_training_data() -> None:
    chosen = task()
    inventory = prepared([1, 2, 3, 4, 5]).inventory
    raw = read_for_scoring(
        chosen, [{"text": "a", "stars": 1}, {"text": "b", "stars": 2}], part="test", inventory=inventory
    )
    assert [example.target for example in chosen.arrange(raw, inventory, "test")] == [VERY_BAD, BAD]
    (row,) = read_for_scoring(chosen, [{"text": "a", "stars": 0}], part="test", inventory=inventory)
    with pytest.raises(DataError, match="row 0: the sentiment is '0', where the other numbers are 1 to 5"):
        chosen.arrange([row], inventory, "test")


def test_rows_to_predict_need_no_sentiment() -> None:
    chosen = task()
    inventory = prepared([1, 2, 3, 4, 5]).inventory
    raw = read_for_scoring(chosen, ["so lala"], part="predict", inventory=inventory)
    assert chosen.arrange(raw, inventory, "predict") == [Example({"text": "so lala"}, None, 0)]


@pytest.mark.parametrize("cells", [["good", "pos", "positive"], [0.5, 0.5, 0.5]])
def test_one_sentiment_only_is_refused_before_training(cells: list[Any]) -> None:
    with pytest.raises(DataError, match="all training rows"):
        prepared(cells)


@pytest.mark.parametrize("classes", [4, "many", 2.5])
def test_wrong_classes_are_refused(classes: Any) -> None:
    with pytest.raises(ValidationError):
        task(classes=classes)


def test_classes_may_come_as_a_word() -> None:
    assert task(classes="3").options.classes == 3
