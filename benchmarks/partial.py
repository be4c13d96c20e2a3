"""What training less than everything saves: frozen layers whose outputs are kept, and LoRA.

    python benchmarks/partial.py --data PATH [wnut17 sst2_glue] [--rounds 3] [--rows N]

Each way of training is a process of its own; they take turns. Speed is that of the steps from the second epoch on (real
tokens, evaluations left out); memory is that of gradients and optimizer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import corpora
import results
from machine import machine

WAYS: Mapping[str, dict[str, Any]] = {
    "all layers learn": {},
    "head alone": {"freeze": "base", "keep_frozen": False},
    "head alone, kept": {"freeze": "base"},
    "4 of 6 layers frozen": {"freeze": 4, "keep_frozen": False},
    "4 of 6 layers frozen, kept": {"freeze": 4},
    "LoRA": {"lora": True},
}
PAIRS = (
    ("head alone, kept", "head alone"),
    ("4 of 6 layers frozen, kept", "4 of 6 layers frozen"),
    ("LoRA", "all layers learn"),
)
EPOCHS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=["wnut17", "sst2_glue"])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=600, help="training rows")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # the side of one process
    results.add_into(parser)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(train(given.corpora[0], given.data, given.rows, WAYS[given.one])))
        return
    for name in given.corpora:
        lines = [line for turn in range(given.rounds) for line in one_round(name, given, turn)]
        corpus = corpora.read(name, given.data, given.rows)
        results.save(
            given.into,
            f"Training a part: {corpus.title}",
            file=f"partial-{name}.jsonl",
            command=f"python benchmarks/partial.py --data PATH {name} --rounds {given.rounds} --rows {given.rows}",
            machine=f"{machine('torch', 'transformers', 'peft')}, torch threads: {lines[0]['threads']}",
            rows=lines,
            body=report(given.rows, lines),
        )


def one_round(name: str, given: argparse.Namespace, turn: int) -> list[dict[str, Any]]:
    ways = list(WAYS)
    lines = []
    for place in range(len(ways)):
        way = ways[(place + turn) % len(ways)]
        command = [sys.executable, __file__, name, "--data", str(given.data), "--rows", str(given.rows), "--one", way]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{way} failed: {done.stderr}")
        line = {"corpus": name, "way": way, "round": turn, **json.loads(done.stdout.splitlines()[-1])}
        print(time.strftime("%H:%M:%S"), name, way, f"{line['tokens_a_second']:,.0f} tokens/s", file=sys.stderr)
        lines.append(line)
    return lines


class Speed:
    """The time of the steps after the first epoch, and the memory of gradients and optimizer states."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.tokens = 0
        self._since = time.perf_counter()

    def on_event(self, event: Any) -> None:
        from nbtune.events import Stepped

        now = time.perf_counter()
        if isinstance(event, Stepped) and event.epoch > 1.05:
            self.seconds += now - self._since
            self.tokens += event.tokens
        self._since = now


def train(name: str, data: Path, rows: int, way: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    import nbtune
    from nbtune.training.job import Job

    corpus, speed = corpora.read(name, data, rows), Speed()
    states: list[int] = []
    finish = Job.finish

    def measured(job: Job) -> None:
        """At the end of training, before what was learned is put away."""
        learned = [p for group in job.optimizer.param_groups for p in group["params"]]
        moments = [t for state in job.optimizer.state.values() for t in state.values() if isinstance(t, torch.Tensor)]
        gradients = [p.grad for p in learned if p.grad is not None]
        states.append(sum(t.nbytes for t in (*moments, *gradients)))
        finish(job)

    Job.finish = measured  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBTUNE_RUNS_DIR"] = folder
        nbtune.finetune(
            corpus.task,
            data=corpus.train,
            validation=corpus.validation[:50],
            epochs=EPOCHS,
            batch_size=16,
            learning_rate=2e-4,
            max_length=128,
            evaluate_every=10**9,
            watchers=[speed],
            **way,
        )
    return {
        "tokens_a_second": round(speed.tokens / speed.seconds, 1),
        "state_bytes": states[0],
        "threads": torch.get_num_threads(),
    }


def report(rows: int, lines: list[dict[str, Any]]) -> str:
    speed = {(line["way"], line["round"]): line["tokens_a_second"] for line in lines}
    rounds = sorted({line["round"] for line in lines})
    base = {line["way"]: line["state_bytes"] for line in lines}
    table = []
    for way in WAYS:
        speeds = [speed[way, turn] for turn in rounds]
        against = next((other for one, other in PAIRS if one == way), None)
        ratio = median(speed[way, turn] / speed[against, turn] for turn in rounds) if against else None
        times = f"{ratio:.2f} times {against}" if ratio else ""
        share = f"{base[way] / 1e6:.1f} ({base[way] / base['all layers learn']:.1%})"
        table.append([way, f"{median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})", times, share])
    words = f"{rows} training rows, {EPOCHS} epochs, batch size 16; {len(rounds)} rounds, medians (least to most)."
    head = ["way", "real tokens/s after the first epoch", "ratio", "gradients and optimizer, MB"]
    return f"{words}\n\n{results.table(head, table)}"


if __name__ == "__main__":
    main()
