"""JSON and JSONL: one object a row; a broken one is named by its line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.data.tables import Table
from nbtune.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_jsonl(text: str, name: str) -> Table:
    """The table of a file with one JSON object a line; blank lines are skipped.

    Raises:
        DataError: a line is not JSON, or not an object.
    """
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: JSON text may hold other line separators
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _broken(name, number, line, error) from None
        if not isinstance(row, dict):
            raise DataError(
                f"{name}: line {number} is {_kind(row)}, not an object",
                'write each line as {"text": ..., "label": ...}',
            )
        rows.append(row)
        numbers.append(number)
    return Table(frame_of(rows), name, lambda: numbers)


def read_json(text: str, name: str) -> dict[str, Table]:
    """The tables of a JSON file: a list of objects, an object of columns, or an object of such parts by name.

    The table is under "whole" if the file does not name parts. Several objects one after the other are JSONL.

    Raises:
        DataError: the file is not JSON, or not one of these shapes.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        first = text.lstrip().split("\n", 1)[0].rstrip()
        if first.startswith("{") and first.endswith("}"):
            return {"whole": read_jsonl(text, name)}
        line = getattr(error, "lineno", 1)
        raise _broken(name, line, text.split("\n")[line - 1], error) from None
    if isinstance(content, dict) and content and all(_is_rows(rows) for rows in content.values()):
        if len(content) == 1:  # {"data": [...]}
            part, rows = next(iter(content.items()))
            return {part: _from_rows(rows, name)}
        return {part: _from_rows(rows, f"{name}:{part}") for part, rows in content.items()}
    if isinstance(content, dict) and content and all(isinstance(column, list) for column in content.values()):
        return {"whole": Table(_from_columns(content, name), name)}
    if isinstance(content, dict) and content:
        content = [content]
    return {"whole": _from_rows(content, name)}


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The DataFrame of a list of dicts, whose keys become columns in the order of their first appearance."""
    import pandas as pd

    columns: dict[str, pd.Series[Any]] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        cells = [row.get(key) for row in rows]
        name = str(key).encode("utf-8", "replace").decode("utf-8")
        try:
            columns[name] = pd.Series(cells, dtype=object if _stays_as_written(cells) else None)
        except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, which clean_text replaces; a huge number
            columns[name] = pd.Series(cells, dtype=object)
    return pd.DataFrame(columns)


def _stays_as_written(cells: Sequence[Any]) -> bool:
    """Whether pandas' guess would change cells: of mixed types, or whole numbers too long for a float beside a gap."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if len(kinds) > 1 and kinds != {int, float}:
        return True
    return int in kinds and any(isinstance(cell, int) and abs(cell) > 2**53 for cell in cells)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _from_rows(rows: Any, name: str) -> Table:
    if not isinstance(rows, list):
        raise DataError(
            f"{name} holds {_kind(rows)}, not a list of objects", 'write [{"text": ..., "label": ...}, ...]'
        )
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(
                f"{name}: row {number} is {_kind(row)}, not an object", 'write [{"text": ..., "label": ...}, ...]'
            )
    return Table(frame_of(rows), name)


def _from_columns(columns: Mapping[str, list[Any]], name: str) -> pd.DataFrame:
    lengths = {column: len(cells) for column, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            f"{name} has columns of different length ({', '.join(f'{key}: {n:,}' for key, n in lengths.items())})",
            "give every column one cell for each row",
        )
    return frame_of([dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)])


def _broken(name: str, line: int, text: str, error: Exception) -> DataError:
    reason = getattr(error, "msg", None) or str(error)
    column = getattr(error, "colno", 1)
    around = text[max(0, column - 21) : column + 20].strip()
    place = f"{name}: line {line} is not JSON ({reason[:1].lower()}{reason[1:]} at character {column})"
    return DataError(place, f"look near: {around}" if around else "the file ends too early: copy or write it again")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
