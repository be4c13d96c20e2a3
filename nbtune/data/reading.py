"""Rows as the task's examples; what cannot be used is named, row by row, before anything is trained."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from nbtune.data.packing import PackedExamples, pack
from nbtune.data.survey import identity
from nbtune.data.tables import Table
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import ColumnMap, Example, Finding, Part, Problem

BadRows = Literal["error", "drop"]
_SHOWN = 5
_READS_ON = ("is ", "are ", "has ", "have ", "holds ", "must ", "does ", "cannot ")


def read_examples(
    task: Task, table: Table, columns: ColumnMap, part: Part, *, bad_rows: BadRows = "error"
) -> tuple[PackedExamples, tuple[Finding, ...]]:
    """The examples of a table, and what was noticed on the way.

    Raises:
        DataError: rows cannot be used, and `bad_rows` is "error" or no others remain.
    """
    problems: list[Problem] = []
    identities = array("Q")

    def usable() -> Iterator[Example]:
        for found in task.read(table.frame, columns, part):
            if isinstance(found, Problem):
                problems.append(found)
            else:
                if part != "predict":  # looking for duplicates would read them all once more
                    identities.append(identity(task, found))
                yield found

    examples = pack(usable())
    if part != "predict":
        examples.identities = np.array(identities, dtype=np.uint64)
    if not problems:
        return examples, table.findings
    message = describe_problems(table, columns, problems)
    if bad_rows == "error":
        raise DataError(message, 'mend these rows, or write bad_rows = "drop" to go on without them')
    if not examples:
        raise DataError(message, "no row is left: check that [columns] names the right columns")
    bad = sorted({problem.row for problem in problems})
    finding = Finding("warning", f"left out: {message}", rows=tuple(bad[:100]), count=len(bad))
    return examples, (*table.findings, finding)


def describe_problems(table: Table, columns: ColumnMap, problems: Sequence[Problem]) -> str:
    """How many rows cannot be used, and the first of them with their places and reasons."""
    count = len({problem.row for problem in problems})
    subject = f"{count:,} of {len(table):,} rows" if len(table) > 1 else "the only row"
    by_reason: dict[str, list[str]] = {}  # one reason for many rows is said once
    for problem in problems:
        by_reason.setdefault(_reason(problem, columns), []).append(table.where(problem.row))
    kinds = list(by_reason.items())
    first = "; ".join(f"{_places(places)}: {reason}" for reason, places in kinds[:_SHOWN])
    more = "; ..." if len(kinds) > _SHOWN else ""
    return f"{subject} of {table.name} cannot be used: {first}{more}"


def _places(places: Sequence[str]) -> str:
    """The first of the places where one thing is wrong."""
    return ", ".join(places[:_SHOWN]) + (f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else "")


def _reason(problem: Problem, columns: ColumnMap) -> str:
    """The reason as it reads after the column's name in the table, which is the name that people know."""
    if not problem.column:
        return problem.reason
    name = ", ".join(columns.many(problem.column)) or problem.column
    if problem.reason.startswith(_READS_ON):
        return f"{name} {problem.reason}"
    return problem.reason if name in problem.reason else f"{name}: {problem.reason}"
