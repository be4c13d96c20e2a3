from __future__ import annotations

import pytest

from nbtune.data.lines import read_lines
from nbtune.errors import DataError


def columns(text: str) -> dict[str, list[object]]:
    return {str(key): cells for key, cells in read_lines(text, "a.txt").frame.to_dict("list").items()}


def test_fasttext_lines() -> None:
    assert columns("__label__pos what a  day\n\n__label__neg never\n") == {
        "text": ["what a  day", "never"],
        "label": ["pos", "neg"],
    }


def test_fasttext_lines_with_several_labels() -> None:
    assert columns("__label__a __label__b x y\n__label__a z\n") == {"text": ["x y", "z"], "labels": [["a", "b"], ["a"]]}


def test_a_label_before_or_behind_a_tab() -> None:
    expected = {"text": ["a fine day", "never again", "a fine film"], "label": ["1", "0", "1"]}
    assert columns("1\ta fine day\n0\tnever again\n1\ta fine film\n") == expected
    assert columns("a fine day\t1\r\nnever again\t0\r\na fine film\t1\r\n") == expected


def test_a_label_before_a_space() -> None:
    assert columns("DESC:def What is it ?\nHUM Who ?\nHUM Who else ?\nDESC:def What ?\n") == {
        "text": ["What is it ?", "Who ?", "Who else ?", "What ?"],
        "label": ["DESC:def", "HUM", "HUM", "DESC:def"],
    }
    assert columns("pos: fine day\nneg: no\npos: yes\n")["label"] == ["pos", "neg", "pos"]


def test_lines_know_where_they_stood() -> None:
    assert read_lines("\n__label__a x\n\n__label__b y\n", "a.txt").where(1) == "row 1 (line 4)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__label__a x\nno label\n", "a.txt: line 2 has no __label__"),
        ("a x y\nb z\na\n", "a.txt: line 3 has no text after 'a'"),
        ("The day\nIt was\nHello there\n", r"a.txt: the lines do not begin with a label \(line 1 begins 'The day'\)"),
        (" \n", "a.txt is empty"),
    ],
)
def test_lines_that_are_wrong_are_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_lines(text, "a.txt")


def test_texts_to_predict_need_no_label() -> None:
    table = read_lines("The day\nIt was\nHello there\n", "a.txt", labelled=False)
    assert table.frame["text"].tolist() == ["The day", "It was", "Hello there"]
