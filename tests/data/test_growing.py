"""Columns that grow in memory and in files give the same numbers, of the same type."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbtune.data.growing import FeatureColumns, InFile, InMemory, read_back
from nbtune.errors import PluginError

CHUNKS: dict[str, list[list[Any]]] = {
    "one width": [[1, 2], [3]],
    "wider and wider": [[1], [300, -1], [70_000], [2**40]],
    "wide before narrow": [[40_000], [1, 2]],
    "fractions": [[0.5, 1.0], [2.25]],
    "numbers that turn out fractions": [[1, 2], [0.5]],
    "flags": [[True, False], [True]],
    "nothing": [],
}


def arrays(chunks: list[list[Any]]) -> list[Any]:
    columns = FeatureColumns(InMemory)
    for chunk in chunks:
        columns.add([[{"x": value}] for value in chunk])
    return [columns.values["x"].joined()] if chunks else []


@pytest.mark.parametrize("name", CHUNKS)
def test_files_hold_what_memory_would(tmp_path: Path, name: str) -> None:
    number = itertools.count()
    columns = FeatureColumns(lambda: InFile(tmp_path / f"{next(number)}.bin"))
    for chunk in CHUNKS[name]:
        columns.add([[{"x": value}] for value in chunk])
    found = [read_back(tmp_path, column.close()) for column in columns.values.values()]
    for mine, memory in zip(found, arrays(CHUNKS[name]), strict=True):
        assert mine.dtype == memory.dtype
        assert mine.tolist() == memory.tolist() == [value for chunk in CHUNKS[name] for value in chunk]
    assert not list(tmp_path.glob("*.narrow"))


def test_a_vocabulary_takes_two_bytes_a_token() -> None:
    (tokens,) = arrays([[101, 30_521]])
    assert tokens.dtype == np.int16


def test_a_file_that_was_changed_is_not_read(tmp_path: Path) -> None:
    column = InFile(tmp_path / "x.bin")
    column.add(np.array([1, 2, 3], dtype=np.int8))
    facts = column.close()
    assert read_back(tmp_path, facts).tolist() == [1, 2, 3]
    (tmp_path / "x.bin").write_bytes(b"\x01\x02\x04")
    with pytest.raises(ValueError, match="other bytes"):
        read_back(tmp_path, facts)
    (tmp_path / "x.bin").write_bytes(b"\x01\x02")
    with pytest.raises(ValueError, match="2 bytes instead of 3"):
        read_back(tmp_path, facts)


def test_what_was_mapped_cannot_be_changed(tmp_path: Path) -> None:
    column = InFile(tmp_path / "x.bin")
    column.add(np.array([1, 2, 3], dtype=np.int8))
    values = read_back(tmp_path, column.close())
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 9


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([{"x": 1}, {"y": 1}], "differ in their keys"),
        ([{"x": 1}, {"x": [1]}], "a number in some features and a list in others"),
        ([{"x": [[1, 2]]}], "no flat list of numbers"),
        ([{"x": ["a"]}], "no flat list of numbers"),
    ],
    ids=str,
)
@pytest.mark.parametrize("together", [True, False])
def test_features_unlike_the_contract_are_refused(features: list[Any], message: str, together: bool) -> None:
    columns = FeatureColumns(InMemory)
    before, last = ([], features) if together else (features[:-1], features[-1:])
    columns.add([[feature] for feature in before])
    with pytest.raises(PluginError, match=message):
        columns.add([[feature] for feature in last])
