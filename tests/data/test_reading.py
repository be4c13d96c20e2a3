from __future__ import annotations

import pandas as pd
import pytest

from nbtune.data.columns import map_columns
from nbtune.data.delimited import read_delimited
from nbtune.data.files import FileSettings
from nbtune.data.reading import read_examples
from nbtune.data.tables import Table
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import ColumnMap, Finding

CSV = 'review,label\ngood,x\n\n"",y\n"two\nlines",x\nbad,\nfine,y\n'


def test_bad_rows_are_named_by_number_line_and_reason(toy: Task) -> None:
    table = read_delimited(CSV, "a.csv", FileSettings())
    with pytest.raises(DataError) as caught:
        read_examples(toy, table, map_columns(toy, table), "train")
    assert caught.value.message == (
        "2 of 5 rows of a.csv cannot be used: row 1 (line 4): review is empty; row 3 (line 7): label is empty"
    )
    assert caught.value.hint == 'mend these rows, or write bad_rows = "drop" to go on without them'


def test_bad_rows_can_be_dropped_and_are_still_told(toy: Task) -> None:
    table = read_delimited(CSV, "a.csv", FileSettings())
    examples, (finding,) = read_examples(toy, table, map_columns(toy, table), "train", bad_rows="drop")
    assert [example.row for example in examples] == [0, 2, 4]
    assert (finding.severity, finding.rows, finding.count) == ("warning", (1, 3), 2)
    assert finding.message.startswith("left out: 2 of 5 rows of a.csv")


def test_nan_labels_and_mixed_types_are_told_apart(toy: Task) -> None:
    frame = pd.DataFrame({"text": ["a", 5, {"b": 1}, None, "c"], "label": ["x", 1.0, "x", "y", float("nan")]})
    with pytest.raises(DataError) as caught:
        read_examples(toy, Table(frame, "df"), ColumnMap({"text": "text", "label": "label"}), "train")
    assert caught.value.message == (
        "3 of 5 rows of df cannot be used: row 2: text is a dict, not text; row 3: text is missing (None);"
        " row 4: label is missing (NaN)"
    )
    examples, _ = read_examples(
        toy, Table(frame, "df"), ColumnMap({"text": "text", "label": "label"}), "train", bad_rows="drop"
    )
    assert [(example.inputs["text"], example.target) for example in examples] == [("a", "x"), ("5", "1")]


def test_only_the_first_bad_rows_are_spelled_out(toy: Task) -> None:
    frame = pd.DataFrame({"text": [""] * 2000, "label": ["x"] * 2000})
    with pytest.raises(DataError) as caught:
        read_examples(toy, Table(frame, "df"), ColumnMap({"text": "text", "label": "label"}), "train")
    assert caught.value.message.startswith("2,000 of 2,000 rows of df cannot be used: row 0, row 1,")
    assert caught.value.message.endswith("row 4 and 1,995 more: text is empty")


def test_dropping_every_row_is_an_error(toy: Task) -> None:
    frame = pd.DataFrame({"text": [""], "label": ["x"]})
    with pytest.raises(DataError) as caught:
        read_examples(toy, Table(frame, "df"), ColumnMap({"text": "text", "label": "label"}), "train", bad_rows="drop")
    assert caught.value.message == "the only row of df cannot be used: row 0: text is empty"
    assert caught.value.hint == "no row is left: check that [columns] names the right columns"


def test_what_the_source_noticed_is_passed_on(toy: Task) -> None:
    note = Finding("note", "the tags are in the scheme IOB1")
    table = Table(pd.DataFrame({"text": ["a"], "label": ["x"]}), "df", findings=(note,))
    assert read_examples(toy, table, map_columns(toy, table, part="train"), "train")[1] == (note,)
