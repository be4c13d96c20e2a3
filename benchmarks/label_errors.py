"""Planted label errors: how many of them are among the first suggestions of `Run.mistakes`, as many as were planted.

    python benchmarks/label_errors.py --data PATH [banking77 wnut17] [--rows N] [--epochs N] [--folds 5] [--seeds 0]

5% of the training labels are made wrong: in Banking77 a row gets another label, drawn evenly; in WNUT-17 an entity gets
another type, is dropped, or loses or gains a word at one end, each a third of the time. A run is trained on that, and
`mistakes(folds)` ranks the training labels by models that have not seen them. A suggestion is right if it is about a
planted label (an entity: if it shares a character with a planted place). Labels of the data that were wrong before
count against us.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import corpora
import results
from corpora import Row
from machine import machine
from recommended import scratch

SHARE = 0.05
SETTINGS: dict[str, dict[str, Any]] = {
    "banking77": {"epochs": 6, "batch_size": 16, "learning_rate": 5e-4, "max_length": 64, "length_grouping": True},
    "wnut17": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-4, "max_length": 128, "label_smoothing": 0.1},
}
ROWS = {"banking77": 3000, "wnut17": 1700}
"""Training rows, so that folds and run take about a quarter of an hour on two cores."""
RANKINGS = ("self_confidence", "normalized_margin")

Place = tuple[int, int, int]
"""A planted error: the row, and the first and last word (of a text as a whole: 0 and 0)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=list(SETTINGS), help=f"of {', '.join(SETTINGS)}; all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--rows", type=int, help="training rows, in place of each data set's own number")
    parser.add_argument("--epochs", type=int, help="in place of each data set's own number")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--rankings", nargs="+", choices=RANKINGS, default=["self_confidence"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    results.add_into(parser)
    given = parser.parse_args()
    for name in given.corpora:
        rows = given.rows or ROWS[name]
        settings = {**SETTINGS[name], **({"epochs": given.epochs} if given.epochs else {})}
        corpus = corpora.read(name, given.data, rows)
        lines = [measure(corpus, settings, given, seed) for seed in given.seeds]
        command = f"python benchmarks/label_errors.py --data PATH {name} --seeds {' '.join(map(str, given.seeds))}"
        command += "".join(f" --{key} {getattr(given, key)}" for key in ("rows", "epochs") if getattr(given, key))
        results.save(
            given.into,
            f"Planted label errors: {corpus.title}",
            file=f"label-errors-{name}.jsonl",
            command=f"{command} --folds {given.folds} --rankings {' '.join(given.rankings)}",
            machine=machine("torch", "transformers", "cleanlab"),
            rows=lines,
            body=report(corpus, settings, given.folds, lines),
        )


