"""Data that a trained model is asked about: read as its training data was, or typed in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nbtune.data.columns import Overrides, fold, map_columns
from nbtune.data.fixes import normalise_like_training
from nbtune.data.groups import tie
from nbtune.data.objects import frame_of
from nbtune.data.packing import PackedExamples
from nbtune.data.reading import BadRows, read_examples
from nbtune.data.sources import looks_like_source, open_source
from nbtune.data.tables import Table
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import ColumnMap, Example, Inventory, Part

_TEXTS = "the texts given"


def read_for_scoring(
    task: Task,
    data: Any,
    *,
    part: Part,
    columns: Overrides | None = None,
    inventory: Inventory | None = None,
    namespace: Mapping[str, Any] | None = None,
    bad_rows: BadRows = "error",
    like: ColumnMap | None = None,
    fix: Collection[str] = (),
    group: str = "",
) -> PackedExamples:
    """The examples of new data, not yet arranged, for `part` "test" (with targets) or "predict" (without).

    To predict, `data` may also be a text, texts, or one row as a dict. Of a source with parts, the test part is taken
    (else validation, else train). `like` is the map of columns of the training data, followed where it fits. Of the
    run's fixes only "normalise_text" is done here, because the model learned from such texts; no row is dropped. Rows
    are tied together by the column `group` where the data has it.

    Raises:
        DataError: the data cannot be found or read.
    """
    table = scoring_table(task, data, part=part, namespace=namespace)
    # bare texts have no columns to say anything about: a run that learned from tokens reads them too
    told = {} if table.name == _TEXTS else _still_true(columns or {}, table)
    found = map_columns(task, table, part=part, overrides=told, like=None if table.name == _TEXTS else like)
    examples, _ = read_examples(task, table, found, part, bad_rows=bad_rows)
    if group and group in table.frame.columns:  # a column may have no name
        examples = tie(task, examples, table, group)
    if part == "test" and inventory is not None:
        _refuse_strangers(task, table, examples, inventory)
    return normalise_like_training(task, examples, fix)


def _still_true(columns: Overrides, table: Table) -> Overrides:
    """What was said of the training data, less what new data that simply uses the task's own name has no use for."""
    present = set(table.frame.columns)
    own = {fold(str(name)) for name in present}
    return {
        role: names
        for role, names in columns.items()
        if fold(role) not in own or present.issuperset([names] if isinstance(names, str) else names)
    }


def _refuse_strangers(task: Task, table: Table, examples: Sequence[Example], inventory: Inventory) -> None:
    """Raise where not one label is known: then they are written otherwise, and a score of 0 would say nothing."""
    labels = sorted({label for example in examples for label in task.labels_of(example)})
    if labels and inventory.labels and not set(labels) & set(inventory.labels):
        known, found = (", ".join(repr(name) for name in names[:5]) for names in (inventory.labels, labels))
        raise DataError(
            f"none of the labels of {table.name} ({found}) is one that the run learned ({known})",
            "check that [columns] names the right column, and write the labels as in the training data",
        )


def scoring_table(task: Task, data: Any, *, part: Part, namespace: Mapping[str, Any] | None = None) -> Table:
    """The table that `read_for_scoring` reads.

    Raises:
        DataError: the data cannot be found or read as a table.
    """
    if part == "predict":
        typed = _typed_in(task, data, namespace or {})
        if typed is not None:
            return typed
    tables = open_source(data, task, namespace=namespace, labelled=part != "predict")
    return next(tables[key] for key in ("whole", "test", "validation", "train") if key in tables)


def _typed_in(task: Task, data: Any, namespace: Mapping[str, Any]) -> Table | None:
    """The table of texts or of a row given directly, or None if `data` is something else."""
    if isinstance(data, str) and data.isidentifier() and _is_texts(namespace.get(data)):
        data = namespace[data]
    elif isinstance(data, str):
        if looks_like_source(data, namespace):
            return None
        data = [data]
    if isinstance(data, Mapping) and data and all(_is_cell(value) for value in data.values()):
        return Table(frame_of([data]), "the row given")
    if not _is_texts(data):
        return None
    column = next((column.name for column in task.columns if column.kind == "text"), None)
    if column is None:
        names = ", ".join(column.name for column in task.columns if not column.target)
        raise DataError(f"the task {task.name!r} does not read bare texts", f"give a table with the columns {names}")
    texts = [str(text) for text in data]
    return Table(frame_of([{column: text} for text in texts]), _TEXTS)


def _is_texts(value: Any) -> bool:
    """A list (tuple, Series, array) of texts, not an empty one."""
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__len__") or type(value).__name__ == "DataFrame":
        return False
    return hasattr(value, "__iter__") and len(value) > 0 and all(isinstance(text, str) for text in value)


def _is_cell(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool, type(None)))
