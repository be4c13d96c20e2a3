"""How soon a trivial cell answers while a model trains behind it.

    python benchmarks/kernel_latency.py [--cells 100]

A real ipykernel; minilm-l6 learns named entities on `sample:ner` with `--background`, with its display, its events on
disk and its evaluations. The cells come at irregular times, as from somebody who types. On a machine that is busy with
something else the figures say nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from statistics import median
from typing import Any

import numpy as np
import results
from kernels import Kernel, kernel
from machine import machine

MEDIAN, TAIL = 0.025, 0.060
"""Seconds allowed at the median and at the 95th percentile."""

TRAIN = "run = %finetune ner --data sample:ner --name behind --background epochs=10000 batch_size=16"
USED = "import os, time; print(sum(os.times()[:2]), time.perf_counter(), max(e.step for e in steps()))"
STEPS = "def steps(): return [e for e in run.events() if type(e).__name__ == 'Stepped']"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100, help="trivial cells in each state of the kernel")
    results.add_into(parser)
    given = parser.parse_args()
    lines = measure(given.cells)
    results.save(
        given.into,
        "A cell beside a training",
        file="kernel-latency.jsonl",
        command=f"python benchmarks/kernel_latency.py --cells {given.cells}",
        machine=machine("ipykernel", "torch"),
        rows=lines,
        body=report(lines),
    )


def measure(cells: int) -> list[dict[str, Any]]:
    """One line a state: what each cell took, and what the training did meanwhile."""
    with kernel() as ours:
        lines = [{"state": "nothing trains", "load": os.getloadavg()[0], "seconds": answers(ours, cells)}]
        ours.cell(TRAIN)
        ours.cell(STEPS)
        ours.cell("import time\nwhile len(steps()) < 10: time.sleep(0.1)")
        before = [float(value) for value in ours.cell(USED).split()]
        seconds = answers(ours, cells)
        after = [float(value) for value in ours.cell(USED).split()]
        cpu, wall, steps = (new - old for new, old in zip(after, before, strict=True))
        lines.append({"state": "training", "seconds": seconds, "cores": cpu / wall, "steps_per_second": steps / wall})
        ours.cell("run.control.stop(); run.wait()")
    return lines


def answers(ours: Kernel, cells: int) -> list[float]:
    pauses = random.Random(0)
    taken = []
    for _ in range(cells):
        time.sleep(pauses.uniform(0.05, 0.25))
        taken.append(ours.answer_seconds("1 + 1"))
    return taken


def report(lines: list[dict[str, Any]]) -> str:
    rows = []
    for line in lines:
        milliseconds = [1000 * each for each in line["seconds"]]
        figures = (median(milliseconds), np.percentile(milliseconds, 95), max(milliseconds))
        work = [f"{line[key]:.2f}" if key in line else "" for key in ("cores", "steps_per_second")]
        rows.append([line["state"], *(f"{figure:.1f}" for figure in figures), *work])
    seconds = lines[-1]["seconds"]
    held = median(seconds) < MEDIAN and np.percentile(seconds, 95) < TAIL
    words = (
        f"While it trains, a cell answers {'within' if held else 'NOT WITHIN'} the {1000 * MEDIAN:.0f} ms (median) and "
        f"{1000 * TAIL:.0f} ms (95th percentile) allowed. Load of the machine before: {lines[0]['load']:.2f}."
    )
    head = ["kernel", "median ms", "95% ms", "most ms", "cores used", "steps/s"]
    return f"{results.table(head, rows)}\n\n{words}"


if __name__ == "__main__":
    main()
