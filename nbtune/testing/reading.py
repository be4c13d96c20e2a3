"""The dataset adapter: rows to examples, and what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nbtune.data.columns import map_columns
from nbtune.data.prepare import prepare
from nbtune.data.scoring import read_for_scoring
from nbtune.data.sources import open_source
from nbtune.data.tables import Table
from nbtune.tasks.task import Task
from nbtune.testing import correcting
from nbtune.testing.walk import Walk, alike, not_plain, raised
from nbtune.values import ColumnMap, Example, Finding, Inventory, Part, Problem

if TYPE_CHECKING:
    import pandas as pd


def check(walk: Walk) -> Iterator[str]:
    task = walk.task
    table = next(iter(open_source(walk.rows, task).values()))
    walk.chosen = map_columns(task, table, overrides=walk.overrides)
    for step in (_rows(task, table.frame, walk.chosen), _without_targets(walk, table.frame)):
        broken = False
        for breach in step:
            broken = True
            yield breach
        if broken:
            return
    yield from _bad_cells(task, table.frame, walk.chosen)
    walk.prepared = prepare(task, data=walk.rows, columns=walk.overrides, validation_fraction=0.25)
    yield from _knowledge(walk)
    yield from _arranged(walk)
    yield from correcting.check(walk)


def _rows(task: Task, frame: pd.DataFrame, columns: ColumnMap) -> Iterator[str]:
    before = frame.copy(deep=True)
    read = list(task.read(frame, columns, "train"))
    yield from _in_order(read, len(frame), "train")
    if not frame.equals(before):
        yield "read changed the table it was given: work on a copy"
    refused = [found for found in read if isinstance(found, Problem)]
    if refused:
        yield f"read refuses row {refused[0].row} of the rows given ({refused[0].reason}): give rows that are good"
    examples = [found for found in read if isinstance(found, Example)]
    for example in examples:
        found = not_plain(example.inputs, "inputs") or not_plain(example.target, "target")
        if found:
            yield f"row {example.row}: {found}, not a plain JSON value; use str, numbers, lists and dicts"
            break
    if any(column.target for column in task.columns if column.name in columns):
        unanswered = [example.row for example in examples if example.target is None]
        if unanswered:
            yield f"row {unanswered[0]} was read for training without a target, though its target columns are there"
    if not alike(examples, [found for found in task.read(frame, columns, "train") if isinstance(found, Example)]):
        yield "reading the same table twice gave different examples: reading must not depend on chance or on history"


def _in_order(read: Sequence[Any], rows: int, part: Part) -> Iterator[str]:
    strange = [found for found in read if not isinstance(found, (Example, Problem))]
    if strange:
        yield f"read gave a {type(strange[0]).__name__}: yield nbtune.api.Example or Problem"
    elif len(read) != rows:
        yield f"read gave {len(read)} results for the {rows} rows of a {part} table: one each, a Problem for bad rows"
    elif [found.row for found in read] != list(range(rows)):
        yield "the row numbers of the examples are not 0, 1, 2 ...: Example(inputs, target, row) in the table's order"


def _without_targets(walk: Walk, frame: pd.DataFrame) -> Iterator[str]:
    """Rows that are to be predicted have no target columns."""
    task, columns = walk.task, walk.chosen
    targets = [name for column in task.columns if column.target for name in columns.many(column.name)]
    bare = frame.drop(columns=targets)
    read = list(task.read(bare, map_columns(task, Table(bare, "the rows"), part="predict", like=columns), "predict"))
    yield from _in_order(read, len(bare), "predict")
    for found in read:
        if isinstance(found, Problem):
            yield f"row {found.row} without its target is refused when predicting: {found.reason}"
            return
        if found.target is not None:
            yield f"row {found.row} was read for prediction with the target {found.target!r}; leave it None"
            return


def _bad_cells(task: Task, frame: pd.DataFrame, columns: ColumnMap) -> Iterator[str]:
    """An empty cell is the commonest fault of real data: it must be named, not raised over."""
    for column in task.columns:
        for name in columns.many(column.name):
            part: Part = "train" if column.target else "predict"
            holed = frame.astype({name: object})
            holed.iat[0, list(holed.columns).index(name)] = None
            try:
                read = list(task.read(holed, columns, part))
            except Exception as error:  # a stranger's code
                yield f"an empty cell in {name!r}: {raised(error, task)}; yield Problem(row, reason, column)"
                continue
            if len(read) != len(holed):
                yield f"an empty cell in {name!r} changed how many results read gives: yield a Problem for the row"
            elif column.required and not column.target and not isinstance(read[0], Problem):
                yield f"an empty cell in {name!r} passed as good: yield Problem(row, reason, {column.name!r})"


def _knowledge(walk: Walk) -> Iterator[str]:
    """The inventory must come back from disk as it was, and not depend on the order of rows."""
    task, inventory, train = walk.task, walk.prepared.inventory, walk.prepared.raw["train"]
    if not isinstance(inventory, Inventory):
        yield f"inventory gave a {type(inventory).__name__}: give an nbtune.api.Inventory"
        return
    found = not_plain(dict(inventory.facts), "facts") or not_plain(dict(inventory.counts), "counts")
    if found:
        yield f"the inventory is saved as JSON, but {found}"
        return
    content = json.loads(json.dumps(asdict(inventory)))
    if Inventory(tuple(content["labels"]), content["counts"], content["facts"]) != inventory:
        yield "the inventory is not the same after JSON; labels is a tuple of str, counts and facts are plain dicts"
    if len(set(inventory.labels)) < len(inventory.labels):
        yield f"the inventory names a label twice: {inventory.labels}"
    if task.inventory(list(reversed(train))).labels != inventory.labels:
        yield "the order of the labels depends on the order of the rows: sort them, as order_labels does"
    unknown = {label for example in train for label in task.labels_of(example)} - set(inventory.labels)
    if inventory.labels and unknown:
        yield f"labels_of names {sorted(unknown)[0]!r}, which the inventory of the same examples does not have"
    for example in train[:1]:
        for method in (task.identity, task.stratum):
            if not isinstance(method(example), str):
                yield f"{method.__name__} gave a {type(method(example)).__name__}: give a str"
    strange = [finding for finding in task.check(walk.prepared.raw, inventory) if not isinstance(finding, Finding)]
    if strange:
        yield f"check gave a {type(strange[0]).__name__}: yield nbtune.api.Finding"


def _arranged(walk: Walk) -> Iterator[str]:
    task, inventory = walk.task, walk.prepared.inventory
    read = read_for_scoring(task, walk.rows, part="predict", columns=walk.overrides, like=walk.chosen)
    walk.asked = list(task.arrange(read, inventory, "predict"))
    if not walk.asked:
        yield "arrange left nothing to predict of the rows given for prediction"
    for part, examples in {**walk.prepared.parts, "predict": walk.asked}.items():
        strange = [example for example in examples if not isinstance(example, Example)]
        if strange:
            yield f"arrange gave a {type(strange[0]).__name__} for {part}: give nbtune.api.Example objects"
            continue
        for example in examples:
            found = not_plain(example.inputs, "inputs") or not_plain(example.target, "target")
            if found:
                yield f"an example that arrange gave for {part}: {found}, not a plain JSON value"
                break
