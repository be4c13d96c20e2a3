"""Where results go: every measurement as a JSON line, every table in RESULTS.md with its command and machine."""

from __future__ import annotations

import argparse
import datetime
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_HEAD = """# Results

Printed by the scripts in this folder; each section is replaced by the next run of its script. Every measurement is a
line of a file in `results/`. `PATH` is a folder with the data sets, which are not part of nbtune.
"""


def add_into(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--into", type=Path, default=HERE, help="folder of RESULTS.md and results/ (default: this one)")


def save(
    into: Path,
    title: str,
    *,
    file: str,
    command: str,
    machine: str,
    rows: Iterable[Mapping[str, Any]],
    body: str,
) -> None:
    """Print a section, put it into RESULTS.md in place of the one of the same title, and write its measurements."""
    section = f"## {title}\n\n{_today()}, `{command}`\n\nMachine: {machine}.\n\n{body.strip()}\n"
    print(section, flush=True)
    page = into / "RESULTS.md"
    old = page.read_text(encoding="utf-8") if page.is_file() else _HEAD
    own = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    text = own.sub(lambda _: section + "\n", old) if own.search(old) else f"{old.rstrip()}\n\n{section}"
    write_lines(into, file, rows)
    page.write_text(text.rstrip() + "\n", encoding="utf-8")


def write_lines(into: Path, file: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write measurements below `into`, in place of those of an earlier run; each with the day it was made."""
    (into / "results").mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"date": _today(), **row}, ensure_ascii=False) for row in rows]
    (into / "results" / file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_lines(into: Path, file: str) -> list[dict[str, Any]]:
    """The measurements of an earlier run; none if there was none."""
    path = into / "results" / file
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, marks, *rows])


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
