"""The newest evaluation label by label, or type by type, while a run trains."""

from __future__ import annotations

import math

from nbtune.drawing import Markup, boxed, counted, fold, shorten, table, tag
from nbtune.notebook.state import RunState

_SHOWN = 8
"""Classes that are seen without unfolding: the worst, which say the most."""
_MOST = 200


def per_class(state: RunState) -> Markup:
    """F1 of each class on validation, the worst first, beside the evaluation before; "" where there are none."""
    head, body = _rows(state)
    if len(body) <= _SHOWN:
        return table(head, body) if body else Markup("")
    rest, left = _rest(body)
    return tag(
        "div",
        table(head, body[:_SHOWN], caption=f"the {_SHOWN} worst of {len(body):,} classes"),
        fold(counted(rest, "more class", "more classes") + left, table(head, body[_SHOWN:_MOST])),
    )


def per_class_boxed(state: RunState) -> Markup:
    """The same to scroll in: what is drawn anew with each evaluation would close under the eyes of who opened it."""
    head, body = _rows(state)
    if len(body) <= _SHOWN:
        return table(head, body) if body else Markup("")
    _, left = _rest(body)
    return boxed(f"all {len(body):,} classes, the worst first{left}", table(head, body[:_MOST]))


def _rows(state: RunState) -> tuple[list[str], list[list[object]]]:
    newest = next((each for each in reversed(state.evaluations) if each.classes), None)
    if newest is None:
        return [], []
    before = next((each for each in reversed(state.evaluations) if each.classes and each is not newest), None)
    trained = state.prepared.labels if state.prepared is not None else {}
    rows = [
        (shorten(label, 60), value, None if before is None else before.classes.get(label), trained.get(label))
        for label, value in sorted(newest.classes.items(), key=lambda item: _rank(item[1]))
    ]
    columns = ("class", f"F1 (step {newest.step:,})", "before", "in training")
    kept = [*range(4)] if before is not None else [0, 1, 3]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _rest(body: list[list[object]]) -> tuple[int, str]:
    """How many are not seen at first, and in words how many never are."""
    left = f", {len(body) - _MOST:,} more are not shown" if len(body) > _MOST else ""
    return len(body[_SHOWN:_MOST]), left


def _rank(value: float | None) -> float:
    """The worst first; those that occur nowhere, or were NaN on disk, last."""
    return 2.0 if value is None or math.isnan(value) else value
