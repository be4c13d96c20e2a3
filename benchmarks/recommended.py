"""The recommended settings: one nbtune run a data set, the best found within 15 minutes on two cores.

    python benchmarks/recommended.py --data PATH [wnut17 banking77 sst2_glue] [--seeds 0] [--epochs N] [--rows N]
    python benchmarks/recommended.py --data PATH wnut17 --try learning_rate=2e-4 label_smoothing=0.1

Settings were chosen on the validation part: `--try` trains with settings changed, prints validation scores and never
looks at the test part. docs/log.md tells what was tried. The plain form scores the whole test part with scoring.py; the
interval is that of the run's own report (bootstrap over test rows).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import corpora
import results
import scoring
from machine import machine

RECOMMENDED: dict[str, dict[str, Any]] = {
    "wnut17": {
        "epochs": 4,
        "batch_size": 8,
        "learning_rate": 1e-4,
        "max_length": 128,
        "label_smoothing": 0.1,
        "decoding": "viterbi",
    },
    # what these two gave with batches drawn at random was not measured
    "banking77": {"epochs": 7, "batch_size": 32, "learning_rate": 5e-4, "max_length": 64, "length_grouping": True},
    "sst2_glue": {"epochs": 2, "batch_size": 32, "learning_rate": 1e-4, "max_length": 64, "length_grouping": True},
}
ROWS: dict[str, int | None] = {"wnut17": None, "banking77": None, "sst2_glue": 40_000}
"""The most training rows that fit in the time."""

OWN_NAMES: Mapping[str, str] = {"entity F1 (strict)": "entity_f1", "accuracy": "accuracy", "macro F1": "macro_f1"}
"""The run's own names of the scores that scoring.py gives."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=list(RECOMMENDED), help=f"of {', '.join(RECOMMENDED)}")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", type=int, help="the most training rows")
    parser.add_argument("--try", dest="changes", nargs="+", metavar="SETTING=VALUE", help="validation scores only")
    results.add_into(parser)
    given = parser.parse_args()
    for name in given.corpora:
        settings = {**RECOMMENDED[name], **({"epochs": given.epochs} if given.epochs else {})}
        rows = given.rows or ROWS[name]
        if given.changes is not None:
            attempt(corpora.read(name, given.data, rows), {**settings, **parsed(given.changes)}, given.seeds)
            continue
        corpus = corpora.read(name, given.data, rows)
        lines = [measure(corpus, settings, seed) for seed in given.seeds]
        command = f"python benchmarks/recommended.py --data PATH {name} --seeds {' '.join(map(str, given.seeds))}"
        command += "".join(f" --{key} {getattr(given, key)}" for key in ("epochs", "rows") if getattr(given, key))
        results.save(
            given.into,
            f"Recommended settings: {corpus.title}",
            file=f"recommended-{name}.jsonl",
            command=command,
            machine=machine("torch", "transformers"),
            rows=lines,
            body=report(corpus, settings, rows, lines),
        )


def parsed(changes: list[str]) -> dict[str, Any]:
    """SETTING=VALUE as TOML; what is no TOML value is taken as text."""
    values: dict[str, Any] = {}
    for change in changes:
        name, _, value = change.partition("=")
        try:
            values |= tomllib.loads(f"{name} = {value}")
        except tomllib.TOMLDecodeError:
            values[name] = value
    return values


def attempt(corpus: corpora.Corpus, settings: dict[str, Any], seeds: list[int]) -> None:
    """Train and print the validation scores after each evaluation."""
    import nbtune

    for seed in seeds:
        began = time.perf_counter()
        with scratch():
            run = nbtune.finetune(
                corpus.task, data=corpus.train, validation=corpus.validation, model="minilm-l6", seed=seed, **settings
            )
            history = run.history
        spent = f"{time.perf_counter() - began:.0f} s on the clock, {time.process_time():.0f} s of processor"
        print(f"{corpus.name} {corpus.sizes} {settings} seed {seed}: {spent}", history.round(4), sep="\n", flush=True)


def measure(corpus: corpora.Corpus, settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Train, and score the test part twice: with the independent scorer, and in the run's report for the interval."""
    from contend_nbtune import answers

    import nbtune

    with scratch():
        began = time.perf_counter()
        run = nbtune.finetune(
            corpus.task, data=corpus.train, validation=corpus.validation, model="minilm-l6", seed=seed, **settings
        )
        seconds = time.perf_counter() - began
        scores = scoring.score(corpus, answers(run, corpus))
        own = run.evaluate(corpus.test).to_dict()
    kept = {key: own[key] for key in ("metrics", "baselines")}
    line = {"corpus": corpus.name, "seed": seed, "scores": scores, "seconds": round(seconds, 1)}
    return {**line, "settings": settings, "rows_of_parts": corpus.sizes, "report": kept}


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """A runs folder for the block, removed after it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBTUNE_RUNS_DIR"] = folder
        yield


def report(corpus: corpora.Corpus, settings: dict[str, Any], cap: int | None, lines: list[dict[str, Any]]) -> str:
    sizes = corpus.sizes
    words = (
        f"{', '.join(f'{key} = {value}' for key, value in settings.items())}; {sizes['train']:,} training rows"
        f"{' (capped)' if cap else ''}, {sizes['validation']:,} validation rows, all {sizes['test']:,} test rows."
    )
    rows = []
    for line in lines:
        for score, value in line["scores"].items():
            own = line["report"]["metrics"].get(OWN_NAMES.get(score, ""))
            interval = f"{own['low']:.4f} to {own['high']:.4f}" if own else ""
            rivals = line["report"]["baselines"].items() if own else ()
            beside = ", ".join(f"{name} {scores[OWN_NAMES[score]]['value']:.4f}" for name, scores in rivals)
            rows.append([score, str(line["seed"]), f"{value:.4f}", interval, beside, f"{line['seconds']:.0f}"])
    head = ["test score", "seed", "value", "95%", "baselines", "seconds to fit"]
    return f"{words}\n\n{results.table(head, rows)}"


if __name__ == "__main__":
    main()
