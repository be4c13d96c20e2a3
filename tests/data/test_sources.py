from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nbtune.data.sources import data_names, open_source
from nbtune.errors import DataError
from nbtune.tasks.task import Task

Write = Callable[[str, str | bytes], str]
ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
CONTENT = {"text": ["a", "b"], "label": ["x", "y"]}
FRAME = pd.DataFrame(ROWS)


@pytest.mark.parametrize(
    "source",
    [FRAME, ROWS, tuple(ROWS), CONTENT, datasets.Dataset.from_list(ROWS), pa.Table.from_pylist(ROWS)],
    ids=["DataFrame", "list", "tuple", "columns", "Dataset", "arrow"],
)
def test_tables_in_memory(toy: Task, source: Any) -> None:
    assert open_source(source, toy)["whole"].frame.to_dict("list") == CONTENT
    assert open_source("rows", toy, namespace={"rows": source})["whole"].description == "rows (2 rows)"


def test_a_dataframe_is_numbered_anew_and_never_changed(toy: Task) -> None:
    frame = FRAME.set_index(pd.Index([7, 3]))
    frame["tokens"] = [np.array(["a", "b"]), np.array(["c"])]
    frame[5] = [1, 2]
    before = frame.copy(deep=True)
    table = open_source(frame, toy)["whole"].frame
    assert table.index.tolist() == [0, 1]
    assert table.columns.tolist() == ["text", "label", "tokens", "5"]
    assert table["tokens"].tolist() == [["a", "b"], ["c"]]
    pd.testing.assert_frame_equal(frame, before)


def test_an_index_with_a_name_is_a_column(toy: Task) -> None:
    assert open_source(FRAME.rename_axis("user"), toy)["whole"].frame.columns.tolist() == ["user", "text", "label"]


def test_lists_that_a_csv_spelled_out_are_lists(toy: Task) -> None:
    frame = pd.DataFrame({"tokens": ["['a', 'b']", "['c']"], "text": ["[deleted]", "[removed]"]})
    table = open_source(frame, toy)["whole"].frame
    assert table["tokens"].tolist() == [["a", "b"], ["c"]]
    assert table["text"].tolist() == ["[deleted]", "[removed]"]


def test_parts_in_memory_have_our_names(toy: Task) -> None:
    parts = {"train": FRAME, "dev": ROWS}
    assert {part: len(table) for part, table in open_source(parts, toy).items()} == {"train": 2, "validation": 2}
    loaded = datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS), "val": datasets.Dataset.from_list(ROWS)})
    assert list(open_source(loaded, toy)) == ["train", "validation"]


def test_a_variable_goes_before_a_file_and_a_path_may_be_a_path(
    toy: Task, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("reviews", "text,label\nfrom file,x\n")
    monkeypatch.chdir(tmp_path)
    assert open_source("reviews", toy, namespace={"reviews": FRAME})["whole"].frame["text"].tolist() == ["a", "b"]
    for scope in ({}, {"reviews": print}):
        assert open_source("reviews", toy, namespace=scope)["whole"].frame["text"].tolist() == ["from file"]
    assert open_source(tmp_path / "reviews", toy)["whole"].frame["text"].tolist() == ["from file"]
    scope = {"path": tmp_path / "reviews"}
    assert open_source("path", toy, namespace=scope)["whole"].frame["text"].tolist() == ["from file"]


def test_a_misspelt_variable_is_offered_the_nearest(toy: Task) -> None:
    scope = {"train_df": FRAME, "dev_rows": ROWS, "count": 3, "_hidden": FRAME, "words": ["a"]}
    assert data_names(scope) == ["dev_rows", "train_df"]
    with pytest.raises(DataError, match="there is no variable and no file 'trian_df'") as caught:
        open_source("trian_df", toy, namespace=scope)
    assert caught.value.hint == "did you mean 'train_df'?"
    with pytest.raises(DataError) as caught:
        open_source("zzz", toy, namespace=scope)
    assert caught.value.hint == "data in scope: dev_rows, train_df"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, r"the variable 'x' \(an int\) cannot be read as data"),
        ("text", r"the variable 'x' \(a str\) cannot be read as data"),
        ([1, 2], r"the variable 'x' \(a list\): row 0 is an int, not a dict"),
        ({"a": [1, 2], "b": [1]}, r"x has columns of different length \(a: 2, b: 1\)"),
        ({"a": 1}, r"the variable 'x' \(a dict\) holds neither columns nor parts of data"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "x has more than one column called 'a'"),
    ],
)
def test_a_variable_that_is_no_table_is_refused(toy: Task, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_source("x", toy, namespace={"x": value})


def test_streams_and_addresses_are_refused_with_a_remedy(toy: Task) -> None:
    with pytest.raises(DataError, match="is streamed") as caught:
        open_source(datasets.Dataset.from_list(ROWS).to_iterable_dataset(), toy)
    assert caught.value.hint == "load it without streaming=True"
    with pytest.raises(DataError, match="is a web address"):
        open_source("https://example.org/a.csv", toy)
    with pytest.raises(DataError, match="the data has no name"):
        open_source(" ", toy)


def test_a_missing_path_is_offered_its_neighbour(toy: Task, write: Write) -> None:
    path = write("train.csv", "text,label\na,b\n")
    with pytest.raises(DataError, match="there is no file") as caught:
        open_source(path.replace("train", "trian"), toy)
    assert caught.value.hint == "did you mean 'train.csv'?"


def test_samples_come_from_the_files_of_the_task(toy_class: type[Task], write: Write, tmp_path: Path) -> None:
    task = toy_class()
    with pytest.raises(DataError, match="the task 'toy' has no sample data"):
        open_source("sample:toy", task)
    write("samples/train.csv", "text,label\na,b\nc,d\n")
    write("samples/test.csv", "text,label\na,b\n")
    task.samples = tmp_path / "samples"
    tables = open_source("sample:toy", task)
    assert [table.description for table in tables.values()] == ["sample:toy test (1 row)", "sample:toy train (2 rows)"]


def test_samples_that_the_task_makes_go_first(toy_class: type[Task]) -> None:
    class Sampled(toy_class):
        def read_samples(self) -> dict[str, pd.DataFrame]:
            return {"train": FRAME, "validation": FRAME}

    assert list(open_source("sample:toy", Sampled())) == ["train", "validation"]


def test_a_file_may_hold_parts(toy: Task, write: Write) -> None:
    path = write("all.json", '{"train": [{"text": "a"}], "test": [{"text": "b"}]}')
    assert list(open_source(path, toy)) == ["train", "test"]
    with pytest.raises(DataError, match=r"other\.json has no part called train \(it has: users, items\)"):
        open_source(write("other.json", '{"users": [{"a": 1}], "items": [{"b": 2}]}'), toy)
