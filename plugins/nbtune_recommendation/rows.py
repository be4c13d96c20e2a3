"""Rows of a table as examples: user, item, its text, how much it was liked, when, and the item's features."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.api import (
    Column,
    ColumnMap,
    DataError,
    Example,
    Part,
    Problem,
    clean_label,
    clean_number,
    clean_text,
    did_you_mean,
)

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    Column(
        "user",
        "id",
        (
            "user",
            "user_id",
            "userid",
            "customer",
            "customer_id",
            "reader",
            "listener",
            "visitor",
            "session",
            "reviewerid",
        ),
        help="who",
    ),
    Column(
        "item",
        "id",
        (
            "item",
            "item_id",
            "itemid",
            "product",
            "product_id",
            "asin",
            "article",
            "article_id",
            "movie",
            "movie_id",
            "sku",
        ),
        help="what",
    ),
    Column(
        "text",
        "text",
        ("text", "item_text", "title", "description", "item_title", "product_title", "headline", "name", "content"),
        required=False,
        help="the item in words; may come from the table of `items` instead",
    ),
    Column(
        "label",
        "number",
        (
            "label",
            "rating",
            "stars",
            "click",
            "clicked",
            "purchase",
            "purchased",
            "bought",
            "liked",
            "overall",
            "score",
        ),
        required=False,
        target=True,
        help="a click or purchase (0 or 1) or a rating; without it every row is something the user liked",
    ),
    Column(
        "time",
        "time",
        ("time", "timestamp", "date", "datetime", "created_at", "unixreviewtime", "event_time"),
        required=False,
        help="when; orders a user's history",
    ),
)

_WORDS = {"true": 1.0, "yes": 1.0, "y": 1.0, "false": 0.0, "no": 0.0, "n": 0.0}
_LONGEST_NAME = 40


def read_rows(
    table: pd.DataFrame, columns: ColumnMap, part: Part, features: Sequence[str] | None, texts_elsewhere: bool
) -> Iterator[Example | Problem]:
    """An example or a problem for each row. `texts_elsewhere`: items may go without a text here.

    Raises:
        DataError: a wanted feature is not a column, or there is no text for the items.
    """
    if "text" not in columns and part in ("train", "validation") and not texts_elsewhere:
        raise DataError(
            "there is no column with the items' text",
            'say which one it is ([columns] text = "title"), or give a table of items: items = "items.csv"',
        )
    names = feature_columns(table, columns, features, strict=part == "train" and not texts_elsewhere)
    times = _times(table, columns)
    cells = {name: table[columns.one(name)].tolist() for name in ("user", "item", "text", "label") if name in columns}
    extra = {name: table[name].tolist() for name in names}
    for row in range(len(table)):
        column = "user"
        try:
            user = clean_label(cells["user"][row])
            column = "item"
            item = clean_label(cells["item"][row])
            column = "text"
            needed = part in ("train", "validation", "test") and not texts_elsewhere and "text" in cells
            text = clean_text(cells["text"][row]) if needed else _optional_text(cells, row)
            column = "label"
            target = _target(cells, row, part)
            column = "time"
            time = None if times is None else clean_number(times[row])
        except ValueError as error:
            shown = columns.one(column) if column in columns else column
            yield Problem(row, f"{error}" if column != "time" else "is not a time", shown)
            continue
        inputs: dict[str, Any] = {"user": user, "item": item, "text": text}
        if time is not None:
            inputs["time"] = time
        if extra:
            inputs["features"] = {name: plain_value(values[row]) for name, values in extra.items()}
        yield Example(inputs, target, row, user)


def feature_columns(
    table: pd.DataFrame, columns: ColumnMap, wanted: Sequence[str] | None, *, strict: bool
) -> list[str]:
    """The table's columns that may describe items: those wanted, or every other number or short name.

    Raises:
        DataError: `strict`, and a wanted column is not there.
    """
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    present = [str(name) for name in table.columns]
    if wanted is not None:
        missing = [name for name in wanted if name not in present]
        if missing and strict:
            raise DataError(f"there is no feature column {missing[0]!r}", did_you_mean(missing[0], present))
        return [name for name in wanted if name in present]
    used = {table_name for name in columns.names for table_name in columns.many(name)}
    found = []
    for name in present:
        if name in used or re.search(r"(^|[_ ])(id|index|uuid|url|unnamed.*)$", name, re.IGNORECASE):
            continue
        column = table[name].dropna()
        if is_bool_dtype(column) or is_numeric_dtype(column) or _short_names(column):
            found.append(name)
    return found


def _short_names(column: pd.Series[Any]) -> bool:
    return len(column) > 0 and all(isinstance(value, str) and len(value) <= _LONGEST_NAME for value in column)


def plain_value(value: Any) -> float | str | None:
    """A number, a name, or None for what is missing."""
    try:
        if isinstance(value, (bool, str)) or type(value).__name__ == "bool_":
            return clean_label(value)
        return clean_number(value)
    except ValueError:
        return None


def _optional_text(cells: dict[str, list[Any]], row: int) -> str:
    try:
        return clean_text(cells["text"][row])
    except (KeyError, ValueError):
        return ""


def _target(cells: dict[str, list[Any]], row: int, part: Part) -> float | None:
    """How much it was liked; a row without a label column says that it was."""
    if part == "predict":
        return None
    if "label" not in cells:
        return 1.0
    value = cells["label"][row]
    if isinstance(value, str) and value.strip().casefold() in _WORDS:
        return _WORDS[value.strip().casefold()]
    return clean_number(value)


def _times(table: pd.DataFrame, columns: ColumnMap) -> list[float] | None:
    """Seconds (numbers are left as they are); NaN for what cannot be read."""
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if "time" not in columns:
        return None
    column = table[columns.one("time")]
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return [float(value) if value is not None else math.nan for value in column]
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().mean() > 0.5:
        return [float(value) for value in numbers]
    parsed = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    return [math.nan if pd.isna(moment) else moment.timestamp() for moment in parsed]
