from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nbtune.data.files import FileSettings
from nbtune.data.folders import part_of, read_folder
from nbtune.data.formats import read_file
from nbtune.errors import DataError

Write = Callable[[str, str | bytes], str]
CSV = "text,label\nx,y\n"


def read(folder: Path) -> dict[str, int]:
    return {part: len(table) for part, table in read_folder(folder, FileSettings(), read_file).items()}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train.csv", "train"),
        ("wnut17train.conll", "train"),
        ("emerging.dev.conll", "validation"),
        ("VALID.tsv", "validation"),
        ("my_val_2.jsonl", "validation"),
        ("test-00000-of-00001.parquet", "test"),
        ("emerging.test.annotated", "test"),
        ("latest.csv", None),
        ("constraints.csv", None),
        ("items.csv", None),
    ],
)
def test_the_part_is_told_by_a_word_in_the_name(name: str, part: str | None) -> None:
    assert part_of(name) == part


def test_a_folder_of_splits_in_different_formats(write: Write, tmp_path: Path) -> None:
    write("train.csv", CSV + "z,y\n")
    write("dev.jsonl", '{"text": "a", "label": "b"}\n')
    write("test.tsv", "text\tlabel\nx\ty\n")
    write("README.md", "train test")
    write("items.csv", CSV)
    write(".train.csv.swp", b"\x00")
    write("train.log", "text")
    assert read(tmp_path) == {"test": 1, "train": 2, "validation": 1}
    assert read_folder(tmp_path, FileSettings(), read_file)["train"].name == f"{tmp_path.name}/train.csv"


def test_shards_of_one_part_are_joined(tmp_path: Path) -> None:
    for number in range(2):
        pd.DataFrame({"text": [f"a{number}"]}).to_parquet(tmp_path / f"train-0000{number}-of-00002.parquet")
    table = read_folder(tmp_path, FileSettings(), read_file)["train"]
    assert table.frame["text"].tolist() == ["a0", "a1"]
    assert table.name == f"{tmp_path.name}/train.parquet"


def test_two_files_for_one_part_are_refused(write: Write, tmp_path: Path) -> None:
    write("train.csv", CSV)
    write("train.jsonl", "{}")
    with pytest.raises(DataError, match=r"more than one file for train: 'train.csv' and 'train.jsonl'"):
        read(tmp_path)


def test_a_folder_without_parts_lists_what_it_has(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the folder '.*' is empty"):
        read(tmp_path)
    write("reviews.csv", CSV)
    with pytest.raises(
        DataError, match=r"has no file named after a part of the data \(it has: reviews.csv\)"
    ) as caught:
        read(tmp_path)
    assert caught.value.hint == "name them train, validation (or dev) and test, or give one file by its path"


def test_a_broken_file_in_a_folder_is_named(write: Write, tmp_path: Path) -> None:
    write("train.csv", "text,label\nx\n")
    with pytest.raises(DataError, match=r"train\.csv: line 2 has 1 field"):
        read(tmp_path)
