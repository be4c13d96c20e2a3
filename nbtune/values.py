"""The small frozen values that every room of nbtune speaks in. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Part: TypeAlias = Literal["train", "validation", "test", "predict"]
"""Which part of the data a table is; `predict` rows have no target."""

ColumnKind: TypeAlias = Literal["text", "label", "labels", "tokens", "tags", "spans", "number", "time", "id"]
"""What a column holds; `labels` is several labels a row, `spans` are character spans with a type."""

Severity: TypeAlias = Literal["error", "warning", "note"]

FIXES: Mapping[str, str] = {
    "repair_tags": "tag sequences that break their scheme are read by conlleval's rule",
    "normalise_text": "texts in a wrong encoding are mended, composed (NFC) and rid of invisible characters",
    "drop_leaks": "training examples that are also in the validation or test data given are left out",
    "drop_conflicts": "training examples with the same input and different targets are left out",
    "drop_duplicates": "training examples that repeat an earlier one, with the same target, are left out",
}
"""What `fix = [...]` may name, in the order in which it is done."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a task reads.

    `name` is what the task calls it and what the user writes on the left of `[columns] text = "review"`.
    `aliases` are names that real data sets use for it, most telling first.
    """

    name: str
    kind: ColumnKind
    aliases: tuple[str, ...] = ()
    required: bool = True
    target: bool = False  # part of the gold answer: absent when predicting
    help: str = ""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which columns of a table were taken for which columns of the task, and why.

    `names` maps a task's column to a table's column, or to several (one-hot labels).
    """

    names: Mapping[str, str | tuple[str, ...]]
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, column: str) -> bool:
        return column in self.names

    def one(self, column: str) -> str:
        """The single table column taken for `column`; KeyError if there is none."""
        name = self.names[column]
        return name if isinstance(name, str) else name[0]

    def many(self, column: str) -> tuple[str, ...]:
        """All table columns taken for `column`; empty if there is none."""
        name = self.names.get(column, ())
        return (name,) if isinstance(name, str) else tuple(name)


@dataclass(frozen=True, slots=True)
class Example:
    """One row as the task sees it.

    `inputs` and `target` hold plain JSON values only (str, int, float, bool, None, list, dict), so that an
    example can be written down, fingerprinted and read back. `target` is None where no gold answer is known.
    `row` is the 0-based position in the table it came from. `group` ties together examples that are not
    independent (a user, a document): splits and intervals respect it.
    """

    inputs: Mapping[str, Any]
    target: Any = None
    row: int = -1
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be used."""

    row: int
    reason: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a check noticed about the data; `rows` are 0-based and may be a selection of `count`.

    `fix` names what remedies it, as in `fix = ["drop_duplicates"]`; "" where only the user can.
    """

    severity: Severity
    message: str
    remedy: str = ""
    rows: tuple[int, ...] = ()
    count: int = 0
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a task knows after reading the training data, and must know again to predict.

    `labels` are in the order of the model's outputs; `counts` are their occurrences in training;
    `facts` is anything else the task needs, as plain JSON values. Saved with the model.
    """

    labels: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


Feature: TypeAlias = Mapping[str, Any]
"""What the model is fed for (a part of) one example: name -> list of numbers (ragged) or one number.

Keys that end in `input_ids` hold tokens; their lengths decide how features are grouped into batches.
"""

Features: TypeAlias = Sequence[Feature]
