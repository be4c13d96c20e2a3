"""A value with named parts, as a small table."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from nbtune.drawing.picture import Bundle
from nbtune.drawing.tables import markdown_table, table, text_table
from nbtune.drawing.text import shorten
from nbtune.drawing.theme import panel

_LONGEST = 200


class Record:
    """For dataclasses that a cell may end with: drawn as a table of their fields."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        columns = (type(self).__name__.lower(), "")
        rows = [(field.name, _said(getattr(self, field.name))) for field in fields(self)]  # type: ignore[arg-type]
        return {
            "text/html": panel(table(columns, rows)),
            "text/markdown": markdown_table(columns, rows),
            "text/plain": text_table(columns, rows),
        }


def _said(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, tuple) and all(isinstance(each, (int, float)) for each in value):
        return shorten(", ".join(f"{each:.4f}" for each in value), _LONGEST)
    if isinstance(value, tuple):
        return f"{len(value):,} of them"
    return shorten(f"{value}", _LONGEST)
