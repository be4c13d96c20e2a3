"""Rows that belong together (a user's, a document's) and lie in two parts, so that one is known by the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbtune.data.columns import fold
from nbtune.data.findings import are, called, finding_on, rows_in_words
from nbtune.data.packing import PackedExamples
from nbtune.data.tables import Table
from nbtune.errors import SpecError, did_you_mean
from nbtune.tasks.task import Task
from nbtune.values import ColumnMap, Finding, Part

if TYPE_CHECKING:
    import pandas as pd

_NAMES = re.compile(
    r"(?:user|author|writer|speaker|customer|client|patient|person|reviewer|annotator|account|document|doc|article"
    r"|thread|conversation|dialogue?|session|ticket|case|page|book|paper|movie|product|group)(?:id|name|no|number|key)?"
)
_USUAL_SIZE = 1.2
"""Rows of a group, on average, from which a column ties rows together and does not number them."""
_SERIOUS = 0.01


@dataclass(frozen=True)
class Groupings:
    """Columns that tie rows together though the task does not read them: name -> part -> a key for each row."""

    keys: Mapping[str, Mapping[Part, NDArray[np.object_]]]


def tie(task: Task, examples: PackedExamples, table: Table, column: str) -> PackedExamples:
    """The examples in the groups that a column of their table names; an empty cell is a group of its own.

    Raises:
        SpecError: the table has no such column, or the task makes groups of its own.
    """
    if column not in table.frame.columns:
        raise SpecError(f"{table.name} has no column {column!r}", did_you_mean(column, map(str, table.frame.columns)))
    if examples.groups is not None or type(task).split is not Task.split:
        words = f"the task {task.name!r} ties rows together by itself, so they cannot be tied by {column!r}"
        raise SpecError(words, "leave group out")
    keys = _keys(table.frame[column])[examples.rows]
    return examples.tied(np.array([key or None for key in keys.tolist()], dtype=np.object_))


def groupings(tables: Mapping[Part, Table], columns: ColumnMap) -> Groupings:
    """The columns of the tables that are called like a user or a document and whose values recur."""
    taken = {name for role in columns.names for name in columns.many(role)}
    found: dict[str, dict[Part, NDArray[np.object_]]] = {}
    for name in tables["train"].frame.columns:
        if str(name) in taken or not _NAMES.fullmatch(fold(str(name))):
            continue
        keys = {part: _keys(table.frame[name]) for part, table in tables.items() if name in table.frame.columns}
        filled = [key for key in keys["train"] if key]
        if len(set(filled)) > 1 and len(filled) >= _USUAL_SIZE * len(set(filled)):
            found[str(name)] = keys
    return Groupings(found)


def across_parts(task: Task, parts: Mapping[Part, PackedExamples], known: Groupings | None) -> Iterator[Finding]:
    """Groups that have rows in the training data and in another part, by the task's own groups or by a column."""
    if type(task).split is not Task.split or "train" not in parts:
        return  # it splits inside groups on purpose: by time, say
    named: dict[str, dict[Part, NDArray[np.object_]]] = {}
    for column, keys in known.keys.items() if known is not None else ():
        # parts that were made from the training table have its rows
        named[f"{column} "] = {part: keys.get(part, keys["train"])[examples.rows] for part, examples in parts.items()}
    if parts["train"].groups is not None:
        named[""] = {
            part: np.array([group or "" for group in examples.groups], dtype=np.object_)
            for part, examples in parts.items()
            if examples.groups is not None
        }
    for column, keys in named.items():
        for part in ("validation", "test"):
            if part in keys:
                yield from _shared(column, part, keys["train"], keys[part], parts[part])


def _shared(
    column: str, part: Part, train: NDArray[np.object_], own: NDArray[np.object_], examples: PackedExamples
) -> Iterator[Finding]:
    both = (set(train.tolist()) & set(own.tolist())) - {""}
    if not both:
        return
    rows = np.sort(examples.rows[[key in both for key in own.tolist()]])
    several = f"{len(both):,} {column}groups have" if len(both) > 1 else f"1 {column}group has"
    yield finding_on(
        "warning" if len(rows) >= _SERIOUS * len(examples) else "note",
        f"{several} rows in both the training and the {called(part)} data, such as {min(both)!r}: {len(rows):,} of the"
        f" {len(examples):,} {part} examples {are(len(rows))} of them ({rows_in_words(rows)})",
        "the score says little about new ones: give parts that share none"
        + (f", or let group = {column.strip()!r} make them" if column else ""),
        rows,
    )


def _keys(cells: pd.Series) -> NDArray[np.object_]:
    present = cells.notna().to_numpy()
    keys = np.full(len(cells), "", dtype=np.object_)
    keys[present] = [str(value) for value in cells[present].tolist()]
    return keys
