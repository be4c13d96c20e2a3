"""Tables, as HTML, Markdown and plain text. Cells may be anything; numbers are formatted and set to the right."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Literal

from nbtune.drawing.text import Markup, escape, markdown_cell, number, visible

Align = Literal["left", "right"]
Row = Sequence[object]
_MOST = 1000
"""Characters of a cell that are shown; in a terminal, where the widest cell widens every row, fewer."""
_MOST_IN_TEXT = 200


def table(columns: Sequence[object], rows: Iterable[Row], *, align: Sequence[Align] = (), caption: str = "") -> Markup:
    """An HTML table. Without `align`, columns of numbers are set to the right."""
    body = [tuple(row) for row in rows]
    sides = _sides(columns, body, align)
    head = "".join(
        f'<th scope="col" class="nbtune-{side}">{escape(column, _MOST)}</th>'
        for column, side in zip(columns, sides, strict=True)
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f'<td class="nbtune-{side}">{escape(_cell(value), _MOST)}</td>'
            for value, side in zip(row, sides, strict=True)
        )
        + "</tr>"
        for row in body
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return Markup(
        f'<div class="nbtune-scroll"><table class="nbtune-table">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def markdown_table(columns: Sequence[object], rows: Iterable[Row], *, align: Sequence[Align] = ()) -> str:
    """A Markdown table; marks, pipes and line ends inside cells are escaped."""
    body = [tuple(row) for row in rows]
    sides = _sides(columns, body, align)
    lines = [
        "| " + " | ".join(markdown_cell(column, _MOST) for column in columns) + " |",
        "|" + "|".join(" ---: " if side == "right" else " --- " for side in sides) + "|",
    ]
    lines.extend("| " + " | ".join(markdown_cell(_cell(value), _MOST) for value in row) + " |" for row in body)
    return "\n".join(lines)


def text_table(columns: Sequence[object], rows: Iterable[Row], *, align: Sequence[Align] = ()) -> str:
    """A table for terminals, padded by the width of the characters."""
    body = [tuple(row) for row in rows]
    sides = _sides(columns, body, align)
    cells = [[_line(column) for column in columns], *([_line(_cell(value)) for value in row] for row in body)]
    widths = [max(_width(line[position]) for line in cells) for position in range(len(columns))]
    drawn = [
        "  ".join(_pad(cell, width, side) for cell, width, side in zip(line, widths, sides, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([drawn[0], "  ".join("-" * width for width in widths), *drawn[1:]])


def _sides(columns: Sequence[object], rows: Sequence[Row], align: Sequence[Align]) -> list[Align]:
    if align:
        return list(align)
    sides: list[Align] = []
    for position in range(len(columns)):
        values = [row[position] for row in rows if row[position] is not None]
        numeric = bool(values) and all(isinstance(value, Real) and not isinstance(value, bool) for value in values)
        sides.append("right" if numeric else "left")
    return sides


def _cell(value: object) -> object:
    return value if isinstance(value, str) else number(value)


def _line(value: object) -> str:
    return " ".join(visible(value, _MOST_IN_TEXT).split())


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _pad(text: str, width: int, side: Align) -> str:
    space = " " * (width - _width(text))
    return space + text if side == "right" else text + space
