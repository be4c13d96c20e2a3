"""What --data may name."""

from __future__ import annotations

import pytest

from nbtune.errors import DataError
from nbtune.notebook.variables import from_variables

NAMES = {"rows": [1, 2, 3], "parts": {"train": "t"}, "limit": 2}


@pytest.mark.parametrize(
    "text", ["rows", "unknown", "train.csv", "data/train.csv", "sample:ner", "hub:a/b", "$rows", "x["]
)
def test_names_paths_and_sources_are_left_to_the_reader_of_data(text: str) -> None:
    assert from_variables(text, NAMES) == text


def test_expressions_over_variables_are_computed() -> None:
    assert from_variables("rows[:limit]", NAMES) == [1, 2]
    assert from_variables('parts["train"]', NAMES) == "t"
    assert from_variables("rows[:len([x for x in rows if x > limit])]", NAMES) == [1]


def test_a_failing_expression_says_so() -> None:
    with pytest.raises(DataError, match="cannot be computed: KeyError: 'tset'"):
        from_variables('parts["tset"]', NAMES)
