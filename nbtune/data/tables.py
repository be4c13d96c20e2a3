"""A table as it was read: the rows, what to call it, and where in the file each row stood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from nbtune.values import Finding, Part

if TYPE_CHECKING:
    import pandas as pd

Whole = Literal["whole"]
Tables: TypeAlias = "dict[Part | Whole, Table]"
"""What a source holds: its parts, or one table under "whole" where it does not say which part that is."""


@dataclass(frozen=True)
class Table:
    """Rows numbered from 0, with unique names of columns.

    `lines` gives the 1-based line of the file on which each row begins; it is called only to word a message.
    """

    frame: pd.DataFrame
    name: str
    lines: Callable[[], Sequence[int]] | None = None
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def description(self) -> str:
        return f"{self.name} ({len(self):,} row{'' if len(self) == 1 else 's'})"

    def where(self, row: int) -> str:
        """A row's place in words: its number, and its line where it came from a file."""
        lines = self.lines() if self.lines else ()
        # a reader that counted other rows than the table has would name the wrong line: better none
        return f"row {row} (line {lines[row]})" if len(lines) == len(self) and 0 <= row < len(lines) else f"row {row}"
