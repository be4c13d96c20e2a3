"""What a kill costs a run (nothing), and what its checkpoints cost it.

    python benchmarks/durability.py kills [--kills 100]
    python benchmarks/durability.py cost [--steps 600 --rounds 3]

`kills` trains a tiny random model, kills the process at random times (SIGKILL) and resumes, some twice, and compares
the saved model and the events with those of a run that was left alone, byte for byte. It says nothing of speed.
`cost` trains minilm-l6 in fresh processes, interleaved, with and without checkpoints.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import results
from machine import machine

WORDS = [
    f"{a}{b}{c}" for a in ("ka", "lo", "mi", "tu", "sen") for b in ("ra", "dol", "pe", "vi") for c in ("n", "s", "")
]
INTERVALS = ("1000h", "60s", "5s")
"""Never, the default, and far too often: where it would cost more than its share, it must become rarer."""

TWICE = 0.25
"""Share of the runs whose resume is killed, too."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("kills", "cost", "one"))
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the times of the kills")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", default="60s", help=argparse.SUPPRESS)
    results.add_into(parser)
    given = parser.parse_args()
    if given.part == "one":
        print(json.dumps(train_minilm(given.every, given.steps)))
    elif given.part == "kills":
        save_kills(given)
    else:
        save_cost(given)


# --- kills


