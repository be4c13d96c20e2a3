"""What one cell of a table holds, as a plain text, label, number or list of labels.

Each function raises ValueError with a reason that reads on from the column's name: "is empty", "is a dict, not text".
"""

from __future__ import annotations

import ast
import json
import math
import numbers
from collections.abc import Iterable
from typing import Any


def is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, NaT or pandas.NA."""
    if value is None:
        return True
    kind = type(value).__name__  # named, not imported: NumPy and pandas are slow to load
    if isinstance(value, numbers.Real) or kind in {"datetime64", "timedelta64"}:
        return bool(value != value)
    return kind in {"NAType", "NaTType"}


def clean_text(value: Any) -> str:
    """The text of a cell, unchanged but for what no tokenizer can read, so that character offsets stay true.

    Raises:
        ValueError: the cell is missing, blank, or holds something that is not a text or a number.
    """
    if isinstance(value, str):
        text = str(value)
    else:
        _refuse(value, "text")
        text = _plain(value)
    if not text.strip():
        raise ValueError("is empty")
    # half of a surrogate pair (from broken JSON) cannot be written as UTF-8
    return text.encode("utf-8", "replace").decode("utf-8") if _has_surrogate(text) else text


def clean_label(value: Any) -> str:
    """A label's name: 3, 3.0 and "3 " are all "3"; True is "True", as in a CSV that pandas wrote.

    Raises:
        ValueError: the cell is missing, blank, or holds several values.
    """
    if not isinstance(value, str):
        _refuse(value, "a label")
    label = str(value).strip() if isinstance(value, str) else _plain(value).strip()
    if not label:
        raise ValueError("is empty")
    return label


def clean_number(value: Any) -> float:
    """The number in a cell; digits in a text count.

    Raises:
        ValueError: the cell is missing, not a number, or infinite.
    """
    _refuse(value, "a number")
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"is not a number: {shorten(value)}") from None
    if math.isnan(number):
        raise ValueError("is missing (NaN)")
    if math.isinf(number):
        raise ValueError("is infinite")
    return number


def split_labels(value: Any, delimiter: str | None) -> list[str]:
    """The labels of a cell that may hold several: a list, the text of a list, or names between `delimiter`s.

    A missing or blank cell has none. Each label is given once, in the order of the cell.

    Raises:
        ValueError: the cell is a dict, or one of its labels is missing or blank.
    """
    if is_missing(value) or (isinstance(value, str) and not value.strip()):
        return []
    if isinstance(value, str):
        items = listed(value)
        if items is None:
            items = [name for name in value.split(delimiter) if name.strip()] if delimiter else [value]
    elif isinstance(value, (list, tuple, set, frozenset)) or _is_array(value):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
    else:
        items = [value]
    return list(dict.fromkeys(_item_label(item) for item in items))


def listed(text: str) -> list[Any] | None:
    """The list that a text spells in JSON or Python (`["a", "b"]`, `['a', 'b']`), or None."""
    trimmed = text.strip()
    if not (trimmed.startswith("[") and trimmed.endswith("]")):
        return None
    try:
        items = json.loads(trimmed)
    except (ValueError, RecursionError):
        try:
            items = ast.literal_eval(trimmed)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return items if isinstance(items, list) else None


def spelled_lists(cells: Iterable[Any]) -> list[list[Any] | None] | None:
    """The lists that a whole column of texts spells, None for its gaps; or None if it is a column of anything else."""
    lists: list[list[Any] | None] = []
    for cell in cells:
        gap = is_missing(cell) or cell == ""
        spelled = None if gap or not isinstance(cell, str) else listed(cell)
        if not gap and spelled is None:
            return None
        lists.append(spelled)
    return lists if any(spelled is not None for spelled in lists) else None


def with_article(noun: str) -> str:
    """A noun as a sentence needs it: "an int", "a list"."""
    return f"{'an' if noun[:1] in 'aeiouA' else 'a'} {noun}"


def shorten(value: Any, longest: int = 40) -> str:
    """A value as it may stand in a message: quoted if text, cut if long."""
    text = repr(value if isinstance(value, (str, int, float)) else str(value))
    return text if len(text) <= longest else f"{text[: longest - 4]}...{text[-1]}"


def _item_label(item: Any) -> str:
    try:
        return clean_label(item)
    except ValueError as error:
        raise ValueError(f"holds a label that {error}") from None


def _refuse(value: Any, wanted: str) -> None:
    """Raise for what is missing or has parts."""
    if is_missing(value):
        raise ValueError("is missing (NaN)" if value is not None else "is missing (None)")
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise ValueError(f"is bytes, not {wanted}")
    if isinstance(value, dict):
        raise ValueError(f"is a dict, not {wanted}")
    if isinstance(value, Iterable) and not isinstance(value, str):
        name = "list" if _is_array(value) else type(value).__name__
        raise ValueError(f"is {with_article(name)}, not {wanted}")


def _is_array(value: Any) -> bool:
    return type(value).__name__ == "ndarray"


def _plain(value: Any) -> str:
    """A scalar as text; whole floats lose their ".0", which they have only because of a NaN beside them."""
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral) and float(value).is_integer():
        return str(int(float(value)))
    return str(value)


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
