"""The cell that does what the dashboard does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbtune.dashboards.look import area, column, hint

_PLAIN = re.compile(r"[\w./:@?&=~+,-]*[\w/]")
"""What may stand on a magic's line without quotes, and is not taken for an option, a setting or a comment."""
_LINE = ("data", "validation", "test", "name")


@dataclass(frozen=True)
class Asked:
    """A training as it is asked for: the task, and the settings as `nbtune.finetune` takes them."""

    task: str
    settings: Mapping[str, Any]

    def cell(self) -> str:
        """The `%%finetune` cell that asks for the same."""
        import tomli_w

        line, body = [f"%%finetune {self.task}"], {}
        for name, value in self.settings.items():
            if name in _LINE and _PLAIN.fullmatch(value) and not value.startswith("-"):
                line.append(f"--{name} {value}")
            else:
                body[name] = value
        return f"{' '.join(line)}\n{tomli_w.dumps(body)}".rstrip("\n")


class Code:
    """The cell, to be taken with the keys that copy."""

    def __init__(self) -> None:
        self._place = area("%%finetune", rows=14)
        self._place.layout.width = "calc(100% - 4px)"
        words = (
            "This cell does the same. Click into it, press Ctrl+A and Ctrl+C (on a Mac, Cmd), and paste it into a cell."
        )
        self.widget = column(hint(words), self._place)

    @property
    def text(self) -> str:
        return str(self._place.value)

    def show(self, asked: Asked | None, why_not: str = "") -> None:
        self._place.value = asked.cell() if asked is not None else f"# {why_not}"