def save_kills(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = kill_many(Path(folder), given.kills, random.Random(given.seed))
    results.save(
        given.into,
        "Kills",
        file="kills.jsonl",
        command=f"python benchmarks/durability.py kills --kills {given.kills} --seed {given.seed}",
        machine=machine("torch", "transformers"),
        rows=lines,
        body=report_kills(lines),
    )


def kill_many(folder: Path, kills: int, luck: random.Random) -> list[dict[str, Any]]:
    """Kill and resume so many runs; one line a run."""
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", NBTUNE_RUNS_DIR=str(folder / "runs"))
    # imported once and forked: torch starts its threads at first use, which is in the children
    import sklearn.linear_model  # noqa: F401
    import transformers.models.bert.modeling_bert  # noqa: F401

    import nbtune.running.runner
    import nbtune.tasks.heads
    from nbtune.testing.tiny import save_tiny_model

    def fresh(name: str) -> None:
        nbtune.finetune(
            "classification",
            data=rows(60, 6),
            model=str(folder / "tiny"),
            name=name,
            epochs=3,
            batch_size=4,
            learning_rate=1e-3,
            evaluate_every=10,
            checkpoint_every=2,
            watchers=[],
        )

    def again(name: str) -> None:
        nbtune.finetune(resume=name, watchers=[])

    finish(start(lambda: save_tiny_model(folder / "tiny")))
    whole = folder / "runs" / "whole"
    process = start(lambda: fresh("whole"))
    wait_for_run(whole)
    began = time.monotonic()
    finish(process)
    seconds = time.monotonic() - began
    lines: list[dict[str, Any]] = []
    while len(lines) < kills:
        run = folder / "runs" / f"run-{len(lines)}"
        fell = kill_at(start(lambda run=run: fresh(run.name)), run, luck.uniform(0, seconds))  # type: ignore[misc]
        if fell is None:  # it was faster than that
            subprocess.run(["rm", "-r", str(run)], check=True)
            continue
        second = None
        if luck.random() < TWICE:
            second = kill_at(start(lambda run=run: again(run.name)), run, luck.uniform(0, seconds / 2))  # type: ignore[misc]
        if read_events(run)[-1]["event"] != "Ended":
            finish(start(lambda run=run: again(run.name)))  # type: ignore[misc]
        same = content(run / "model") == content(whole / "model") and story(run) == story(whole)
        lines.append({"run": run.name, "first": fell, "second": second, "equal": same})
        subprocess.run(["rm", "-r", str(run)], check=True)
        print(len(lines), fell, second or "", "equal" if same else "NOT EQUAL", file=sys.stderr, flush=True)
    return lines


def start(work: Callable[[], Any]) -> int:
    """Do it in a child of this process; its number."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        work()
        status = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def finish(process: int) -> None:
    if os.waitpid(process, 0)[1]:
        raise SystemExit("a training that nobody killed has failed")


def wait_for_run(run: Path) -> None:
    """Until the folder says that it is a run: before that there is nothing to resume."""
    while not (run / "spec.toml").exists():
        time.sleep(0.001)


def kill_at(process: int, run: Path, after: float) -> str | None:
    """Kill it so many seconds after its run has begun; what it was doing, or None if it had finished."""
    wait_for_run(run)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != -signal.SIGKILL:
        return None
    if list(run.glob("checkpoints/.step-*.tmp")):
        return "inside a checkpoint"
    if (run / ".model.tmp").exists():
        return "inside the model"
    told = read_events(run)
    return "elsewhere" if any(event["event"] == "Started" for event in told) else "before the first step"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_events(run: Path) -> list[dict[str, Any]]:
    """The whole lines of its log; one empty event where there is none yet."""
    path = run / "events.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("\n")] or [{"event": ""}]


def story(run: Path) -> list[dict[str, Any]]:
    """What a run told, each thing once, without times and names, and without that it was resumed."""
    varying, own = {"seconds", "time", "run"}, {"Started", "Noted"}
    return [
        {name: value for name, value in event.items() if name not in varying}
        for event in read_events(run)
        if event["event"] not in own
    ]


def report_kills(lines: list[dict[str, Any]]) -> str:
    equal = sum(line["equal"] for line in lines)
    fell = [fell for line in lines for fell in (line["first"], line["second"]) if fell]
    rows = [[place, str(fell.count(place))] for place in sorted(set(fell))]
    twice = sum(line["second"] is not None for line in lines)
    return (
        f"resumed {len(lines)}, equal {equal} (the files of `model/` byte for byte, and every event but times), "
        f"{twice} of them killed twice.\n\n{results.table(['the kill fell', 'times'], rows)}"
    )


# --- cost


def save_cost(given: argparse.Namespace) -> None:
    lines = []
    for number in range(given.rounds):
        for every in INTERVALS:
            command = [sys.executable, __file__, "one", "--every", every, "--steps", str(given.steps)]
            process = subprocess.run(command, capture_output=True, text=True)
            if process.returncode:
                raise SystemExit(process.stderr)
            lines.append({"round": number, **json.loads(process.stdout.splitlines()[-1])})
            print(lines[-1], file=sys.stderr, flush=True)
    results.save(
        given.into,
        "Cost of checkpoints",
        file="checkpoint-cost.jsonl",
        command=f"python benchmarks/durability.py cost --steps {given.steps} --rounds {given.rounds}",
        machine=machine("torch", "transformers"),
        rows=lines,
        body=report_cost(lines, given.rounds),
    )


def train_minilm(every: str, steps: int) -> dict[str, Any]:
    """One epoch of so many steps: seconds from the first step to the last, and those it stood still for checkpoints."""
    import nbtune

    watcher = Stalls()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBTUNE_RUNS_DIR"] = folder
        nbtune.finetune(
            "classification",
            data=rows(steps * 16, 15),
            validation=rows(32, 15),
            name="run",
            epochs=1,
            batch_size=16,
            checkpoint_every=every,
            watchers=[watcher],
        )
    return {"every": every, "seconds": watcher.last - watcher.first, "stalls": watcher.stalls}


class Stalls:
    """Takes the time of the steps, and how long training stood still for each checkpoint taken among them."""

    def __init__(self) -> None:
        self.first = self.last = 0.0
        self.stalls: list[float] = []
        self._since: list[float] = []

    def on_event(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "Stepped":
            self.last = time.perf_counter()
            self.first = self.first or self.last
            self.stalls += self._since  # only checkpoints that another step followed
            self._since.clear()
        elif kind == "Saved" and event.kind == "checkpoint":
            self._since.append(event.seconds)


def report_cost(lines: list[dict[str, Any]], rounds: int) -> str:
    without = median(line["seconds"] for line in lines if line["every"] == INTERVALS[0])
    table = []
    for every in INTERVALS:
        own = [line for line in lines if line["every"] == every]
        seconds = median(line["seconds"] for line in own)
        stalls = [stall for line in own for stall in line["stalls"]]
        share = median(sum(line["stalls"]) / line["seconds"] for line in own)
        one = f"{median(stalls):.3f}" if stalls else "-"
        count = f"{median(len(line['stalls']) for line in own):g}"
        table.append([every, count, one, f"{share:.2%}", f"{seconds:.1f}", f"{seconds / without - 1:+.2%}"])
    head = ["checkpoint_every", "checkpoints", "s standing still", "share of the run", "s in all", "against none"]
    default = next(row for row in table if row[0] == "60s")
    held = float(default[3].rstrip("%")) < 2
    words = f"At the default of 60 s training stands still for {'less' if held else 'NOT LESS'} than 2% of the run."
    return (
        f"minilm-l6, classification of 15 made-up words, full fine-tuning, batch size 16; medians of {rounds} rounds, "
        f"each run a fresh process.\n\n{results.table(head, table)}\n\n{words}"
    )


def rows(count: int, length: int) -> list[dict[str, str]]:
    """Made-up texts, the same ones each time, with a label that can be learned."""
    luck = random.Random(count)
    texts = [" ".join(luck.choices(WORDS, k=length)) for _ in range(count)]
    return [{"text": f"{number} {text}", "label": text[:2]} for number, text in enumerate(texts)]


if __name__ == "__main__":
    main()
