from __future__ import annotations

import json

import pytest

from nbtune.data.objects import frame_of, read_json, read_jsonl
from nbtune.errors import DataError


def test_jsonl_skips_blank_lines_and_knows_the_line_of_a_row() -> None:
    table = read_jsonl('{"text": "a\\u2028b", "label": 1}\r\n\r\n{"label": 2, "text": "c"}\n', "a.jsonl")
    assert table.frame.to_dict("list") == {"text": ["a\u2028b", "c"], "label": [1, 2]}
    assert table.where(1) == "row 1 (line 3)"


def test_a_line_separator_inside_json_text_ends_no_line() -> None:
    assert len(read_jsonl('{"text": "a\u2028b\x85c"}\n', "a.jsonl")) == 1


def test_a_broken_line_is_named() -> None:
    with pytest.raises(DataError) as caught:
        read_jsonl('{"text": "a"}\n{"text": "b",}\n', "a.jsonl")
    assert caught.value.message.startswith("a.jsonl: line 2 is not JSON (")
    assert '{"text": "b",}' in caught.value.hint


def test_a_line_cut_short_is_named() -> None:
    with pytest.raises(DataError, match=r"a\.jsonl: line 2 is not JSON \(unterminated string"):
        read_jsonl('{"text": "a"}\n{"text": "b', "a.jsonl")


@pytest.mark.parametrize(
    ("line", "kind"), [("[1, 2]", "a list"), ('"x"', "a text"), ("3", "a number"), ("null", "null")]
)
def test_a_line_that_is_no_object_is_named(line: str, kind: str) -> None:
    with pytest.raises(DataError, match=f"a.jsonl: line 2 is {kind}, not an object"):
        read_jsonl('{"text": "a"}\n' + line, "a.jsonl")


def test_json_may_be_rows_columns_parts_or_lines() -> None:
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    columns = {"text": ["a", "b"], "label": ["x", "y"]}
    assert read_json(json.dumps(rows, indent=1), "a.json")["whole"].frame.to_dict("list") == columns
    assert read_json(json.dumps(columns), "a.json")["whole"].frame.to_dict("list") == columns
    assert read_json("\n".join(map(json.dumps, rows)), "a.json")["whole"].frame.to_dict("list") == columns
    assert read_json(json.dumps({"data": rows}), "a.json")["data"].frame.to_dict("list") == columns
    parts = read_json(json.dumps({"train": rows, "test": rows[:1]}), "a.json")
    assert {part: len(table) for part, table in parts.items()} == {"train": 2, "test": 1}


def test_broken_json_names_the_line() -> None:
    with pytest.raises(DataError, match=r"a\.json: line 3 is not JSON"):
        read_json('[\n{"text": "a"},\n{"text": }\n]', "a.json")
    with pytest.raises(DataError, match=r"a\.json: line 2 is not JSON"):
        read_json('[{"text": "a"},\n', "a.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("3", "a.json holds a number, not a list of objects"),
        ('[{"a": 1}, 2]', "a.json: row 1 is a number, not an object"),
        ('{"a": [1, 2], "b": [1]}', r"a.json has columns of different length \(a: 2, b: 1\)"),
    ],
)
def test_json_of_another_shape_is_refused(content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_json(content, "a.json")


def test_keys_may_be_absent_and_types_may_mix() -> None:
    frame = frame_of([{"a": 1, "b": "x"}, {"b": 2, "c": True}, {"a": 3, "b": None}])
    assert frame.columns.tolist() == ["a", "b", "c"]
    assert frame["b"].tolist() == ["x", 2, None]
    assert frame["a"].isna().tolist() == [False, True, False]


def test_long_numbers_beside_a_gap_keep_their_digits() -> None:
    frame = frame_of([{"id": 1234567890123456789}, {"id": None}])
    assert frame["id"].tolist()[0] == 1234567890123456789


def test_half_a_surrogate_pair_does_not_stop_the_reading() -> None:
    table = read_jsonl('{"text": "a\\ud83d", "k\\ud83d": 1}\n', "a.jsonl")
    assert table.frame["text"].tolist() == ["a\ud83d"]
    assert table.frame.columns.tolist() == ["text", "k?"]


def test_keys_that_are_no_texts_become_texts() -> None:
    assert frame_of([{0: "a", 1: "b"}]).to_dict("list") == {"0": ["a"], "1": ["b"]}