def measure(corpus: corpora.Corpus, settings: dict[str, Any], given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Plant, train, rank; precision of the first suggestions for each ranking, and of what cleanlab doubts."""
    import nbtune

    plant: Callable[..., tuple[list[Row], list[Place]]] = plant_types if corpus.task == "ner" else plant_labels
    train, planted = plant(corpus.train, random.Random(seed))
    noisy = replace(corpus, train=train)
    line: dict[str, Any] = {"corpus": corpus.name, "seed": seed, "planted": len(planted), "folds": given.folds}
    with scratch(), tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = nbtune.finetune(
            corpus.task, data=noisy.train, validation=noisy.validation, model="minilm-l6", seed=seed, **settings
        )
        for ranking in given.rankings:
            found = run.mistakes(given.folds, ranking=ranking, corrections=Path(folder) / "corrections.jsonl")
            hits = [is_planted(suggestion, noisy, planted) for suggestion in found.labels.to_dict("records")]
            doubted = int(found.labels["doubted"].sum())
            line |= {"doubted": doubted, "planted among doubted": sum(hits[:doubted])}
            line[ranking] = round(sum(hits[: len(planted)]) / len(planted), 4)
        line |= {"seconds": round(time.perf_counter() - began), "settings": settings, "rows_of_parts": corpus.sizes}
    print(line, flush=True)
    return line


def plant_labels(rows: list[Row], draw: random.Random) -> tuple[list[Row], list[Place]]:
    labels = sorted({row["label"] for row in rows})
    chosen = set(draw.sample(range(len(rows)), round(SHARE * len(rows))))
    changed = [
        {**row, "label": draw.choice([label for label in labels if label != row["label"]])} if place in chosen else row
        for place, row in enumerate(rows)
    ]
    return changed, [(place, 0, 0) for place in sorted(chosen)]


def plant_types(rows: list[Row], draw: random.Random) -> tuple[list[Row], list[Place]]:
    """Another type, no entity, or another end, for 5% of the entities."""
    entities = [(place, *span) for place, row in enumerate(rows) for span in spans(row["tags"])]
    types = sorted({kind for *_, kind in entities})
    changed = [{**row, "tags": list(row["tags"])} for row in rows]
    planted: list[Place] = []
    for place, first, last, kind in draw.sample(entities, round(SHARE * len(entities))):
        tags: list[str] = changed[place]["tags"]
        wrong = draw.choice(("type", "dropped", "border"))
        if wrong == "type":
            write(tags, first, last, draw.choice([each for each in types if each != kind]))
        elif wrong == "dropped":
            tags[first : last + 1] = ["O"] * (last + 1 - first)
        elif first < last and draw.random() < 0.5:  # loses its last word
            tags[last] = "O"
        elif last + 1 < len(tags) and tags[last + 1] == "O":
            tags[last + 1] = f"I-{kind}"
            last += 1
        elif first and tags[first - 1] == "O":
            write(tags, first - 1, last, kind)
            first -= 1
        else:
            tags[first : last + 1] = ["O"] * (last + 1 - first)
        planted.append((place, first, last))
    return changed, planted


def spans(tags: list[str]) -> list[tuple[int, int, str]]:
    """The entities of BIO tags: first word, last word, type."""
    found: list[tuple[int, int, str]] = []
    for place, tag in enumerate(tags):
        if tag.startswith("B-"):
            found.append((place, place, tag[2:]))
        elif tag.startswith("I-") and found and found[-1][1] == place - 1:
            found[-1] = (found[-1][0], place, found[-1][2])
    return found


def write(tags: list[str], first: int, last: int, kind: str) -> None:
    tags[first : last + 1] = [f"B-{kind}", *[f"I-{kind}"] * (last - first)]


def is_planted(suggestion: dict[str, Any], corpus: corpora.Corpus, planted: list[Place]) -> bool:
    """Whether a suggestion is about a planted label."""
    own = [(first, last) for row, first, last in planted if row == suggestion["row"]]
    if corpus.task != "ner" or not own:
        return bool(own)
    starts, ends = places(corpus.train[suggestion["row"]]["tokens"], suggestion["text"].split("\n")[0])
    return any(starts[first] < suggestion["end"] and suggestion["start"] < ends[last] for first, last in own)


def places(tokens: list[str], text: str) -> tuple[list[int], list[int]]:
    """Where each token begins and ends in the text that was made of them."""
    starts, ends, position = [], [], 0
    for token in tokens:
        position = text.index(token, position)
        starts.append(position)
        position += len(token)
        ends.append(position)
    return starts, ends


def report(corpus: corpora.Corpus, settings: dict[str, Any], folds: int, lines: list[dict[str, Any]]) -> str:
    words = (
        f"{corpus.sizes['train']:,} training rows, 5% of the "
        f"{'entities' if corpus.task == 'ner' else 'labels'} made wrong; {folds} folds; "
        f"{', '.join(f'{key} = {value}' for key, value in settings.items())}. Precision of the first suggestions, as "
        "many as were planted, by ranking; then of what cleanlab takes for wrong."
    )
    rankings = [ranking for ranking in RANKINGS if ranking in lines[0]]
    rows = [
        [
            str(line["seed"]),
            str(line["planted"]),
            *(f"{line[ranking]:.1%}" for ranking in rankings),
            f"{line['doubted']:,}",
            f"{line['planted among doubted'] / max(1, line['doubted']):.1%}",
            str(line["seconds"]),
        ]
        for line in lines
    ]
    head = ["seed", "planted", *rankings, "doubted", "of them planted", "seconds"]
    return f"{words}\n\n{results.table(head, rows)}"


if __name__ == "__main__":
    main()
