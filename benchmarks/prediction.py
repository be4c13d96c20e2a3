"""How fast a fine-tuned model answers, against `transformers.pipeline` on the very same weights.

    python benchmarks/prediction.py --data PATH [--rounds 3] [--rows 3000]

A model is fine-tuned on SST-2 once; then each contender answers the whole test part in a process of its own, in turns.
Timed is the answering of texts (tokenizing included), with the model open and warm. The pipeline runs at its default
(one text at a time) and at each of several batch sizes, of which the best counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import corpora
import results
import scoring
from machine import machine

BATCHES = (8, 16, 32, 64)
CONTENDERS = ("nbtune", "nbtune, int8", "pipeline", *(f"pipeline, batches of {size}" for size in BATCHES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3000, help="training rows")
    parser.add_argument("--one", nargs=2, metavar=("WHO", "RUN"), help=argparse.SUPPRESS)
    results.add_into(parser)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(answer(*given.one, given.data)))
        return
    corpus = corpora.read("sst2_glue", given.data, given.rows)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBTUNE_RUNS_DIR"] = folder
        fit(corpus)
        lines = [line for turn in range(given.rounds) for line in one_round(corpus, given.data, folder, turn)]
    results.save(
        given.into,
        "Prediction speed",
        file="prediction.jsonl",
        command=f"python benchmarks/prediction.py --data PATH --rounds {given.rounds} --rows {given.rows}",
        machine=f"{machine('torch', 'transformers')}, torch threads: {lines[0]['threads']}",
        rows=lines,
        body=report(corpus, lines),
    )


def fit(corpus: corpora.Corpus) -> None:
    import nbtune

    settings: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-4, "max_length": 64}
    nbtune.finetune("sentiment", data=corpus.train, validation=corpus.validation, name="model", **settings)


def one_round(corpus: corpora.Corpus, data: Path, folder: str, turn: int) -> list[dict[str, Any]]:
    lines = []
    for place in range(len(CONTENDERS)):
        who = CONTENDERS[(place + turn) % len(CONTENDERS)]
        command = [sys.executable, __file__, "--data", str(data), "--one", who, folder]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{who} failed: {done.stderr}")
        given = json.loads(done.stdout.splitlines()[-1])
        scores = scoring.score(corpus, given.pop("answers"))
        print(time.strftime("%H:%M:%S"), who, f"{given['texts_a_second']:,.0f} texts/s", scores, file=sys.stderr)
        lines.append({"contender": who, "round": turn, **given, "scores": scores})
    return lines


def answer(who: str, folder: str, data: Path) -> dict[str, Any]:
    """One contender's speed and answers."""
    import torch

    texts = [row["text"] for row in corpora.read("sst2_glue", data, 10).test]
    ask = nbtune_asker(folder, who) if who.startswith("nbtune") else pipeline_asker(folder, who)
    ask(texts[:100])  # opens the model, fills caches
    began = time.perf_counter()
    answers = ask(texts)
    speed = len(texts) / (time.perf_counter() - began)
    return {"texts_a_second": round(speed, 1), "threads": torch.get_num_threads(), "answers": answers}


def nbtune_asker(folder: str, who: str) -> Any:
    import nbtune

    os.environ["NBTUNE_RUNS_DIR"] = folder
    run = nbtune.load("model")
    precision = "int8" if "int8" in who else "fp32"
    return lambda texts: [row["prediction"] for row in run.stream(texts, precision=precision)]


def pipeline_asker(folder: str, who: str) -> Any:
    from transformers import pipeline

    ask = pipeline("text-classification", model=f"{folder}/model/model", device="cpu")
    size = int(who.rsplit(" ", 1)[1]) if "batches" in who else 1
    return lambda texts: [found["label"] for found in ask(texts, batch_size=size)]


def report(corpus: corpora.Corpus, lines: list[dict[str, Any]]) -> str:
    speed = {(line["contender"], line["round"]): line["texts_a_second"] for line in lines}
    score = {line["contender"]: line["scores"]["accuracy"] for line in lines}
    rounds = sorted({line["round"] for line in lines})
    best = max(CONTENDERS[3:], key=lambda who: median(speed[who, turn] for turn in rounds))
    table = []
    for who in CONTENDERS:
        speeds = [speed[who, turn] for turn in rounds]
        default, batched = (
            median(speed[who, turn] / speed[rival, turn] for turn in rounds) for rival in ("pipeline", best)
        )
        spread = f"{median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})"
        table.append([who, spread, f"{default:.2f}", f"{batched:.2f}", f"{score[who]:.4f}"])
    words = (
        f"{len(corpus.test)} texts of the test part, fine-tuned on {len(corpus.train):,} rows; {len(rounds)} rounds, "
        f"medians (least to most). The pipeline's best: {best}."
    )
    head = ["contender", "texts/s", "times the pipeline's default", "times its best", "accuracy"]
    return f"{words}\n\n{results.table(head, table)}"


if __name__ == "__main__":
    main()
