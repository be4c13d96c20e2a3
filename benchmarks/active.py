"""A simulated labelling loop: what labels are worth that `Run.uncertain` asks for, against random ones.

    python benchmarks/active.py --data PATH [--seeds 0 1 2] [--start 300] [--batch 300] [--rounds 5] [--epochs 20]

From Banking77's training rows a few are labelled; a run is trained on them and asked, out of the rest, for the rows to
label next; these get their real labels, and so on. Random picking goes the same way. Accuracy is on the whole test
part. All ways begin with the same rows and seeds. The settings stay the same from round to round, and the last weights
are taken: whoever has few labels has none to choose an epoch by.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import corpora
import results
import seed_noise
from corpora import Row
from machine import machine
from recommended import scratch

SETTINGS: dict[str, Any] = {"batch_size": 16, "learning_rate": 5e-4, "max_length": 64, "length_grouping": True}
Picking = Callable[[Any, list[Row], int, int], list[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--start", type=int, default=300, help="rows labelled at first")
    parser.add_argument("--batch", type=int, default=300, help="rows labelled in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pool", type=int, help="the most rows to choose from")
    parser.add_argument("--test", type=int, help="the most test rows")
    results.add_into(parser)
    given = parser.parse_args()
    corpus = corpora.read("banking77", given.data, given.pool)
    lines = [
        line
        for seed in given.seeds
        for name, pick in PICKINGS.items()
        for line in loop(corpus, name, pick, seed, given)
    ]
    command = f"python benchmarks/active.py --data PATH --seeds {' '.join(map(str, given.seeds))}"
    for name in ("start", "batch", "rounds", "epochs", "pool", "test"):
        command += f" --{name} {getattr(given, name)}" if getattr(given, name) is not None else ""
    results.save(
        given.into,
        "Labelling what the model asks for: Banking77",
        file="active-banking77.jsonl",
        command=command,
        machine=machine("torch", "transformers"),
        rows=lines,
        body=report(lines, given),
    )


def randomly(_: Any, pool: list[Row], count: int, seed: int) -> list[int]:
    return random.Random(seed).sample(range(len(pool)), min(count, len(pool)))


def uncertain(run: Any, pool: list[Row], count: int, seed: int) -> list[int]:
    return [int(row) for row in run.uncertain([row["text"] for row in pool], count, seed=seed)["row"]]


def merely_uncertain(run: Any, pool: list[Row], count: int, _: int) -> list[int]:
    return [int(row) for row in run.uncertain([row["text"] for row in pool], count, diverse=False)["row"]]


PICKINGS: dict[str, Picking] = {"uncertain and diverse": uncertain, "uncertain": merely_uncertain, "random": randomly}


def loop(
    corpus: corpora.Corpus, name: str, pick: Picking, seed: int, given: argparse.Namespace
) -> list[dict[str, Any]]:
    """One line a round: how many rows were labelled, and the accuracy they gave."""
    import nbtune

    test = random.Random(0).sample(corpus.test, given.test) if given.test else corpus.test
    first = set(randomly(None, corpus.train, given.start, seed))
    labelled = [row for place, row in enumerate(corpus.train) if place in first]
    pool = [row for place, row in enumerate(corpus.train) if place not in first]
    lines = []
    for turn in range(given.rounds + 1):
        began = time.perf_counter()
        with scratch():
            run = nbtune.finetune(
                "classification",
                data=labelled,
                validation=known(corpus.validation, labelled),
                model="minilm-l6",
                epochs=given.epochs,
                evaluate_every=10**9,  # the last weights
                seed=seed,
                watchers=[],
                **SETTINGS,
            )
            answers = run.predict([row["text"] for row in test])["prediction"]
            chosen = set(pick(run, pool, given.batch, seed + turn)) if turn < given.rounds else set()
        accuracy = mean(answer == row["label"] for answer, row in zip(answers, test, strict=True))
        line = {"picking": name, "seed": seed, "labelled": len(labelled), "accuracy": round(accuracy, 4)}
        lines.append({**line, "seconds": round(time.perf_counter() - began, 1)})
        print(time.strftime("%H:%M:%S"), lines[-1], file=sys.stderr, flush=True)
        labelled = labelled + [row for place, row in enumerate(pool) if place in chosen]
        pool = [row for place, row in enumerate(pool) if place not in chosen]
    return lines


def known(validation: list[Row], labelled: list[Row]) -> list[Row]:
    """A hundred rows with labels that are learned; nothing is chosen by them."""
    labels = {row["label"] for row in labelled}
    rows = [row for row in validation if row["label"] in labels]
    return random.Random(0).sample(rows, min(100, len(rows)))


def report(lines: list[dict[str, Any]], given: argparse.Namespace) -> str:
    words = (
        f"Test accuracy by the number of labelled rows, mean ± standard deviation over {len(given.seeds)} seeds; "
        f"{given.epochs} epochs, {', '.join(f'{key} = {value}' for key, value in SETTINGS.items())}. In each round "
        f"{given.batch} rows more get their labels. The last columns: what the rows that the model asks for gain over "
        "random ones."
    )
    rows = []
    for size in dict.fromkeys(line["labelled"] for line in lines):
        found = {
            name: [line["accuracy"] for line in lines if line["labelled"] == size and line["picking"] == name]
            for name in PICKINGS
        }
        gains = [f"{mean(found[name]) - mean(found['random']):+.4f}" for name in PICKINGS if name != "random"]
        rows.append([f"{size:,}", *(seed_noise.spread(found[name]) for name in PICKINGS), *gains])
    head = ["labelled rows", *PICKINGS, *(f"gain, {name}" for name in PICKINGS if name != "random")]
    return f"{words}\n\n{results.table(head, rows)}"


if __name__ == "__main__":
    main()
