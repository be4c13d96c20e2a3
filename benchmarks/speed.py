"""How fast nbtune trains, against `transformers.Trainer` on the same weights, data, batch size and optimizer.

    python benchmarks/speed.py --data PATH [wnut17 sst2_long cuda_minilm cuda_bert] [--rounds 3] [--rows N] [--epochs N]

Each contender is a process of its own; they take turns, in another order each round. Counted are real tokens (without
padding) over the time of the steps, loading of batches included, evaluations and the first steps left out. Every round
is another seed; the score is that of the weights at the end on the whole test part (scoring.py).

The parts named cuda train on SST-2 in bf16, `cuda_bert` a model of the size of BERT base with random weights, whose
score says nothing. Where there is no CUDA device they are passed over, and that is said.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, kw_only=True)
class Race:
    """What is trained, by whom, and the operations that the linear layers need for a token: two for each weight
    forward, four backward."""

    corpus: str
    settings: Settings
    contenders: tuple[str, ...] = ("nbtune", "nbtune, grouped", "Trainer", "Trainer, grouped")
    flop_a_token: float = 64e6  # minilm-l6: 10.6 million weights


RACES = {
    "wnut17": Race(
        corpus="wnut17",
        settings=Settings(epochs=2, batch_size=16, learning_rate=2e-4, max_length=128, rows=2400),
        contenders=tuple(RACERS),
    ),
    "sst2_long": Race(
        corpus="sst2_long",
        settings=Settings(epochs=1, batch_size=16, learning_rate=1e-4, max_length=400, rows=1000),
    ),
    "cuda_minilm": Race(
        corpus="sst2_glue",
        settings=Settings(epochs=1, batch_size=32, learning_rate=1e-4, max_length=128, rows=30_000, device="cuda"),
    ),
    "cuda_bert": Race(
        corpus="sst2_glue",
        settings=Settings(epochs=1, batch_size=32, learning_rate=2e-5, max_length=128, rows=15_000, device="cuda"),
        flop_a_token=510e6,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("races", nargs="*", default=list(RACES), help=f"of {', '.join(RACES)}")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, help="the most training rows")
    parser.add_argument("--epochs", type=int)
    results.add_into(parser)
    given = parser.parse_args()
    for name in given.races:
        changes = {key: getattr(given, key) for key in ("rows", "epochs") if getattr(given, key)}
        race = RACES[name]
        race = replace(race, settings=replace(race.settings, **changes))
        if race.settings.device == "cuda" and not torch.cuda.is_available():
            print(f"{name}: skipped, this machine has no CUDA device", file=sys.stderr)
            continue
        command = f"python benchmarks/speed.py --data PATH {name} --rounds {given.rounds}"
        command += "".join(f" --{key} {value}" for key, value in changes.items())
        with tempfile.TemporaryDirectory() as folder:
            if name == "cuda_bert":
                race = replace(race, settings=replace(race.settings, model=bert_base(Path(folder))))
            lines = [line for turn in range(given.rounds) for line in one_round(name, race, given.data, turn)]
        corpus = corpora.read(race.corpus, given.data, race.settings.rows)
        on_gpu = race.settings.device == "cuda"
        place = torch.cuda.get_device_name() if on_gpu else f"torch threads: {lines[0]['threads']}"
        results.save(
            given.into,
            f"Training speed: {corpus.title}{f', {name}' if on_gpu else ''}",
            file=f"speed-{name}.jsonl",
            command=command,
            machine=f"{machine('torch', 'transformers')}, {place}",
            rows=lines,
            body=report(corpus, race, lines),
        )


def one_round(name: str, race: Race, data: Path, turn: int) -> list[dict[str, Any]]:
    """Every contender once, whoever is first changing from round to round."""
    corpus = corpora.read(race.corpus, data, race.settings.rows)
    lines = []
    rate = product_rate(race.settings.device)
    for place in range(len(race.contenders)):
        contender = race.contenders[(place + turn) % len(race.contenders)]
        script, grouped = RACERS[contender]
        outcome = jobs.run(script, race.corpus, data, race.settings, turn, grouped=grouped, validated=False)
        scores = scoring.score(corpus, outcome.answers)
        speed = outcome.tokens / outcome.stepping
        line = {"race": name, "contender": contender, "round": turn, "tokens_a_second": round(speed, 1)}
        line |= {"scores": scores, "threads": outcome.threads, "gflops_of_products": round(rate, 1)}
        lines.append(line)
        shown = f"{contender}, round {turn}: {speed:,.0f} tokens/s, {scores[scoring.HEADLINE[corpus.task]]:.4f}"
        print(time.strftime("%H:%M:%S"), name, shown, file=sys.stderr, flush=True)
    return lines


def product_rate(device: str) -> float:
    """GFLOP/s of matrix products: on a CPU of the model's commonest shape, on a GPU of large ones in bf16, which no
    small model can reach; the best of many."""
    rows, width, out = (400, 384, 1536) if device == "cpu" else (8192, 8192, 8192)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    left, right = (torch.randn(shape, device=device, dtype=dtype) for shape in ((rows, width), (width, out)))
    best = float("inf")
    for _ in range(300):
        began = time.perf_counter()
        torch.mm(left, right)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return 2 * rows * width * out / best / 1e9


def bert_base(folder: Path) -> str:
    """A folder with an encoder of BERT base's size and random weights, and the tokenizer of minilm-l6."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    from nbtune.tasks.pretrained import pretrained

    tokenizer = AutoTokenizer.from_pretrained(pretrained("minilm-l6").source)
    BertModel(BertConfig(vocab_size=len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def report(corpus: corpora.Corpus, race: Race, lines: list[dict[str, Any]]) -> str:
    ours = {line["round"]: line["tokens_a_second"] for line in lines if line["contender"] == "nbtune"}
    score = scoring.HEADLINE[corpus.task]
    rows = []
    for contender in race.contenders:
        own = [line for line in lines if line["contender"] == contender]
        speeds = [line["tokens_a_second"] for line in own]
        ratio = median(ours[line["round"]] / line["tokens_a_second"] for line in own)
        share = median(line["tokens_a_second"] * race.flop_a_token / line["gflops_of_products"] / 1e9 for line in own)
        spread = f"{median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})"
        scores = seed_noise.spread([line["scores"][score] for line in own])
        rows.append([contender, spread, f"{ratio:.2f}", f"{share:.0%}", scores])
    words = (
        f"{len(corpus.train):,} training rows, {race.settings}; {len(ours)} rounds, medians (least to most). The last "
        "column but one: the share of the rate of matrix products measured in the same round that the linear layers' "
        "own work takes."
    )
    head = ["contender", "real tokens/s", "nbtune is faster by", "of the product rate", score]
    return f"{words}\n\n{results.table(head, rows)}"


if __name__ == "__main__":
    main()
