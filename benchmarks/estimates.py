"""What `%nbtune inspect` says a training will take, against what it then takes.

    python benchmarks/estimates.py [--data PATH] [--rounds 2] [--epochs 2]

Each estimate and each training is a process of its own, with empty folders for runs and encoded texts; the two
alternate, because the speed of a machine changes. Seconds are those of the call, so without the start of Python;
memory is the largest resident set of the training's process. The samples of the four tasks come first; with `--data`, a
folder of the data sets that `corpora.py` reads, WNUT-17, Banking77 and long texts come on top.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import corpora
import machine
import results

TITLE = "Estimates before a training"
GOAL = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument("--rounds", type=int, default=2, help="how often each case is estimated and trained")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", help="one case by its name")
    results.add_into(parser)
    parser.add_argument("--serve", nargs=3, metavar=("WHAT", "CASE", "OUT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        what, case, out = chosen.serve
        Path(out).write_text(json.dumps((_estimated if what == "estimate" else _trained)(json.loads(case))))
        return
    rows = [row for case in _cases(chosen) for row in _measured(case, chosen.rounds)]
    heads = ("case", "round", "estimated s", "actual s", "ratio", "estimated MB", "actual MB", "ratio")
    cells = [
        (
            row["case"],
            str(row["round"]),
            f"{row['estimated_s']:.1f}",
            f"{row['actual_s']:.1f}",
            f"{row['estimated_s'] / row['actual_s']:.2f}",
            f"{row['estimated_mb']:.0f}",
            f"{row['actual_mb']:.0f}",
            f"{row['estimated_mb'] / row['actual_mb']:.2f}",
        )
        for row in rows
    ]
    ratios = [row[f"estimated_{unit}"] / row[f"actual_{unit}"] for row in rows for unit in ("s", "mb")]
    kept = sum(1 - GOAL <= ratio <= 1 + GOAL for ratio in ratios)
    body = f"{results.table(heads, cells)}\n\n{kept} of {len(ratios)} ratios lie within {GOAL:.0%} of 1."
    data = " --data PATH" if chosen.data else ""
    command = f"python benchmarks/estimates.py{data} --rounds {chosen.rounds} --epochs {chosen.epochs}"
    results.save(
        chosen.into,
        TITLE,
        file="estimates.jsonl",
        command=command,
        machine=machine.machine("torch", "transformers"),
        rows=rows,
        body=body,
    )


def _cases(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    common = {"epochs": chosen.epochs, "batch_size": 16}
    samples: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("ner", {}),
        ("classification", {}),
        ("recommendation", {}),
        ("sentiment", {"lora": True}),
    )
    cases = []
    for task, own in samples:
        title = " ".join([task, "sample", *(f"{key} {value}" for key, value in own.items())])
        cases.append({"case": title, "task": task, "source": f"sample:{task}", "settings": {**common, **own}})
    if chosen.data:
        of_corpora: tuple[tuple[str, int, Mapping[str, Any]], ...] = (
            ("wnut17", 1500, {}),
            ("banking77", 3000, {}),
            ("sst2_long", 300, {"max_length": 256, "batch_size": 8}),
            ("banking77", 2000, {"freeze": 4}),
        )
        for name, rows, own in of_corpora:
            task = {"wnut17": "ner", "banking77": "classification", "sst2_long": "sentiment"}[name]
            title = " ".join([name, str(rows), *(f"{key} {value}" for key, value in own.items())])
            corpus = {"name": name, "folder": str(chosen.data), "rows": rows}
            cases.append({"case": title, "task": task, "corpus": corpus, "settings": {**common, **own}})
    return (case for case in cases if chosen.only in (None, case["case"]))


def _measured(case: Mapping[str, Any], rounds: int) -> Iterator[dict[str, Any]]:
    for number in range(1, rounds + 1):
        guess, fact = _in_process("estimate", case), _in_process("train", case)
        row = {"case": case["case"], "round": number, **guess, **fact}
        print(json.dumps(row), file=sys.stderr, flush=True)
        yield row


def _in_process(what: str, case: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        environment = {
            **os.environ,
            "NBTUNE_RUNS_DIR": str(Path(folder) / "runs"),
            "NBTUNE_CACHE_DIR": str(Path(folder) / "cache"),
            "HF_HUB_OFFLINE": "1",
        }
        command = [sys.executable, __file__, "--serve", what, json.dumps(case), str(out)]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found


def _data(case: Mapping[str, Any]) -> dict[str, Any]:
    if "source" in case:
        return {"data": case["source"]}
    of = case["corpus"]
    corpus = corpora.read(of["name"], Path(of["folder"]), of["rows"])
    return {"data": corpus.train, "validation": corpus.validation, "test": corpus.test}


def _estimated(case: Mapping[str, Any]) -> dict[str, Any]:
    from nbtune.notebook.inspection import inspect

    began = time.perf_counter()
    found = inspect(case["task"], **_data(case), **case["settings"]).estimates
    assert found is not None
    assert found.memory is not None
    return {
        "estimated_s": found.seconds,
        "estimated_mb": found.memory / 1e6,
        "stages": dict(found.stages),
        "inspecting_s": time.perf_counter() - began,
    }


def _trained(case: Mapping[str, Any]) -> dict[str, Any]:
    import nbtune

    given = _data(case)
    stages: list[tuple[str, float]] = []

    class Clock:
        def on_event(self, event: Any) -> None:
            stages.append((type(event).__name__, time.perf_counter() - began))

    began = time.perf_counter()
    nbtune.finetune(case["task"], **given, **case["settings"], watchers=[Clock()])
    seconds = time.perf_counter() - began
    first = dict(reversed(stages))
    last = dict(stages)
    return {
        "actual_s": seconds,
        "actual_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "marks": {"prepared": first["Prepared"], "started": first["Started"], "stepped": last["Stepped"]},
    }


if __name__ == "__main__":
    main()
