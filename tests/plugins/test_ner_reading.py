"""Rows become examples, or the problem with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from nbtune_ner.task import Ner

from nbtune.api import ColumnMap, DataError, Example, Part, Problem


def read(row: dict[str, Any], *, part: Part = "train", **options: Any) -> Example | Problem:
    columns = ColumnMap({name: name for name in row})
    return next(Ner().configured(options).read(pd.DataFrame([row], dtype=object), columns, part))


def example(row: dict[str, Any], **options: Any) -> Example:
    found = read(row, **options)
    assert isinstance(found, Example), found
    return found


def problem(row: dict[str, Any], **options: Any) -> Problem:
    found = read(row, **options)
    assert isinstance(found, Problem), found
    return found


def test_tokens_and_tags_become_a_text_with_spans() -> None:
    found = example({"tokens": ["Angela", "Merkel", "in", "Berlin"], "tags": ["B-PER", "I-PER", "O", "B-LOC"]})
    assert found.inputs["text"] == "Angela Merkel in Berlin"
    assert found.target == [[0, 13, "PER"], [17, 23, "LOC"]]
    assert found.inputs["tokens"] == ["Angela", "Merkel", "in", "Berlin"]


@pytest.mark.parametrize(
    ("tokens", "tags"),
    [
        (np.array(["Berlin", "!"]), np.array(["B-LOC", "O"])),
        ('["Berlin", "!"]', '["B-LOC", "O"]'),
        ("['Berlin', '!']", "['B-LOC', 'O']"),
        ("Berlin !", "B-LOC O"),
        (("Berlin", "!"), ("U-LOC", "O")),
    ],
)
def test_lists_arrays_and_their_spellings_read_alike(tokens: Any, tags: Any) -> None:
    assert example({"tokens": tokens, "tags": tags}).target == [[0, 6, "LOC"]]


def test_numbered_tags_are_named_by_an_option() -> None:
    found = example({"tokens": ["in", "Rome"], "tags": np.array([0, 1])}, tag_names=("O", "B-LOC", "I-LOC"))
    assert found.target == [[3, 7, "LOC"]]


@pytest.mark.parametrize(
    ("tokens", "tags", "column", "reason"),
    [
        (["a", "b"], ["O"], "tags", "has 1 tags for 2 tokens"),
        (["a"], ["PER"], "tags", "unknown tag 'PER'"),
        ([], [], "tokens", "is empty"),
        (None, ["O"], "tokens", "is missing"),
        (["a"], float("nan"), "tags", "is missing"),
        (["a", ""], ["O", "O"], "tokens", "empty token in place 2"),
        (["a", None], ["O", "O"], "tokens", "missing token in place 2"),
        ({"a": 1}, ["O"], "tokens", "is a dict, not a list of tokens"),
        (7, ["O"], "tokens", "is a int, not a list of tokens"),
        (["a"], [3], "tags", "name them, tag_names"),
    ],
)
def test_a_bad_row_of_tokens_is_a_problem_that_says_why(tokens: Any, tags: Any, column: str, reason: str) -> None:
    found = problem({"tokens": tokens, "tags": tags})
    assert reason in found.reason
    assert found.column == column


@pytest.mark.parametrize(
    "entities",
    [
        [{"start": 3, "end": 9, "type": "LOC"}],
        [{"start_offset": 3, "end_offset": 9, "label": "LOC"}],
        [{"start": 3, "end": 9, "labels": ["LOC"], "text": "Berlin"}],
        [[3, 9, "LOC"]],
        [(3.0, "9", "LOC")],
        '[{"start": 3, "end": 9, "type": "LOC"}]',
        "[(3, 9, 'LOC')]",
        {"entities": [(3, 9, "LOC")]},
        {"start": [3], "end": [9], "type": ["LOC"]},
        np.array([{"start": 3, "end": 9, "type": "LOC"}]),
        [[2, 9, "LOC"]],
        [[3, 9, "LOC"], [3, 9, "LOC"]],
    ],
    ids=str,
)
def test_spans_are_read_in_every_common_form(entities: Any) -> None:
    assert example({"text": "In Berlin.", "entities": entities}).target == [[3, 9, "LOC"]]


@pytest.mark.parametrize(
    ("entities", "reason"),
    [
        ([[0, 4, "A"], [3, 9, "B"]], "overlapping entities: 0:4 A and 3:9 B"),
        ([[3, 11, "A"]], "outside the text: 3:11 A, the text has 10 characters"),
        ([[-1, 2, "A"]], "outside the text"),
        ([[5, 3, "A"]], "outside the text"),
        ([[3, 3, "A"]], "empty entity: 3:3 A"),
        ([[2, 3, "A"]], "empty entity"),
        ([[3, 9, ""]], "has an entity is empty"),
        ([[3.5, 9, "A"]], "offset is '3.5', not a whole number"),
        ([{"start": 3, "end": 9}], "without 'type': it has start, end"),
        (["LOC"], "not {'start', 'end', 'type'} or [start, end, type]"),
        ([{"start": 3, "end": 8, "type": "A", "text": "Berlin"}], "'Berlin' where the text says 'Berli'"),
        ("Berlin", "is not a list of entities"),
        (float("nan"), "write [] where a text has no entities"),
        ({"start": [1], "end": [2, 3]}, "lists of different lengths"),
    ],
    ids=str,
)
def test_bad_spans_are_a_problem_that_says_why(entities: Any, reason: str) -> None:
    found = problem({"text": "In Berlin.", "entities": entities})
    assert reason in found.reason
    assert found.column == "entities"


def test_an_empty_text_is_a_problem_and_an_empty_list_of_entities_is_not() -> None:
    assert "empty" in problem({"text": " ", "entities": []}).reason
    assert example({"text": "Nothing here.", "entities": []}).target == []


def test_rows_to_predict_need_no_target() -> None:
    found = read({"text": "In Berlin."}, part="predict")
    assert isinstance(found, Example)
    assert found.target is None
    assert read({"tokens": ["In", "Berlin"]}, part="predict").row == 0


def test_the_form_is_chosen_and_a_missing_column_named() -> None:
    task = Ner()
    table = pd.DataFrame({"tokens": [["a"]], "tags": [["O"]], "text": ["a"], "entities": [[]]})
    both = ColumnMap({name: name for name in table})
    assert set(task.adjust_columns(table, both).names) == {"tokens", "tags"}
    no_tags = ColumnMap({"tokens": "tokens", "text": "text", "entities": "entities"})
    assert set(task.adjust_columns(table, no_tags).names) == {"text", "entities"}
    mistaken = ColumnMap({"text": "text", "tags": "label"}, {"tags": "its name"})
    assert task.adjust_columns(table, mistaken) == ColumnMap(
        {"text": "text", "entities": "label"}, {"entities": "its name"}
    )
    with pytest.raises(DataError, match="neither tokens nor a text among the columns x, y"):
        task.adjust_columns(pd.DataFrame({"x": [1], "y": [2]}), ColumnMap({}))
    with pytest.raises(DataError, match="none for entities"):
        list(task.read(pd.DataFrame({"text": ["a"], "z": [1]}), ColumnMap({"text": "text"}), "train"))


def test_lone_surrogates_do_not_move_offsets() -> None:
    found = example({"text": "a\ud83d Berlin", "entities": [[3, 9, "LOC"]]})
    assert found.inputs["text"][3:9] == "Berlin"
    found.inputs["text"].encode()
