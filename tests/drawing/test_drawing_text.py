"""What is shown is safe to show, and numbers read as people write them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nbtune.drawing import Markup, duration, escape, join, number, shorten, visible


def test_markup_from_data_is_escaped_in_text_and_attributes() -> None:
    assert escape("<script>alert('x')</script>\"&") == "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;"


def test_what_is_escaped_once_is_not_escaped_again() -> None:
    assert escape(escape("a < b")) == "a &lt; b"
    assert join(["<", Markup("<b>")]) == "&lt;<b>"


@pytest.mark.parametrize("hidden", ["\x1b[2J", "\x00", "\x9b", "\u202e", "\u2066", "\u200f", "\ufeff"])
def test_control_characters_and_direction_overrides_are_shown_not_obeyed(hidden: str) -> None:
    assert hidden[0] not in visible(f"a{hidden}b")
    assert hidden[0] not in escape(f"a{hidden}b")


def test_a_lone_surrogate_can_be_written_as_utf8() -> None:
    assert visible("a\ud800b").encode("utf-8")


def test_other_scripts_line_ends_and_tabs_are_left_alone() -> None:
    assert visible("שלום 東京\tand\nmore") == "שלום 東京\tand\nmore"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12345, "12,345"),
        (0.123456, "0.1235"),
        (1.5, "1.500"),
        (5e-5, "5.00e-5"),
        (0.0, "0.0000"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (None, "–"),
        (True, "True"),
        (np.float32(0.25), "0.2500"),
        (np.int64(7), "7"),
    ],
)
def test_numbers_are_written_for_people(value: object, shown: str) -> None:
    assert number(value) == shown


def test_durations_use_the_unit_people_would() -> None:
    assert [duration(s) for s in (4.21, 59, 190, 7500, math.nan)] == ["4.2 s", "59 s", "3 min 10 s", "2 h 5 min", "–"]


def test_a_megabyte_is_cut_to_one_line() -> None:
    assert shorten("word " * 300_000, 20) == "word word word word…"
    assert shorten("two\nlines", 20) == "two lines"
