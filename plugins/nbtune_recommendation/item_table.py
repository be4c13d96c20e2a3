"""The table of all items, where the user gives one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbtune.api import ColumnMap, DataError, clean_label, clean_text, did_you_mean
from nbtune_recommendation.rows import COLUMNS, feature_columns, plain_value

_FORMATS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".parquet": "read_parquet",
    ".json": "read_json",
    ".jsonl": "read_json",
}


def read_items(path: str, features: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """Items by id, with text and features.

    Raises:
        DataError: the file is missing, of an unknown kind, unreadable, or lacks an item or text column.
    """
    import pandas as pd

    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"there is no table of items at {path!r}", "give the path of a CSV, TSV, JSONL or Parquet file")
    if file.suffix.lower() not in _FORMATS:
        raise DataError(f"the table of items {path!r} is not a known kind", f"use one of {', '.join(_FORMATS)}")
    settings: dict[str, dict[str, Any]] = {".tsv": {"sep": "\t"}, ".jsonl": {"lines": True}}
    try:
        table: pd.DataFrame = getattr(pd, _FORMATS[file.suffix.lower()])(file, **settings.get(file.suffix.lower(), {}))
    except Exception as error:  # pandas' readers raise a dozen types
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"the table of items {path!r} cannot be read: {first}", "check the file") from error
    names = {name: _find(table, name, path) for name in ("item", "text")}
    columns = ColumnMap(names)
    extra = [name for name in feature_columns(table, columns, features, strict=False) if name not in names.values()]
    items: dict[str, dict[str, Any]] = {}
    for row, cells in enumerate(table.to_dict("records")):
        try:
            item, text = clean_label(cells[names["item"]]), clean_text(cells[names["text"]])
        except ValueError as error:
            raise DataError(f"row {row} of the table of items {error}", "give every item an id and a text") from None
        values = {name: plain_value(cells[name]) for name in extra}
        items.setdefault(item, {"text": text, "features": values})
    return items


def _find(table: Any, name: str, path: str) -> str:
    column = next(column for column in COLUMNS if column.name == name)
    known = {str(present).casefold(): str(present) for present in table.columns}
    for alias in (name, *column.aliases):
        if alias in known:
            return known[alias]
    raise DataError(
        f"the table of items {path!r} has no column {name!r}",
        did_you_mean(name, [str(column) for column in table.columns]),
    )
