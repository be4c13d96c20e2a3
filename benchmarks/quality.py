"""nbtune against `transformers.Trainer`: same weights, data, epochs, batch size, learning rate, warm-up and schedule.

    python benchmarks/quality.py --data PATH [wnut17 banking77 sst2_glue] [--seeds 0 1 2] [--epochs N] [--rows N]

Each training is a process of its own; the contenders take turns, and who goes first changes from seed to seed. Both are
scored on the whole test part by the same scorer (scoring.py). Wall time is informative only.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import corpora
import jobs
import results
import scoring
import seed_noise
from jobs import CONTENDERS, Settings
from machine import machine

SETTINGS = {
    "wnut17": Settings(epochs=3, batch_size=16, learning_rate=2e-4, max_length=128),
    "banking77": Settings(epochs=4, batch_size=16, learning_rate=3e-4, max_length=64, rows=3000),
    "sst2_glue": Settings(epochs=2, batch_size=16, learning_rate=1e-4, max_length=64, rows=3000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=list(SETTINGS), help=f"of {', '.join(SETTINGS)}; all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="in place of each data set's own number")
    parser.add_argument("--rows", type=int, help="the most training rows, in place of each data set's own number")
    parser.add_argument("--keep", action="store_true", help="go on: keep measurements of the same settings")
    results.add_into(parser)
    given = parser.parse_args()
    for name in given.corpora:
        if name not in SETTINGS:
            parser.error(f"there is no data set {name!r} here: choose from {', '.join(SETTINGS)}")
        changes = {key: getattr(given, key) for key in ("epochs", "rows") if getattr(given, key) is not None}
        settings = replace(SETTINGS[name], **changes)
        earlier = results.read_lines(given.into, _file(name)) if given.keep else []
        lines = []
        for line in measure(name, given.data, settings, given.seeds, earlier):
            lines.append(line)
            results.write_lines(given.into, _file(name), lines)
        command = f"python benchmarks/quality.py --data PATH {name} --seeds {' '.join(map(str, given.seeds))}"
        command += "".join(f" --{key} {value}" for key, value in changes.items())
        corpus = corpora.read(name, given.data, settings.rows)
        results.save(
            given.into,
            f"Quality: {corpus.title}",
            file=_file(name),
            command=command,
            machine=f"{machine('torch', 'transformers')}, torch threads: {lines[0]['threads']}",
            rows=lines,
            body=report(corpus, settings, lines),
        )


def measure(
    name: str, data: Path, settings: Settings, seeds: list[int], earlier: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """One line a training, in the order they run; one of `earlier` with the same settings saves its training."""
    corpus = corpora.read(name, data, settings.rows)
    kept = {(line["contender"], line["seed"]): line for line in earlier if line["settings"] == asdict(settings)}
    for turn, seed in enumerate(seeds):
        for contender in sorted(CONTENDERS, reverse=turn % 2 == 0):
            if (contender, seed) in kept:
                yield kept[contender, seed]
                continue
            outcome = jobs.run(CONTENDERS[contender], name, data, settings, seed)
            scores = scoring.score(corpus, outcome.answers)
            line = {"corpus": name, "contender": contender, "seed": seed, "scores": scores}
            line |= {"seconds": round(outcome.seconds, 1), "threads": outcome.threads, "rows_of_parts": corpus.sizes}
            shown = ", ".join(f"{key} {value:.4f}" for key, value in scores.items())
            print(f"{time.strftime('%H:%M:%S')} {name} {contender} seed {seed}: {shown}", file=sys.stderr, flush=True)
            yield {**line, "settings": asdict(settings)}


def _file(name: str) -> str:
    return f"quality-{name}.jsonl"


def report(corpus: corpora.Corpus, settings: Settings, lines: list[dict[str, Any]]) -> str:
    """The table of one data set: a row a score, then the wall time."""
    seeds = len(lines) // len(CONTENDERS)
    sizes = corpus.sizes
    capped = " (capped)" if settings.rows is not None else ""
    words = (
        f"{sizes['train']:,} training rows{capped}, {sizes['validation']:,} validation rows, all {sizes['test']:,} "
        f"test rows; {settings}; on both sides warm-up {settings.warmup:g} of the steps, linear schedule, AdamW with "
        f"weight decay {settings.weight_decay:g}, gradient norm at most {settings.clip:g}, batches of like length, "
        f"float32, best epoch on the validation part. Mean ± standard deviation over {seeds} seeds."
    )
    rows = []
    for score in lines[0]["scores"]:
        ours, theirs = ([line["scores"][score] for line in lines if line["contender"] == name] for name in CONTENDERS)
        difference, low, high = seed_noise.welch(ours, theirs)
        interval = f"{difference:+.4f} ({low:+.4f} to {high:+.4f})"
        verdict = seed_noise.verdict(difference, low, high)
        rows.append([score, seed_noise.spread(ours), seed_noise.spread(theirs), interval, verdict])
    seconds = [median(line["seconds"] for line in lines if line["contender"] == name) for name in CONTENDERS]
    rows.append(["seconds to fit, median (informative)", *(f"{value:.0f}" for value in seconds), "", ""])
    head = ["test score", "nbtune", "transformers.Trainer", "difference (95% Welch interval)", ""]
    return f"{words}\n\n{results.table(head, rows)}"


if __name__ == "__main__":
    main()
