"""Tables in three forms from the same rows."""

from __future__ import annotations

from html.parser import HTMLParser

from nbtune.drawing import Markup, markdown_table, table, text_table

HOSTILE = '<img src=x onerror="alert(1)">'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


def test_cells_headers_and_captions_are_escaped() -> None:
    tags = Tags()
    tags.feed(table([HOSTILE], [[HOSTILE]], caption=HOSTILE))
    assert "img" not in tags.seen
    assert tags.seen.count("td") == 1


def test_markup_in_a_cell_stays_markup() -> None:
    assert '<td class="nbtune-left"><b>x</b></td>' in table(["a"], [[Markup("<b>x</b>")]])


def test_columns_of_numbers_stand_to_the_right() -> None:
    assert text_table(["name", "score"], [["a", 0.5], ["bb", 12.25]]).splitlines() == [
        "name   score",
        "----  ------",
        "a     0.5000",
        "bb     12.25",
    ]


def test_wide_characters_take_two_places() -> None:
    lines = text_table(["a", "b"], [["東京", "x"], ["ab", "y"]]).splitlines()
    assert lines[2] == "東京  x"
    assert lines[3] == "ab    y"


def test_a_markdown_cell_can_break_neither_its_row_nor_the_page() -> None:
    row = markdown_table(["a", "b"], [["x|y\nz `code`", HOSTILE]]).splitlines()[-1]
    assert row.replace("\\|", "").count("|") == 3
    assert "<img" not in row
    assert "`" not in row.replace("\\`", "")


def test_a_table_without_rows_still_has_its_header() -> None:
    assert "<th" in table(["a"], [])
    assert text_table(["a"], []).startswith("a")
