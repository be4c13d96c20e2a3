"""Which column of a table is which column of the task: said by the user, told by its name, or guessed by content.

Each choice has a reason for people to read. Where two columns would do equally well, we ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from nbtune.data.kinds import candidates
from nbtune.data.tables import Table
from nbtune.errors import DataError, did_you_mean
from nbtune.tasks.task import Task
from nbtune.values import Column, ColumnMap, Part

if TYPE_CHECKING:
    import pandas as pd

Overrides = Mapping[str, "str | Sequence[str]"]


def map_columns(
    task: Task, table: Table, *, part: Part = "train", overrides: Overrides | None = None, like: ColumnMap | None = None
) -> ColumnMap:
    """The task's columns in this table. `like` is the map of the training data, followed where its columns exist.

    Raises:
        DataError: the table has no rows; a column is missing, named twice or not to be told from another (the hint
            shows what to write).
    """
    if not len(table):
        raise DataError(f"{table.name} is empty", "give data with at least one row")
    overrides = overrides or {}
    if like is not None and not overrides and _fits(like, table.frame):
        return like
    guess = _Guess(task, table, part)
    guess.follow_overrides(overrides)
    if like is not None:
        guess.follow(like)
    guess.by_name()
    guess.by_kind()
    found = ColumnMap(dict(guess.names), dict(guess.reasons))
    found = task.adjust_columns(table.frame, found)
    for role, doubt in guess.doubts.items():
        if role not in found:  # the task could not settle it either
            raise doubt
    _refuse_missing(task, table, found, part)
    return found


def _fits(columns: ColumnMap, frame: pd.DataFrame) -> bool:
    return all(name in frame.columns for role in columns.names for name in columns.many(role))


class _Guess:
    """The choices so far. A table's column is taken for one role only."""

    def __init__(self, task: Task, table: Table, part: Part) -> None:
        self.task = task
        self.table = table
        self.part: Part = part
        self.names: dict[str, str | tuple[str, ...]] = {}
        self.reasons: dict[str, str] = {}
        self.doubts: dict[str, DataError] = {}

    @property
    def free(self) -> list[str]:
        """The table's columns that are not taken, in its order."""
        taken = {name for names in self.names.values() for name in ([names] if isinstance(names, str) else names)}
        return [str(column) for column in self.table.frame.columns if column not in taken]

    @property
    def open(self) -> list[Column]:
        """The task's columns that have none yet."""
        return [column for column in self.task.columns if column.name not in self.names]

    def take(self, role: str, names: str | tuple[str, ...], reason: str) -> None:
        self.names[role] = names
        self.reasons[role] = reason

    def follow_overrides(self, overrides: Overrides) -> None:
        roles = {column.name: column for column in self.task.columns}
        for role, given in overrides.items():
            if role not in roles:
                raise DataError(f"the task {self.task.name!r} has no column {role!r}", did_you_mean(role, roles))
            names = (given,) if isinstance(given, str) else tuple(str(name) for name in given)
            if self.part == "predict" and roles[role].target and not set(names) <= set(self.table.frame.columns):
                continue  # what is to be predicted need not be there
            for name in names:
                if name not in self.table.frame.columns:
                    raise DataError(
                        f"[columns] {role} = {name!r}: {self.table.name} has no such column",
                        did_you_mean(name, self.table.frame.columns),
                    )
                if name not in self.free:
                    other = next(known for known, taken in self.names.items() if name == taken or name in taken)
                    raise DataError(f"[columns] takes {name!r} for both {other} and {role}", "give each its own column")
            self.take(role, given if isinstance(given, str) else names, "you named it")

    def follow(self, like: ColumnMap) -> None:
        for role, names in like.names.items():
            if role not in self.names and set(like.many(role)) <= set(self.free):
                self.take(role, names, "as in the training data")

    def by_name(self) -> None:
        """The same name first for all roles, then their usual names: an alias must not take another's own column."""
        for column in self.open:
            name = self._called(column.name, column.name)
            if name is not None:
                self.take(column.name, name, "the name is the same" if name == column.name else "the name fits")
        for column in self.open:
            for alias in column.aliases:
                name = self._called(alias, column.name)
                if name is not None:
                    self.take(column.name, name, f"a usual name for {column.name}")
                    break

    def _called(self, wanted: str, role: str) -> str | None:
        """The free column of this name: to the letter, or else without regard to case, underscores and spaces."""
        if wanted in self.free:
            return wanted
        near = [name for name in self.free if fold(name) == fold(wanted)]
        if len(near) > 1:
            raise self._ask(role, near, "are named alike")
        return near[0] if near else None

    def by_kind(self) -> None:
        for column in self.open:
            if not self._is_guessed(column):
                continue
            free = self.table.frame[self.free]
            best = candidates(free, column.kind, training=self.part != "predict")
            if len(best) > 1 and column.required:
                names = [candidate.name for candidate in best]
                self.doubts[column.name] = self._ask(column.name, names, "would do equally well")
            if len(best) == 1:
                self.take(column.name, best[0].name, best[0].reason)

    def _is_guessed(self, column: Column) -> bool:
        """An optional column is taken by content only where that is unmistakable."""
        if self.part == "predict" and column.target:
            return False
        if column.required or column.kind in {"tokens", "tags", "spans"}:
            return True
        # a task that takes either tokens or a text requires neither
        others = [other for other in self.task.columns if other.kind == "text"]
        has_words = any(other.name in self.names for other in self.task.columns if other.kind in {"text", "tokens"})
        return column.kind == "text" and others[0] is column and not has_words

    def _ask(self, role: str, names: Sequence[str], how: str) -> DataError:
        shown = ", ".join(repr(name) for name in names)
        return DataError(
            f"{self.table.name}: which column is {role!r}? {shown} {how}", f'write [columns] {role} = "{names[0]}"'
        )


def _refuse_missing(task: Task, table: Table, found: ColumnMap, part: Part) -> None:
    missing = [
        column
        for column in task.columns
        if column.required and column.name not in found and not (part == "predict" and column.target)
    ]
    if not missing:
        return
    column = missing[0]
    names = [str(name) for name in table.frame.columns]
    near = _nearest((column.name, *column.aliases), names)
    hint = f'write [columns] {column.name} = "{near or "NAME OF THE COLUMN"}"'
    if near:
        hint = f"did you mean {near!r}? {hint}"
    if any(len(name) > 40 or name.replace(".", "").isdigit() for name in names):
        hint += " (or, if the file has no header, ?header=no behind its path)"
    what = f" ({column.help})" if column.help else ""
    raise DataError(
        f"{table.name} has no column for {column.name!r}{what}; its columns are: {', '.join(names) or 'none'}", hint
    )


def _nearest(wanted: Sequence[str], names: Sequence[str]) -> str:
    folded = {name.casefold(): name for name in names}
    near = (get_close_matches(name.casefold(), folded, n=1, cutoff=0.7) for name in wanted)
    return next((folded[match[0]] for match in near if match), "")


def fold(name: str) -> str:
    """A name without case, underscores and spaces, by which names are compared."""
    return "".join(character for character in name.casefold() if character.isalnum()) or name
