"""How fast nbtune trains, against `transformers.Trainer` on the same weights, data, batch size and optimizer.

    python benchmarks/speed.py --data PATH [wnut17 sst2_long] [--rounds 3] [--rows N] [--epochs N]

Each contender is a process of its own; they take turns, in another order each round. Counted are real tokens (without
padding) over the time of the steps, loading of batches included, evaluations and the first steps left out. Every round
is another seed; the score is that of the weights at the end on the whole test part (scoring.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import corpora
import jobs
import results
import scoring
import seed_noise
import torch
from jobs import RACERS, Settings
from machine import machine

SETTINGS = {
    "wnut17": Settings(epochs=2, batch_size=16, learning_rate=2e-4, max_length=128, rows=2400),
    "sst2_long": Settings(epochs=1, batch_size=16, learning_rate=1e-4, max_length=400, rows=1000),
}
CONTENDERS = {"wnut17": tuple(RACERS), "sst2_long": ("nbtune", "Trainer", "Trainer, grouped")}
FLOP_A_TOKEN = 64e6
"""Of the linear layers of minilm-l6: 10.6 million weights, two operations each forward and four backward."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=list(SETTINGS), help=f"of {', '.join(SETTINGS)}")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, help="the most training rows")
    parser.add_argument("--epochs", type=int)
    results.add_into(parser)
    given = parser.parse_args()
    for name in given.corpora:
        changes = {key: getattr(given, key) for key in ("rows", "epochs") if getattr(given, key)}
        settings = replace(SETTINGS[name], **changes)
        lines = [line for turn in range(given.rounds) for line in one_round(name, given.data, settings, turn)]
        command = f"python benchmarks/speed.py --data PATH {name} --rounds {given.rounds}"
        command += "".join(f" --{key} {value}" for key, value in changes.items())
        corpus = corpora.read(name, given.data, settings.rows)
        results.save(
            given.into,
            f"Training speed: {corpus.title}",
            file=f"speed-{name}.jsonl",
            command=command,
            machine=f"{machine('torch', 'transformers')}, torch threads: {lines[0]['threads']}",
            rows=lines,
            body=report(corpus, settings, lines),
        )


def one_round(name: str, data: Path, settings: Settings, turn: int) -> list[dict[str, Any]]:
    """Every contender once, whoever is first changing from round to round."""
    contenders = CONTENDERS[name]
    corpus = corpora.read(name, data, settings.rows)
    lines = []
    rate = product_rate()
    for place in range(len(contenders)):
        contender = contenders[(place + turn) % len(contenders)]
        script, grouped = RACERS[contender]
        outcome = jobs.run(script, name, data, settings, turn, grouped=grouped, validated=False)
        scores = scoring.score(corpus, outcome.answers)
        speed = outcome.tokens / outcome.stepping
        line = {"corpus": name, "contender": contender, "round": turn, "tokens_a_second": round(speed, 1)}
        line |= {"scores": scores, "threads": outcome.threads, "gflops_of_products": round(rate, 1)}
        lines.append(line)
        shown = f"{contender}, round {turn}: {speed:,.0f} tokens/s, {scores[scoring.HEADLINE[corpus.task]]:.4f}"
        print(time.strftime("%H:%M:%S"), name, shown, file=sys.stderr, flush=True)
    return lines


def product_rate() -> float:
    """GFLOP/s of matrix products of the model's commonest shape, the best of many."""
    left, right = torch.randn(400, 384), torch.randn(384, 1536)
    best = float("inf")
    for _ in range(300):
        began = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - began)
    return 2 * 400 * 384 * 1536 / best / 1e9


def report(corpus: corpora.Corpus, settings: Settings, lines: list[dict[str, Any]]) -> str:
    ours = {line["round"]: line["tokens_a_second"] for line in lines if line["contender"] == "nbtune"}
    score = scoring.HEADLINE[corpus.task]
    rows = []
    for contender in CONTENDERS[corpus.name]:
        own = [line for line in lines if line["contender"] == contender]
        speeds = [line["tokens_a_second"] for line in own]
        ratio = median(ours[line["round"]] / line["tokens_a_second"] for line in own)
        share = median(line["tokens_a_second"] * FLOP_A_TOKEN / line["gflops_of_products"] / 1e9 for line in own)
        spread = f"{median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})"
        scores = seed_noise.spread([line["scores"][score] for line in own])
        rows.append([contender, spread, f"{ratio:.2f}", f"{share:.0%}", scores])
    words = (
        f"{len(corpus.train):,} training rows, {settings}; {len(ours)} rounds, medians (least to most). The last "
        "column but one: the share of the rate of matrix products measured in the same round that the linear layers' "
        "own work takes."
    )
    head = ["contender", "real tokens/s", "nbtune is faster by", "of the product rate", score]
    return f"{words}\n\n{results.table(head, rows)}"


if __name__ == "__main__":
    main()
