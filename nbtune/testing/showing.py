"""What people see of predictions: columns, HTML, tables. What came from data must arrive as text, never as markup."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from nbtune.testing.heads import predict
from nbtune.testing.walk import Walk, not_plain
from nbtune.values import Example

HOSTILE = '<script>nbtune</script><img src=x onerror="nbtune">'


def check(walk: Walk) -> Iterator[str]:
    task = walk.task
    for example, prediction in zip(walk.held_out, walk.predictions, strict=True):
        row = task.to_row(example, prediction)
        found = not_plain(_listed(row), "the row") if isinstance(row, dict) else f"it gave a {type(row).__name__}"
        if found:
            yield f"to_row: {found}; give a dict of plain values, float(x) for NumPy's numbers"
            break
    yield from _tables(walk)
    yield from _html(walk)


def _listed(value: Any) -> Any:
    """A table's cell may be a tuple, or a number that is not finite: unlike what is saved, nobody reads it back."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tables(walk: Walk) -> Iterator[str]:
    tables = walk.task.tables(walk.held_out, walk.predictions, walk.prepared.inventory)
    for title, table in tables.items():
        if not isinstance(table, (pd.DataFrame, str)):
            yield f"the table {title!r} is a {type(table).__name__}: give a DataFrame or preformatted text"
        elif isinstance(table, pd.DataFrame):
            try:
                json.loads(table.to_json(orient="split"))
            except ValueError as error:
                yield f"the table {title!r} cannot be saved as JSON ({error}): name each column and row once"


def _html(walk: Walk) -> Iterator[str]:
    """A review may hold a script: render it, and look whether it is still one."""
    for original in (*walk.asked[:2], *walk.held_out[:2]):
        example = _with_markup(original)
        try:
            prediction = predict(walk.head, [example])[0]
        except Exception:  # inputs that mean something else to the task (a user's name): show the text alone
            prediction = predict(walk.head, [original])[0]
        html = walk.task.render(example, prediction)
        if html is None:
            continue
        if not isinstance(html, str):
            yield f"render gave a {type(html).__name__}: give HTML as a str, or None"
            return
        if "<script>nbtune" in html or "<img src=x" in html:
            yield "render lets markup from the data through: pass every piece of data to nbtune.api.escape"
            return


def _with_markup(example: Example) -> Example:
    inputs = {key: _marked(value) for key, value in example.inputs.items()}
    return dataclasses.replace(example, inputs=inputs)


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return f"{value} {HOSTILE}"
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [f"{item} {HOSTILE}" for item in value]
    return value
