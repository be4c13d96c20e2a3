"""From `nbtune.finetune` in a fresh process to its first step, with the model on disk.

    python benchmarks/cold_start.py [--times 5]

Imports of torch and transformers included; the sample data of NER, the embedded model, an empty cache of features.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

import results
from machine import machine

LIMIT = 8.0
"""Seconds allowed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # the side of one process
    results.add_into(parser)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(first_step()))
        return
    lines = []
    for _ in range(given.times):
        done = subprocess.run([sys.executable, __file__, "--one"], capture_output=True, text=True, check=True)
        lines.append(json.loads(done.stdout.splitlines()[-1]))
    seconds = [line["seconds"] for line in lines]
    kept = "less than" if median(seconds) < LIMIT else "MORE than"
    results.save(
        given.into,
        "Cold start",
        file="cold_start.jsonl",
        command=f"python benchmarks/cold_start.py --times {given.times}",
        machine=machine("torch", "transformers"),
        rows=lines,
        body=(
            f"From the call to the end of the first step: median {median(seconds):.1f} s ({min(seconds):.1f} to "
            f"{max(seconds):.1f}), {kept} the {LIMIT:g} s allowed."
        ),
    )


class Reached(Exception):  # noqa: N818  # not an error
    """The first step was taken."""


def first_step() -> dict[str, Any]:
    began = time.perf_counter()
    import nbtune
    from nbtune.events import Stepped

    class Watch:
        def on_event(self, event: Any) -> None:
            if isinstance(event, Stepped):
                raise Reached

    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"NBTUNE_RUNS_DIR": folder, "NBTUNE_CACHE_DIR": f"{folder}/cache"}
        try:
            nbtune.finetune("ner", data="sample:ner", watchers=[Watch()])
        except Reached:
            return {"seconds": round(time.perf_counter() - began, 2)}
    raise SystemExit("there was no step")


if __name__ == "__main__":
    main()
