from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from nbtune.data.cells import clean_label, clean_number, clean_text, spelled_lists, split_labels


@pytest.mark.parametrize("value", [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")])
def test_every_kind_of_missing_cell_is_refused(value: object) -> None:
    for clean in (clean_text, clean_label, clean_number):
        with pytest.raises(ValueError, match=r"^is missing \(Na?"):
            clean(value)
    assert split_labels(value, ";") == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "is empty"),
        (" \n\t\u00a0", "is empty"),
        ({"a": 1}, "is a dict, not text"),
        (["a"], "is a list, not text"),
        (np.array(["a"]), "is a list, not text"),
        (("a", "b"), "is a tuple, not text"),
        (b"bytes", "is bytes, not text"),
    ],
)
def test_what_is_not_a_text_is_named(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        clean_text(value)


def test_a_text_keeps_its_outer_space_so_that_offsets_stay_true() -> None:
    assert clean_text("  Angela \n") == "  Angela \n"


def test_numbers_are_texts_where_a_text_is_asked_for() -> None:
    assert [clean_text(value) for value in (7, 2.5, np.int64(3), True)] == ["7", "2.5", "3", "True"]


def test_half_a_surrogate_pair_is_replaced_in_place() -> None:
    broken = json.loads(r'"a\ud83db"')
    assert clean_text(broken) == "a?b"
    assert len(clean_text(broken)) == len(broken)
    assert clean_text("a😀b") == "a😀b"


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (3, "3"),
        (3.0, "3"),
        (np.float64(3), "3"),
        (np.int8(3), "3"),
        (" 3 ", "3"),
        (2.5, "2.5"),
        (-0.0, "0"),
        (True, "True"),
        (np.bool_(False), "False"),
        (np.str_("x"), "x"),
        (date(2024, 5, 1), "2024-05-01"),
        ("None", "None"),
    ],
)
def test_a_label_has_one_name_however_it_was_stored(value: object, label: str) -> None:
    assert clean_label(value) == label
    assert type(clean_label(value)) is str


def test_a_list_is_not_one_label() -> None:
    with pytest.raises(ValueError, match=r"^is a list, not a label$"):
        clean_label(["a"])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("many", "is not a number: 'many'"),
        ("", "is empty"),
        ("nan", "is missing"),
        (float("inf"), "is infinite"),
        ("x" * 90, r"is not a number: 'x+\.\.\.'"),
        ([1], "is a list, not a number"),
    ],
)
def test_what_is_not_a_number_is_named(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        clean_number(value)


def test_digits_in_a_text_are_a_number() -> None:
    assert [clean_number(value) for value in (" 2.5 ", "1e3", 4, np.float32(0.5), True)] == [2.5, 1000.0, 4.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("value", "delimiter", "labels"),
    [
        (["b", "a", "b"], None, ["b", "a"]),
        (np.array(["a", "b"]), ";", ["a", "b"]),
        ((1, 2.0), None, ["1", "2"]),
        ({"b", "a"}, None, ["a", "b"]),
        ('["a;x", "b"]', ";", ["a;x", "b"]),
        ("['a', 'b']", None, ["a", "b"]),
        ("[]", None, []),
        ("a; b;;", ";", ["a", "b"]),
        ("a; b", None, ["a; b"]),
        ("[draft] a;b", ";", ["[draft] a", "b"]),
        ("", ";", []),
        (5, ";", ["5"]),
    ],
)
def test_several_labels_in_a_cell(value: object, delimiter: str | None, labels: list[str]) -> None:
    assert split_labels(value, delimiter) == labels


def test_a_list_with_a_missing_label_is_refused() -> None:
    with pytest.raises(ValueError, match="holds a label that is missing"):
        split_labels(["a", None], None)


def test_a_spelled_list_is_data_not_code() -> None:
    assert split_labels("[__import__('os').getcwd()]", None) == ["[__import__('os').getcwd()]"]


def test_a_column_spells_lists_only_if_every_cell_does() -> None:
    assert spelled_lists(["['a']", "", None, '["b", "c"]']) == [["a"], None, None, ["b", "c"]]
    assert spelled_lists(["['a']", "[deleted]"]) is None
    assert spelled_lists(["", None]) is None
