"""Which column of the data is which of the task's: guessed, shown beside the first rows, and changed by a list each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbtune.dashboards.look import Notice, choice, column, hint, picture, row, share
from nbtune.dashboards.quick import NO_NAME, preview, quick_look
from nbtune.errors import DataError

if TYPE_CHECKING:
    from nbtune.data.tables import Table, Tables
    from nbtune.tasks.task import Task
    from nbtune.values import Column, ColumnMap

_FEW = 3
"""Columns whose first rows fit beside what is told of them."""
_OPEN = "\0open"
"""What stands in a list while nothing is chosen. A name of a column may be empty, but no name begins so."""


class Columns:
    """The lists, the first rows on the left, and what a quick look at the data tells on the right."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._quiet = False
        self._task: Task | None = None
        self._tables: Tables = {}
        self._lists: dict[str, Any] = {}
        self._said: dict[str, None] = {}  # roles whose column was chosen, in that order
        self._place = column()
        self._rows = picture()
        self._told = picture()
        self.notice = Notice()
        self.widget = column(self._place, self.notice.widget, row(share(self._rows), share(self._told)))

    @property
    def given(self) -> dict[str, str | list[str]]:
        """The columns that were chosen and not guessed, as in `[columns]`."""
        chosen = {name: self._lists[name].value for name in self._said}
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items() if value != _OPEN
        }

    def chosen(self, role: str) -> Any:
        """The list for one of the task's columns."""
        return self._lists[role]

    def clear(self) -> None:
        self._tables, self._lists, self._said = {}, {}, {}
        self._place.children = ()
        self._rows.value = self._told.value = ""
        self.notice.clear()

    def show(self, task: Task, tables: Tables, overrides: dict[str, Any]) -> None:
        """Look at data that was read. `overrides` are columns that are known, of a run that is opened."""
        self._task, self._tables = task, tables
        table = self._table()
        self._offer(task, table, overrides)
        self._rows.value = preview(table)
        share(self._rows, wide=len(table.frame.columns) > _FEW)
        self.look()

    def look(self) -> None:
        """Map the columns as chosen, and tell what a quick look finds."""
        if self._task is None or not self._tables:
            return
        self.notice.clear()
        try:
            found = _mapped(self._task, self._table(), self.given)
        except DataError as error:
            self._told.value = ""
            self.notice.refuse(error)
            return
        self._fill(found)
        self._told.value = quick_look(self._task, self._tables, found)

    def _table(self) -> Table:
        table = self._tables.get("train", self._tables.get("whole"))
        if table is None:
            raise DataError(f"there is no training data; found: {', '.join(self._tables)}", "name a part train")
        return table

    def _offer(self, task: Task, table: Table, known: dict[str, Any]) -> None:
        names = [str(name) for name in table.frame.columns]
        chosen = {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
        self._lists = {each.name: _list(each, names, chosen.get(each.name, _OPEN)) for each in task.columns}
        self._said = dict.fromkeys(name for name in self._lists if name in chosen)
        for role, made in self._lists.items():
            made.observe(functools.partial(self._chosen, role), names="value")
        words = "Which column is which: guessed from names and content; change what is wrong."
        self._place.children = (hint(words), *self._lists.values())

    def _fill(self, found: ColumnMap) -> None:
        """Show what the others are taken for, which may hang on what was chosen."""
        self._quiet = True
        for name, made in self._lists.items():
            if name not in self._said:
                value = found.names.get(name, _OPEN)
                made.options = _with(made.options, value)
                made.value = value
        self._quiet = False

    def _chosen(self, role: str, _: Any) -> None:
        if not self._quiet:
            self._said[role] = None
            self._changed()


def _list(column: Column, names: list[str], chosen: Any) -> Any:
    nothing = "choose …" if column.required else "none"
    options = _with([(nothing, _OPEN), *((name or NO_NAME, name) for name in names)], chosen)
    return choice(column.name, options, value=chosen, tooltip=column.help or column.name)


def _with(options: Any, value: Any) -> list[tuple[str, Any]]:
    known = [tuple(each) for each in options]
    if value in [each for _, each in known]:
        return known
    return [*known, (", ".join(value) if isinstance(value, tuple) else str(value), value)]


def _mapped(task: Task, table: Table, overrides: dict[str, Any]) -> ColumnMap:
    from nbtune.data.columns import map_columns

    return map_columns(task, table, overrides=overrides)
