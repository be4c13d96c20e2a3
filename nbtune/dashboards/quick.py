"""What can be told of data at once: its first rows, and what the task makes of the first thousand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from nbtune.dashboards.look import WRAPPED, html
from nbtune.drawing import Markup, callout, number, progress, shorten, table, tag
from nbtune.values import ColumnMap, Problem

if TYPE_CHECKING:
    from nbtune.data.tables import Table, Tables
    from nbtune.tasks.task import Task

NO_NAME = "(no name)"
"""A column that is called nothing."""
_ROWS = 5
_COLUMNS = 12
_READ = 1000
_LABELS = 12


def preview(found: Table) -> Markup:
    """The first rows as they were read."""
    frame = found.frame
    names = [str(name) for name in frame.columns[:_COLUMNS]]
    rows = [
        (row, *(cell if isinstance(cell, (int, float)) else shorten(cell, 120) for cell in cells))
        for row, cells in enumerate(frame[frame.columns[:_COLUMNS]].head(_ROWS).itertuples(index=False, name=None))
    ]
    left_out = len(frame.columns) - len(names)
    more = tag("div", f"and {left_out} more columns", css="nbtune-soft") if left_out > 0 else ""
    if not names:
        return Markup("")
    heads = ("row", *(shorten(name, 60) or NO_NAME for name in names))
    shown = table(heads, rows, caption=f"The first rows of {found.name}")
    return html(shown, more, css=WRAPPED)


def quick_look(task: Task, tables: Tables, columns: ColumnMap) -> Markup:
    """Parts, columns with the reason for each, rows that cannot be used, and labels."""
    parts = [("training" if part in ("whole", "train") else part, len(each)) for part, each in tables.items()]
    taken = [
        (name, ", ".join(each or NO_NAME for each in columns.many(name)), columns.reasons.get(name, ""))
        for name in columns.names
    ]
    return html(
        table(("the task's column", "taken from", "why"), taken, caption="Columns"),
        table(("part", "rows"), parts),
        _read(task, tables.get("train", tables.get("whole")), columns),
        css=WRAPPED,
    )


def _read(task: Task, found: Table | None, columns: ColumnMap) -> Markup:
    if found is None:
        return Markup("")
    read = list(task.read(found.frame.head(_READ), columns, "train"))
    problems = [each for each in read if isinstance(each, Problem)]
    labels = Counter(label for each in read if not isinstance(each, Problem) for label in task.labels_of(each))
    partly = len(found) > _READ
    about = f"the first {_READ:,} rows" if partly else f"all {len(read):,} rows"
    name = f"the beginning of {found.name}" if partly else found.name
    told = _problems(replace(found, frame=found.frame.head(_READ), name=name), columns, problems, about)
    return Markup(told + _labels(labels, about))


def _problems(looked_at: Table, columns: ColumnMap, problems: list[Problem], about: str) -> Markup:
    from nbtune.data.reading import describe_problems

    if not problems:
        return callout(f"{about} can be used", tone="good")
    words = describe_problems(looked_at, columns, problems)
    remedy = tag("div", "mend them, or choose bad_rows: drop in the settings to go on without them", css="nbtune-soft")
    return callout(words, remedy, tone="warning")


def _labels(labels: Counter[str], about: str) -> Markup:
    if not labels:
        return Markup("")
    largest = max(labels.values())
    rows = [
        (shorten(label, 60), count, progress(count, largest, f"{number(count)} of {label}"))
        for label, count in labels.most_common(_LABELS)
    ]
    more = len(labels) - len(rows)
    rest = tag("div", f"and {more:,} more labels", css="nbtune-soft") if more > 0 else ""
    return Markup(table(("label", "count", ""), rows, caption=f"Labels in {about}") + rest)
