"""How long a notebook cell that trains takes to come back when the interrupt key is pressed.

    python benchmarks/interrupting.py [--presses 10]

A real ipykernel trains minilm-l6 on `sample:ner`; the kernel is interrupted at random moments, as the stop button does
it. The cell must come back within one step and a second, and the time that saving takes: what was learned is kept.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from itertools import pairwise
from statistics import median
from typing import Any

import results
from kernels import Kernel, kernel
from machine import machine

ALLOWED = 1.0
"""Seconds, beside one step and the save."""

PREPARE = """
import json, time
class Times:
    def __init__(self):
        self.seen = []
    def on_event(self, event):
        self.seen.append((time.perf_counter(), type(event).__name__, getattr(event, "kind", "")))
        if type(event).__name__ == "Stepped" and event.step == 5:
            print("at work", flush=True)
"""
TRAIN = """
times = Times()
run = nbtune.finetune("ner", data="sample:ner", epochs=1000, batch_size=16, name="press{number}", watchers=[times])
"""
TELL = "print(json.dumps([times.seen, run.status, run.predict('Ada Lovelace lived in London')['entities'].size]))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=10)
    results.add_into(parser)
    given = parser.parse_args()
    with kernel() as ours:
        ours.cell(PREPARE)
        lines = [press(ours, number) for number in range(given.presses)]
    results.save(
        given.into,
        "From the interrupt key to the cell",
        file="interrupting.jsonl",
        command=f"python benchmarks/interrupting.py --presses {given.presses}",
        machine=machine("ipykernel", "torch"),
        rows=lines,
        body=report(lines),
    )


def press(ours: Kernel, number: int) -> dict[str, Any]:
    """Train, press, and take the time of each part. The clock of the kernel's process is ours: it is monotonic."""
    cell = ours.begin(TRAIN.format(number=number), until="at work")
    time.sleep(random.Random(number).uniform(0.0, 1.0))  # somewhere within a step
    pressed = time.perf_counter()
    ours.interrupt()
    back = ours.finish(cell)
    events, status, _ = json.loads(ours.cell(TELL))
    if status != "stopped":
        raise SystemExit(f"the run is {status}")
    steps = [when for when, name, _ in events if name == "Stepped"]
    saved = next(when for when, name, kind in events if name == "Saved" and kind == "model")
    longest = max(new - old for old, new in pairwise(steps))
    return {
        "whole": back - pressed,
        "step": max(0.0, steps[-1] - pressed),
        "saving": saved - max(pressed, steps[-1]),
        "rest": back - saved,
        "longest_step": longest,
    }


def report(lines: list[dict[str, Any]]) -> str:
    rows = [
        [words, *(f"{1000 * figure(line[key] for line in lines):.0f}" for figure in (median, max))]
        for key, words in (
            ("whole", "from the key to the returned cell"),
            ("step", "of it: the step that was at work"),
            ("saving", "of it: writing checkpoint and model"),
            ("rest", "of it: all the rest"),
            ("longest_step", "for comparison: the longest step of the run"),
        )
    ]
    late = [line for line in lines if line["step"] + line["rest"] >= line["longest_step"] + ALLOWED]
    words = (
        f"{len(late)} of {len(lines)} cells came back LATER than allowed"
        if late
        else f"All {len(lines)} cells came back within one step, the save and {ALLOWED:.0f} s"
    )
    return f"{results.table(['', 'median ms', 'most ms'], rows)}\n\n{words}; every run was stopped and predicts."


if __name__ == "__main__":
    main()
