"""A million short texts from a DataFrame to the first step, twice: how fast, how much memory, how soon past encoding.

    python benchmarks/encoding.py [--texts 1000000]

Each run is a process of its own; both use one cache folder, empty before the first. The memory is the process's
highest resident set up to the first step, with Python, torch and transformers and the DataFrame in it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import results
from machine import machine

MOST_MEGABYTES = 1500
MOST_SECONDS = 2.0

_WORDS = """
the a of to in and on for with from was is had has it this that we they he she not very quite almost never always
morning evening river harbour window garden kettle bicycle letter station market bridge orchard lantern winter summer
teacher baker sailor doctor neighbour cousin painter farmer driver child stranger singer gardener tailor miller nurse
opened closed carried painted mended borrowed forgot remembered praised blamed cooked served waited hurried laughed
cold warm bright dull noisy quiet early late kind rude fresh stale cheap dear clean dusty careful careless gentle rough
"""
_LABELS = ("praise", "blame", "report", "question", "other")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    results.add_into(parser)
    given = parser.parse_args()
    if given.measure is not None:
        print(json.dumps(measure(given.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.parquet"
        write_texts(file, given.texts)
        rows = [{"run": name, "texts": given.texts, **in_process(file)} for name in ("first", "second")]
    results.save(
        given.into,
        "Encoding",
        file="encoding.jsonl",
        command=f"python benchmarks/encoding.py --texts {given.texts}",
        machine=machine("torch", "transformers", "tokenizers"),
        rows=rows,
        body=report(rows),
    )


def write_texts(file: Path, count: int) -> None:
    """Word salad of 5 to 15 words: for the speed of encoding, sense does not matter."""
    import pandas as pd

    chance = random.Random(0)
    known = _WORDS.split()
    # stems and endings give about as many different words as a language has in use
    words = [*known * 40, *(one + other for one in known[20:] for other in known[20:])]
    texts = [" ".join(chance.choices(words, k=chance.randint(5, 15))) for _ in range(count)]
    labels = chance.choices(_LABELS, [5, 4, 3, 2, 1], k=count)
    pd.DataFrame({"text": texts, "label": labels}).to_parquet(file)


def in_process(file: Path) -> dict[str, Any]:
    """Measure a run in a fresh process."""
    settings = {"NBTUNE_CACHE_DIR": str(file.parent / "cache"), "NBTUNE_RUNS_DIR": str(file.parent / "runs")}
    command = [sys.executable, __file__, "--measure", str(file)]
    process = subprocess.run(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return found


def measure(file: Path) -> dict[str, Any]:
    """Train to the first step, then stop; when each stage was over, in seconds from the call of `finetune`."""
    import pandas as pd

    import nbtune
    from nbtune.api import Ended, Event, Prepared, Preparing, Stepped
    from nbtune.control import Control
    from nbtune.running import runner

    table = pd.read_parquet(file)
    control = Control()
    seen: dict[str, Any] = {"chunks": 0}
    encode = runner.encode

    def timed(*given: Any) -> Generator[Event, None, Any]:
        before, work_before = time.monotonic(), time.process_time()
        features = yield from encode(*given)
        seen["encoding"] = round(time.monotonic() - before, 3)
        seen["encoding_cpu"] = round(time.process_time() - work_before, 3)
        seen["examples"] = len(given[2])
        return features

    runner.encode = timed
    began, work = time.monotonic(), time.process_time()

    class Watch:
        def on_event(self, event: Event) -> None:
            now = round(time.monotonic() - began, 3)
            if isinstance(event, Prepared):
                seen["prepared"], seen["prepared_cpu"] = now, round(time.process_time() - work, 3)
            elif isinstance(event, Preparing) and event.stage == "encoding":
                seen["chunks"] += 1
            elif isinstance(event, Stepped) and "stepped" not in seen:
                seen["stepped"], seen["peak_megabytes"] = now, peak_megabytes()
                control.stop()
            elif isinstance(event, Ended) and event.status != "stopped":
                raise RuntimeError(event.reason)

    nbtune.finetune("classification", data=table, max_length=64, epochs=1, watchers=[Watch()], control=control)
    return seen


def peak_megabytes() -> float:
    """The highest resident set of this process so far."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)


def report(rows: list[dict[str, Any]]) -> str:
    head = ["run", "read, split, checked, kept: s", "of it CPU s", "encoding s", "of it CPU s", "texts/s", "peak MB"]
    lines = []
    for row in rows:
        rate = f"{row['examples'] / row['encoding']:,.0f}" if row["chunks"] > 1 else "from the cache"
        seconds = (row["prepared"], row["prepared_cpu"], row["encoding"], row["encoding_cpu"])
        lines.append([row["run"], *(f"{value:.2f}" for value in seconds), rate, f"{row['peak_megabytes']:,.0f}"])
    second = rows[1]["encoding"]
    peak = max(row["peak_megabytes"] for row in rows)
    words = [
        f"The second run {'is' if second < MOST_SECONDS else 'IS NOT'} past encoding within {MOST_SECONDS:.0f} s.",
        f"The process {'stays' if peak < MOST_MEGABYTES else 'DOES NOT STAY'} below {MOST_MEGABYTES:,} MB.",
    ]
    return f"{rows[0]['texts']:,} texts.\n\n{results.table(head, lines)}\n\n{' '.join(words)}"


if __name__ == "__main__":
    main()
