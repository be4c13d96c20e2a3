"""How the checks put what they noticed into words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtune.values import Finding, Part, Severity

ROWS_KEPT = 100
_ROWS_SHOWN = 5

Rows = Sequence[int] | NDArray[np.int64]


def finding_on(severity: Severity, message: str, remedy: str, rows: Rows, fix: str = "") -> Finding:
    """A finding about some rows, of which the first are kept; `fix` names what remedies it in one line of a spec."""
    kept = tuple(int(row) for row in rows[:ROWS_KEPT])
    offered = f'fix = ["{fix}"]' if fix else ""
    return Finding(severity, message, "; or ".join(filter(None, (remedy, offered))), kept, len(rows), fix)


def called(part: Part) -> str:
    return "training" if part == "train" else part


def s(count: int) -> str:
    return "" if count == 1 else "s"


def are(count: int) -> str:
    return "is" if count == 1 else "are"


def rows_in_words(rows: Rows) -> str:
    """The first few rows by number."""
    shown = ", ".join(str(row) for row in rows[:_ROWS_SHOWN])
    return f"row{s(len(rows))} {shown}{', ...' if len(rows) > _ROWS_SHOWN else ''}"
