"""Whether runs give their memory back: many in one kernel, some failing and some interrupted, their tracebacks shown.

    python benchmarks/memory_back.py [--runs 30]

minilm-l6 in a real ipykernel. Each run that keeps a model also predicts. CUDA memory is counted where there is CUDA.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import results
from kernels import Kernel, kernel
from machine import machine

ALLOWED = 0.05
"""Growth from the third run to the last."""

PREPARATION = """
import gc, json, os, signal
import torch
from nbtune.tasks.heads import SequenceHead

texts = [f"{word} {thing}, {much}" for word in ("great", "fine", "awful", "dire")
         for thing in ("film", "book", "play", "song", "meal") for much in ("really", "on the whole", "as ever")]
rows = [{"text": text, "label": "good" if text[0] in "gf" else "bad"} for text in texts]
loss = SequenceHead.loss

def failing(head, batch):
    SequenceHead.loss = loss
    raise ZeroDivisionError("planned")

def interrupted(head, batch):
    SequenceHead.loss = loss
    os.kill(os.getpid(), signal.SIGINT)
    return loss(head, batch)

def held():
    cuda = torch.cuda.memory_reserved() if torch.cuda.is_available() else 0
    with open("/proc/self/statm") as file:
        print(json.dumps({"memory": int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"), "cuda": cuda}))
"""
MAGIC = "run = %finetune classification --data rows --name run-{n} epochs=1 batch_size=16 learning_rate=1e-4"
PYTHON = "run = nbtune.finetune('classification', data=rows, name='run-{n}', epochs=1, batch_size=16)"
PREDICT = "\nrun.predict(texts)"
KINDS = (  # what happens, how it is written, what spoils it
    ("finished", MAGIC + PREDICT, "loss"),
    ("failed", MAGIC, "failing"),
    ("interrupted", MAGIC + PREDICT, "interrupted"),
    ("finished in the background", MAGIC + " --background\nrun.wait()" + PREDICT, "loss"),
    ("failed in Python", PYTHON, "failing"),
    ("interrupted in Python", PYTHON + PREDICT, "interrupted"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, help="runs in one kernel")
    results.add_into(parser)
    given = parser.parse_args()
    with kernel() as ours:
        ours.cell(PREPARATION)
        lines = [{"run": number + 1, **one(ours, number)} for number in range(given.runs)]
    results.save(
        given.into,
        "Memory given back",
        file="memory-back.jsonl",
        command=f"python benchmarks/memory_back.py --runs {given.runs}",
        machine=machine("torch"),
        rows=lines,
        body=report(lines),
    )


def one(ours: Kernel, number: int) -> dict[str, Any]:
    """A run of its kind, and the bytes held after it."""
    kind, form, spoilt = KINDS[number % len(KINDS)]
    ours.cell(f"SequenceHead.loss = {spoilt}")
    ours.cell(form.format(n=number), fails=spoilt == "failing")
    measured: dict[str, int] = json.loads(ours.cell("held()"))
    print(f"run {number + 1:2} {kind:28} {measured['memory'] / 2**20:7.0f} MB", flush=True)
    return {"kind": kind, **measured}


def report(lines: list[dict[str, Any]]) -> str:
    shown = [lines[0], lines[2], *lines[9::10], *([lines[-1]] if len(lines) % 10 else [])]
    rows = []
    for line in shown:
        sizes = (f"{line[place] / 2**20:.0f}" for place in ("memory", "cuda"))
        rows.append([str(line["run"]), line["kind"], *sizes])
    third, last = lines[2], lines[-1]
    words = []
    for place, name in (("memory", "process memory"), ("cuda", "CUDA memory")):
        if third[place]:
            growth = last[place] / third[place] - 1
            most = max(line[place] for line in lines[3:]) / third[place] - 1
            kept = "within" if growth <= ALLOWED else "NOT WITHIN"
            words.append(
                f"After run {last['run']}, {name} is {growth:+.1%} of that after the third ({kept} {ALLOWED:.0%}); "
                f"at the most {most:+.1%}."
            )
    head = ["after run", "which", "memory MB", "CUDA MB"]
    return f"{results.table(head, rows)}\n\n{' '.join(words)}"


if __name__ == "__main__":
    main()
