"""Rows to examples: every way a table writes labels, and what is said about rows that cannot be used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from nbtune_classification import nbtune_tasks
from nbtune_classification.labels import guess_delimiter
from nbtune_classification.task import Classification
from pydantic import ValidationError

from nbtune.api import DataError, Example, Inventory, Problem
from nbtune.data.columns import map_columns
from nbtune.data.objects import frame_of
from nbtune.data.prepare import Prepared, prepare
from nbtune.data.scoring import read_for_scoring
from nbtune.data.tables import Table


def task(**options: Any) -> Classification:
    return Classification().configured(options)


def read(chosen: Classification, rows: list[dict[str, Any]], **columns: Any) -> list[Example | Problem]:
    table = Table(frame_of(rows), "rows")
    return list(chosen.read(table.frame, map_columns(chosen, table, overrides=columns), "train"))


def targets(chosen: Classification, rows: list[dict[str, Any]], **columns: Any) -> list[Any]:
    return [found.target if isinstance(found, Example) else found.reason for found in read(chosen, rows, **columns)]


def prepared(chosen: Classification, rows: list[dict[str, Any]], **settings: Any) -> Prepared:
    return prepare(chosen, data=rows, validation=rows[:4], **settings)


def test_the_plugin_contributes_the_task() -> None:
    assert [found.name for found in nbtune_tasks()] == ["classification"]


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["spam", " ham "], ["spam", "ham"]),
        ([1, 0], ["1", "0"]),
        ([1.0, 0.0], ["1", "0"]),
        ([True, False], ["True", "False"]),
        (["größer", "取消"], ["größer", "取消"]),
        (["Food, drink", "Travel"], ["Food, drink", "Travel"]),
    ],
)
def test_one_label_a_row(cells: list[Any], labels: list[str]) -> None:
    rows = [{"text": f"text {row}", "label": cell} for row, cell in enumerate(cells)]
    assert targets(task(), rows) == labels


@pytest.mark.parametrize("names", [["no", "yes"], {0: "no", 1: "yes"}, {"0": "no", "1": "yes"}])
def test_numbers_get_their_names_and_keep_their_order(names: Any) -> None:
    chosen = task(label_names=names)
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": 0}, {"text": "c", "label": "yes"}]
    assert targets(chosen, rows) == ["yes", "no", "yes"]
    assert chosen.order_labels(["yes", "no"]) == ("no", "yes")
    assert task(label_names=["yes", "no"]).order_labels(["yes", "no"]) == ("yes", "no")


def test_booleans_get_names() -> None:
    names = {"True": "spam", "False": "ham"}
    rows = [{"text": "a", "label": True}, {"text": "b", "label": False}]
    assert targets(task(label_names=names), rows) == ["spam", "ham"]


def test_a_number_without_a_name_is_a_problem() -> None:
    (_, problem) = read(task(label_names=["no", "yes"]), [{"text": "a", "label": 1}, {"text": "b", "label": 7}])
    assert isinstance(problem, Problem)
    assert problem.reason.startswith("holds '7', which label_names does not list")


@pytest.mark.parametrize(
    "cells",
    [
        [["a", "b"], ["b"], []],
        [("a", "b"), ("b",), ()],
        [np.array(["a", "b"]), np.array(["b"]), np.array([], dtype=str)],
        ['["a", "b"]', '["b"]', "[]"],
        ["['a', 'b']", "['b']", "[]"],
    ],
)
def test_lists_of_labels(cells: list[Any]) -> None:
    rows = [{"text": f"text {row}", "tags": cell} for row, cell in enumerate(cells)]
    assert targets(task(), rows, label="tags") == [["a", "b"], ["b"], []]


def test_labels_between_delimiters_are_noticed() -> None:
    rows = [{"text": f"text {row}", "tags": cell} for row, cell in enumerate(["a;b", "b", None, "a", "a; c", "c;b"])]
    expected = [["a", "b"], ["b"], [], ["a"], ["a", "c"], ["c", "b"]]
    assert targets(task(), rows) == expected
    assert targets(task(multi_label=False), [row for row in rows if row["tags"]])[0] == "a;b"


def test_delimiters_are_told_from_punctuation() -> None:
    assert guess_delimiter(["a|b", "a", "b", "b|a"]) == "|"
    assert guess_delimiter(["Food, drink", "Travel"]) is None
    assert guess_delimiter(["Food, drink"], several=True) == ","
    assert guess_delimiter(["x", "y", None, 3]) is None


def test_a_given_delimiter_is_used() -> None:
    rows = [{"text": "a", "label": "x/y"}, {"text": "b", "label": "y"}]
    assert targets(task(delimiter="/"), rows) == [["x", "y"], ["y"]]


ONE_HOT = [
    {"comment": "you are a fool", "toxic": 1, "insult": 1, "threat": 0},
    {"comment": "thanks for this", "toxic": 0, "insult": 0, "threat": 0},
    {"comment": "i will find you", "toxic": 1, "insult": 0, "threat": 1},
]
ONE_HOT_LABELS = [["toxic", "insult"], [], ["toxic", "threat"]]


def test_one_hot_columns_by_option_by_mapping_and_by_content() -> None:
    names = ["toxic", "insult", "threat"]
    assert targets(task(label_columns=names), ONE_HOT) == ONE_HOT_LABELS
    assert targets(task(), ONE_HOT, label=names) == ONE_HOT_LABELS
    assert targets(task(), ONE_HOT) == ONE_HOT_LABELS
    as_words = [{key: {1: True, 0: False}.get(value, value) for key, value in row.items()} for row in ONE_HOT]
    assert targets(task(), as_words) == ONE_HOT_LABELS


def test_flags_beside_a_column_that_may_be_the_label_are_not_taken_for_labels() -> None:
    moods = ["glad", "sad", "glad", "sad", "glad"]
    rows = [{"words": f"text {i} of a row", "mood": m, "reply": i % 2, "retweet": i > 1} for i, m in enumerate(moods)]
    with pytest.raises(DataError, match="which column is 'label'"):
        read(task(), rows)


def test_a_misspelt_label_column_is_offered_its_nearest() -> None:
    with pytest.raises(DataError, match=r"label_columns names 'insullt'.*\n.*'insult'"):
        read(task(label_columns=["toxic", "insullt"]), ONE_HOT)


def test_a_one_hot_cell_that_is_no_flag_is_a_problem() -> None:
    rows = [*ONE_HOT, {"comment": "hm", "toxic": 2, "insult": 0, "threat": 0}]
    *_, problem = read(task(label_columns=["toxic", "insult", "threat"]), rows)
    assert problem == Problem(3, "'toxic' is 2, not 0 or 1", "")


def test_unusable_rows_are_named_with_the_reason() -> None:
    rows: list[dict[str, Any]] = [
        {"text": "fine", "label": "a"},
        {"text": "  ", "label": "a"},
        {"text": None, "label": "b"},
        {"text": "no label", "label": float("nan")},
        {"text": {"a": 1}, "label": "b"},
    ]
    found = read(task(multi_label=False), rows)
    assert isinstance(found[0], Example)
    assert [(problem.row, problem.column, problem.reason) for problem in found[1:] if isinstance(problem, Problem)] == [
        (1, "text", "is empty"),
        (2, "text", "is missing (None)"),
        (3, "label", "is missing (NaN)"),
        (4, "text", "is a dict, not text"),
    ]


def test_a_pair_reads_both_texts_and_misses_neither() -> None:
    rows = [
        {"premise": "it rains", "hypothesis": "it is wet", "label": "yes"},
        {"premise": "it rains", "hypothesis": "", "label": "no"},
    ]
    first, second = read(task(), rows)
    assert isinstance(first, Example)
    assert first.inputs == {"text": "it rains", "text_pair": "it is wet"}
    assert second == Problem(1, "is empty", "text_pair")


def test_rows_to_predict_need_no_label() -> None:
    table = Table(pd.DataFrame({"text": ["a"]}), "rows")
    columns = map_columns(task(), table, part="predict")
    assert list(task().read(table.frame, columns, "predict")) == [Example({"text": "a"}, None, 0)]


MULTI = [{"text": f"text {row}", "tags": cell} for row, cell in enumerate(["a;b", "b", "", "a", "a;c", "c;b"] * 3)]


def test_a_small_table_is_read_in_the_form_of_the_training_data() -> None:
    chosen = task()
    inventory = prepared(chosen, MULTI).inventory
    assert inventory.facts["multi"] is True
    assert inventory.labels == ("a", "b", "c")
    rows = [{"text": "new", "tags": "b"}, {"text": "newer", "tags": "a;c"}]
    raw = read_for_scoring(chosen, rows, part="test", inventory=inventory)
    assert [example.target for example in chosen.arrange(raw, inventory, "test")] == [["b"], ["a", "c"]]


def test_several_labels_for_a_model_of_one_label_are_refused() -> None:
    inventory = Inventory(("a", "b"), {}, {"multi": False})
    with pytest.raises(DataError, match="row 4 has 2 labels"):
        task().arrange([Example({"text": "x"}, ["a", "b"], 4)], inventory, "test")
    assert task().arrange([Example({"text": "x"}, ["a"])], inventory, "test")[0].target == "a"


def test_rows_without_labels_are_counted() -> None:
    findings = prepared(task(), MULTI).findings
    (note,) = [finding for finding in findings if "without any label" in finding.message]
    assert note.count == 3


def test_one_class_only_is_refused_before_training() -> None:
    with pytest.raises(DataError, match="only one label, 'a'"):
        prepared(task(), [{"text": f"text {row}", "label": "a"} for row in range(8)])


@pytest.mark.parametrize("options", [{"multi_label": "maybe"}, {"delimiter": ""}, {"labelnames": []}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        task(**options)
