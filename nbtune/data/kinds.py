"""What a column holds, judged by its cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from nbtune.data.cells import is_missing
from nbtune.data.tags import split_tag
from nbtune.values import ColumnKind

if TYPE_CHECKING:
    import pandas as pd

_LOOKED_AT = 1000  # cells of each column


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that may be what is sought, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Cells:
    name: str
    values: Sequence[Any]  # those that are not missing, of the rows looked at
    rows: int

    def all(self, test: Callable[[Any], bool]) -> bool:
        return bool(self.values) and all(test(value) for value in self.values)


def candidates(frame: pd.DataFrame, kind: ColumnKind, *, training: bool = True) -> list[Candidate]:
    """The columns of `frame` that hold a `kind`; several where they would do equally well, none where nothing fits."""
    columns = [_look(frame, str(name)) for name in frame.columns]
    if kind == "text":
        return _longest_texts(columns, needs_prose=training and len(columns) > 1)
    test, reason = _TESTS[kind]
    return [Candidate(cells.name, reason(cells)) for cells in columns if test(cells)]


def _look(frame: pd.DataFrame, name: str) -> _Cells:
    column = frame[name]
    if len(column) > _LOOKED_AT:  # spread over the table: files are often sorted by label
        column = column.iloc[:: len(column) // _LOOKED_AT].head(_LOOKED_AT)
    return _Cells(name, [value for value in column.tolist() if not is_missing(value) and value != ""], len(column))


def _longest_texts(columns: Sequence[_Cells], *, needs_prose: bool) -> list[Candidate]:
    lengths = {
        cells.name: sum(map(len, cells.values)) / len(cells.values)
        for cells in columns
        if cells.all(lambda value: isinstance(value, str)) and not (needs_prose and _is_label(cells))
    }
    if not lengths:
        return []
    longest = max(lengths.values())
    # within a fifth of each other, length alone does not tell the question from the answer
    best = [name for name, length in lengths.items() if length >= 0.8 * longest]
    return [Candidate(name, f"the longest texts ({lengths[name]:.0f} characters on average)") for name in best]


def _is_label(cells: _Cells) -> bool:
    if not cells.all(lambda value: isinstance(value, (str, int)) or (isinstance(value, float) and value.is_integer())):
        return False
    different = len({str(value) for value in cells.values})
    if cells.all(lambda value: isinstance(value, str)) and max(map(len, cells.values)) > 100:
        return False
    allowed = max(2, len(cells.values) // (2 if len(cells.values) < 100 else 4))
    return different <= allowed and different < len(cells.values)


def _is_labels(cells: _Cells) -> bool:
    return cells.all(lambda value: _is_list_of(value, str)) and not _is_tags(cells)


def _is_tags(cells: _Cells) -> bool:
    if not cells.all(lambda value: _is_list_of(value, str)):
        return False
    try:
        return any(tag != "O" for tags in cells.values for tag in tags if split_tag(tag))
    except ValueError:
        return False


def _is_tokens(cells: _Cells) -> bool:
    return cells.all(lambda value: _is_list_of(value, str)) and not _is_tags(cells)


def _is_spans(cells: _Cells) -> bool:
    found = [span for spans in cells.values if isinstance(spans, list) for span in spans]
    return (
        cells.all(lambda value: isinstance(value, list))
        and bool(found)
        and all(isinstance(span, dict) and "start" in span and "end" in span for span in found)
    )


def _is_number(cells: _Cells) -> bool:
    return cells.all(lambda value: isinstance(value, (int, float)) and not isinstance(value, bool))


def _is_time(cells: _Cells) -> bool:
    def is_moment(value: Any) -> bool:
        if isinstance(value, date):
            return True
        if not isinstance(value, str):
            return False
        try:
            date.fromisoformat(value.strip()[:10])
        except ValueError:
            return False
        return True

    return cells.all(is_moment)


def _is_id(cells: _Cells) -> bool:
    return cells.all(
        lambda value: (
            (isinstance(value, int) and not isinstance(value, bool))
            or (isinstance(value, str) and len(value) <= 64 and " " not in value)
        )
    )


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, kind) for item in value)


def _different(cells: _Cells) -> str:
    return f"few different values ({len({str(value) for value in cells.values}):,} in {len(cells.values):,} rows)"


_TESTS: dict[ColumnKind, tuple[Callable[[_Cells], bool], Callable[[_Cells], str]]] = {
    "label": (_is_label, _different),
    "labels": (_is_labels, lambda _: "lists of names"),
    "tokens": (_is_tokens, lambda _: "lists of words"),
    "tags": (_is_tags, lambda _: "lists of tags such as B-PER and O"),
    "spans": (_is_spans, lambda _: "lists of spans with start and end"),
    "number": (_is_number, lambda _: "numbers"),
    "time": (_is_time, lambda _: "dates"),
    "id": (_is_id, lambda _: "short names or numbers"),
}
