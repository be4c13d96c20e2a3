"""How a table writes labels: one a cell, several a cell, or a column of 0 and 1 each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbtune.api import ColumnMap, clean_label, clean_number, did_you_mean, split_labels
from nbtune_classification.options import ClassificationOptions

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = (";", "|", ",")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class LabelForm:
    """How to read a row's target. `flags` are one-hot columns; otherwise there is one column."""

    multi: bool = False
    delimiter: str | None = None
    flags: tuple[str, ...] = ()
    names: Mapping[str, str] | None = None

    def read(self, cells: Sequence[Any]) -> str | list[str]:
        """The label, or the labels, of a row whose target columns hold `cells`.

        Raises:
            ValueError: the cells hold no label where there must be one, or one that has no name.
        """
        if self.flags:
            return [self._name(flag) for flag, cell in zip(self.flags, cells, strict=True) if _is_set(flag, cell)]
        if self.multi:
            return [self._name(label) for label in split_labels(cells[0], self.delimiter)]
        return self._name(clean_label(cells[0]))

    def _name(self, label: str) -> str:
        if not self.names or label in self.names.values():
            return label
        if label in self.names:
            return self.names[label]
        raise ValueError(f"holds {label!r}, which label_names does not list ({did_you_mean(label, self.names)})")


def form_of(table: pd.DataFrame, columns: ColumnMap, options: ClassificationOptions) -> LabelForm:
    """How the table writes labels, by the options or, where they leave it open, by its cells."""
    flags = columns.many("label")
    if len(flags) > 1:
        return LabelForm(multi=True, flags=flags, names=options.label_names)
    if not flags or options.multi_label is False:
        return LabelForm(names=options.label_names)
    cells = table[flags[0]].tolist()
    delimiter = options.delimiter or guess_delimiter(cells, several=options.multi_label is True)
    multi = options.multi_label is True or delimiter is not None or any(_is_list(cell) for cell in cells)
    return LabelForm(multi=multi, delimiter=delimiter, names=options.label_names)


def guess_delimiter(cells: Iterable[Any], *, several: bool = False) -> str | None:
    """What separates labels inside cells. Unless we know that there may be `several`, taking them apart must leave
    fewer different labels than cells: the parts of "Food, drink" do not occur in other combinations."""
    texts = {cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()}
    for delimiter in DELIMITERS:
        parts = {part.strip() for text in texts for part in text.split(delimiter) if part.strip()}
        if any(delimiter in text for text in texts) and (several or len(parts) < len(texts)):
            return delimiter
    return None


def known_labels(cell: str, labels: Sequence[str]) -> list[str]:
    """The labels in a cell of a table too small to show what separates them: the reading that gives known ones."""
    readings = [[cell], *(split_labels(cell, delimiter) for delimiter in DELIMITERS)]
    return max(readings, key=lambda names: len(set(names) & set(labels)))


def flag_columns(table: pd.DataFrame, taken: Iterable[str]) -> tuple[str, ...]:
    """The columns that hold only 0 and 1, both of them, and are not `taken`; none if another column may be the label,
    because its values repeat."""
    free = [str(name) for name in table.columns if name not in set(taken)]
    flags = tuple(name for name in free if _holds_flags(table[name].tolist()))
    others = [table[name].dropna().astype(str) for name in free if name not in flags]
    return () if any(other.nunique() < len(other) / 2 for other in others) else flags


def _holds_flags(cells: Sequence[Any]) -> bool:
    try:
        return {_flag(cell) for cell in cells} == {True, False}
    except ValueError:
        return False


def _is_set(column: str, cell: Any) -> bool:
    try:
        return _flag(cell)
    except ValueError as error:
        raise ValueError(f"{column!r} {error}") from None


def _flag(cell: Any) -> bool:
    word = clean_label(cell).casefold()
    if word not in _FLAGS:
        clean_number(cell)  # says what is wrong with a cell that holds no number
        raise ValueError(f"is {word}, not 0 or 1")
    return _FLAGS[word]


def _is_list(cell: Any) -> bool:
    """Whether a cell holds a list, or the text of one."""
    if isinstance(cell, str):
        return cell.lstrip().startswith("[") and split_labels(cell, None) != [cell.strip()]
    return isinstance(cell, (list, tuple, set, frozenset)) or getattr(cell, "ndim", 0) == 1
