"""Two towers against popularity and the TF-IDF profile on `sample:recommendation`, by NDCG@10 over all items.

    python benchmarks/recommendation.py [--seeds 0 1 2] [--epochs N] [--rows N]

The scores, their 95% bootstrap intervals over users, and the paired intervals of the differences are those of the run's
own report on the test part.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

import results
import seed_noise
from machine import machine

METRIC = "ndcg@10"
SETTINGS: dict[str, Any] = {"epochs": 4, "batch_size": 8, "learning_rate": 1e-4}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="sample:recommendation", help="the sample data, or a source like it")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    parser.add_argument("--rows", type=int, help="the most training rows")
    results.add_into(parser)
    given = parser.parse_args()
    settings = {**SETTINGS, "epochs": given.epochs}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBTUNE_RUNS_DIR"] = folder
        lines = [measure(given.data, given.rows, settings, seed) for seed in given.seeds]
    command = f"python benchmarks/recommendation.py --seeds {' '.join(map(str, given.seeds))} --epochs {given.epochs}"
    results.save(
        given.into,
        "Recommendation",
        file="recommendation.jsonl",
        command=command + (f" --rows {given.rows}" if given.rows else ""),
        machine=machine("torch", "transformers"),
        rows=lines,
        body=report(settings, lines),
    )


def measure(data: str, rows: int | None, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """One run, and its report as plain values."""
    import nbtune

    began = time.perf_counter()
    run = nbtune.finetune("recommendation", **sources(data, rows), model="minilm-l6", seed=seed, **settings)
    seconds = time.perf_counter() - began
    report = run.report
    if report is None:
        raise SystemExit(f"the run of seed {seed} is {run.status} and has no report")
    content = report.to_dict()
    kept = {key: content[key] for key in ("data", "examples", "metrics", "baselines", "differences", "notes")}
    return {"seed": seed, "seconds": round(seconds, 1), "settings": settings, **kept}


def sources(data: str, rows: int | None) -> dict[str, Any]:
    """The data as it is named, or the parts of the sample with the first `rows` training rows."""
    if rows is None:
        return {"data": data}
    from nbtune.tasks.registry import registry

    parts = registry().task("recommendation").read_samples()
    if parts is None or data != "sample:recommendation":
        raise SystemExit("--rows works on the sample data only")
    return {"data": parts["train"].head(rows), "validation": parts["validation"], "test": parts["test"]}


def report(settings: dict[str, Any], lines: list[dict[str, Any]]) -> str:
    words = (
        f"{', '.join(f'{key} {value}' for key, value in settings.items())}; {lines[0]['examples']} users of the "
        f"{lines[0]['data']} part; two towers over {len(lines)} seeds: "
        f"{seed_noise.spread([line['metrics'][METRIC]['value'] for line in lines])}."
    )
    rows = [[f"two towers, seed {line['seed']}", shown(line["metrics"][METRIC]), "", ""] for line in lines]
    first = lines[0]
    for name, scores in first["baselines"].items():
        ahead = [line["differences"][name] for line in lines if name in line["differences"]]
        least = min(ahead, key=lambda score: float(score["value"]))
        sure = sum(score["low"] > 0 for score in ahead)
        rows.append([name, shown(scores[METRIC]), shown(least), f"{sure} of {len(ahead)} seeds"])
    head = ["ranking", "NDCG@10 (95%)", "least lead of two towers (95%, paired)", "lead surely above 0"]
    seconds = ", ".join(f"{line['seconds']:.0f}" for line in lines)
    return f"{words}\n\n{results.table(head, rows)}\n\nSeconds to fit and score: {seconds}."


def shown(score: dict[str, Any]) -> str:
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"


if __name__ == "__main__":
    main()
