"""How long `%load_ext nbtune` and `import nbtune` take, and what they bring with them.

    python benchmarks/load_time.py [--times 9]

Each measurement is a fresh process. IPython's own start is not counted: the notebook has paid for it already.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from statistics import median
from typing import Any

import results
from machine import machine

LIMIT = 0.3
"""Seconds that `%load_ext nbtune` may take."""

HEAVY = ("torch", "transformers", "datasets", "pandas", "sklearn", "scipy", "numpy")

_AFTER = f"""
seconds = time.perf_counter() - began
print(json.dumps({{"seconds": seconds, "loaded": [name for name in {HEAVY!r} if name in sys.modules]}}))
"""
_LOAD_EXT = f"""
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
shell.run_line_magic("load_ext", "nbtune")
{_AFTER}
"""
_IMPORT = f"""
import json, sys, time
began = time.perf_counter()
import nbtune
{_AFTER}
"""
STATEMENTS = {"%load_ext nbtune": _LOAD_EXT, "import nbtune": _IMPORT}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=9, help="fresh processes for each statement")
    results.add_into(parser)
    given = parser.parse_args()
    for statement in STATEMENTS.values():
        measure(statement)  # the first reads files from the disk and writes bytecode
    lines = [
        {"statement": name, **measure(statement)} for _ in range(given.times) for name, statement in STATEMENTS.items()
    ]
    results.save(
        given.into,
        "Load time",
        file="load-time.jsonl",
        command=f"python benchmarks/load_time.py --times {given.times}",
        machine=machine("ipython", "torch"),
        rows=lines,
        body=report(lines),
    )


def measure(statement: str) -> dict[str, Any]:
    """Seconds, and which heavy packages are loaded afterwards."""
    process = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    content: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return content


def report(lines: list[dict[str, Any]]) -> str:
    rows = []
    for statement in STATEMENTS:
        own = [line for line in lines if line["statement"] == statement]
        seconds = [line["seconds"] for line in own]
        loaded = ", ".join(sorted({name for line in own for name in line["loaded"]})) or "none"
        rows.append([f"`{statement}`", f"{median(seconds):.3f}", f"{min(seconds):.3f}", f"{max(seconds):.3f}", loaded])
    held = median(line["seconds"] for line in lines if line["statement"] == "%load_ext nbtune") < LIMIT
    words = f"`%load_ext nbtune` {'takes less' if held else 'TAKES MORE'} than the {LIMIT} s allowed (median)."
    head = ["fresh process", "median s", "least s", "most s", f"loaded of {', '.join(HEAVY)}"]
    return f"{results.table(head, rows)}\n\n{words}"


if __name__ == "__main__":
    main()
