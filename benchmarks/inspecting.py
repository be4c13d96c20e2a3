"""How long looking at 100,000 rows takes, and how much of what was planted in them is found.

    python benchmarks/inspecting.py [--rows 100000] [--task classification|ner] [--no-estimates]

The rows are made of words drawn as often as words are (Zipf's law); a tenth are for validation and a tenth for test.
Planted are exact and near duplicates (a letter changed, a sign added), test rows that are in training exactly or
nearly, texts with two labels, broken encodings, markup, rows in another script, and tags that break BIO. Recall is the
share of planted rows that a finding of their kind names; false alarms are the rows it names that were not planted. A
planted near duplicate of a short text may be less alike than the 0.8 from which near duplicates are told.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import machine
import nbtune_ner.violations as violations
import results

import nbtune.data.findings as findings_module
from nbtune.notebook import inspection

TITLE = "Inspecting 100,000 rows"
LABELS = tuple(f"intent {number}" for number in range(20))
TYPES = ("PER", "LOC", "ORG")


@dataclass
class Rows:
    """The parts, and where what was planted: kind -> rows of its part."""

    train: list[dict[str, Any]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    test: list[dict[str, Any]] = field(default_factory=list)
    planted: dict[str, set[int]] = field(default_factory=dict)


KINDS: Mapping[str, tuple[str, str]] = {
    "exact duplicates": ("repeat an earlier one", "training"),
    "near duplicates": ("almost the same as an earlier one", "training"),
    "two labels": ("with different targets", "training"),
    "test rows in training": ("are also in the training data", "test"),
    "test rows nearly in training": ("almost the same as training ones", "test"),
    "broken encoding": ("wrong encoding", "training"),
    "HTML": ("HTML tags", "training"),
    "another script": ("another script", "training"),
    "broken tags": ("break BIO", "training"),
}
"""What tells the finding of each kind: words of its message, and the part it is about."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--task", choices=("classification", "ner"), action="append")
    parser.add_argument("--no-estimates", action="store_true", help="look at the data alone")
    results.add_into(parser)
    chosen = parser.parse_args()
    findings_module.ROWS_KEPT = violations._KEPT = chosen.rows  # to count what was found
    rows, bodies = [], []
    for task in chosen.task or ("classification", "ner"):
        made = planted(task, chosen.rows)
        seconds, found = _timed(task, made, estimates=not chosen.no_estimates)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        tallies = list(_tallies(made, found))
        total = sum(seconds.values())
        rows += [{"task": task, "rows": chosen.rows, "seconds": seconds, "peak_mb": peak / 1e6}]
        rows += [{"task": task, **tally} for tally in tallies]
        stages = results.table(("stage", "s"), [(name, f"{value:.1f}") for name, value in seconds.items()])
        names = ("planted", "rows", "found", "recall", "false alarms")
        counted = [
            (t["planted"], f"{t['rows']:,}", f"{t['found']:,}", f"{t['recall']:.1%}", f"{t['false']:,}")
            for t in tallies
        ]
        memory = f"{peak / 1e9:.2f} GB at most in this process, the rows themselves included"
        bodies.append(f"**{task}**: {total:.1f} s; {memory}\n\n{stages}\n\n{results.table(names, counted)}")
    flags = "".join(f" --{name}" for name in ("no-estimates",) if chosen.no_estimates)
    results.save(
        chosen.into,
        TITLE,
        file="inspecting.jsonl",
        command=f"python benchmarks/inspecting.py --rows {chosen.rows}{flags}",
        machine=machine.machine("torch", "rensa", "ftfy"),
        rows=rows,
        body="\n\n".join(bodies),
    )


def planted(task: str, count: int) -> Rows:
    """Rows for a task with what is planted in them; the same for the same count."""
    chance = random.Random(count)
    letters = "aaabcdeeeefghiiijklmnnooopqrrssttuuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(30_000)]
    weights = [1 / (rank + 5) for rank in range(len(words))]
    tests = count // 10
    texts = [chance.choices(words, weights, k=chance.randint(8, 40)) for _ in range(count)]
    labels = [chance.choice(LABELS) for _ in range(count)]
    made = Rows()
    train = count - 2 * tests
    # disjoint places: sources from the first half, what is planted in the second
    places = iter(chance.sample(range(train // 2, train), train // 2 - 1))
    share = max(5, train // 500)
    take = lambda: [next(places) for _ in range(share)]  # noqa: E731
    for kind, change in _CHANGES.items():
        made.planted[kind] = set()
        for place in take():
            source = chance.randrange(train // 2) if kind.endswith("duplicates") else place
            texts[place] = change(list(texts[source]), chance)
            labels[place] = labels[source]
            made.planted[kind].add(place)
    if task == "classification":
        made.planted["two labels"] = set()
        for place in take():
            source = next(places)
            texts[place], labels[place] = list(texts[source]), LABELS[(LABELS.index(labels[source]) + 1) % len(LABELS)]
            made.planted["two labels"] |= {place, source}
    for kind, change in (("test rows in training", list), ("test rows nearly in training", None)):
        made.planted[kind] = set()
        held_out = count - tests
        for place in chance.sample(range(held_out, count), share // 2):
            if (place - held_out) in made.planted["test rows in training"]:
                continue
            source = chance.randrange(train // 2)
            words_ = list(texts[source])
            texts[place] = change(words_) if change else _typo(words_, chance)
            labels[place] = labels[source]
            made.planted[kind].add(place - held_out)
    rows = [_as_row(task, text, label) for text, label in zip(texts, labels, strict=True)]
    if task == "ner":
        made.planted["broken tags"] = set(take())
        for place in made.planted["broken tags"]:
            rows[place]["tags"] = [tag.replace("B-", "I-") for tag in rows[place]["tags"]]
    made.train, made.validation, made.test = rows[:train], rows[train : count - tests], rows[count - tests :]
    return made


def _typo(words: list[str], chance: random.Random) -> list[str]:
    place = max(range(len(words)), key=lambda at: len(words[at]))
    words[place] = words[place][:-1] + chance.choice("xz")
    return [*words, "!"]


def _garble(words: list[str], chance: random.Random) -> list[str]:
    words = [*words, "café", "übermäßig", str(chance.random())]
    return "\t".join(words).encode("utf-8").decode("cp1252", "ignore").split("\t")


def _mark_up(words: list[str], chance: random.Random) -> list[str]:
    return ["<p>", *words, str(chance.random()), "</p>", "<br/>", str(chance.random()), str(chance.random())]


def _cyrillic(words: list[str], chance: random.Random) -> list[str]:
    return ["".join(chance.choices("абвгдежзиклмнопрстуфхцчш", k=len(word))) for word in words]


_CHANGES: Mapping[str, Callable[[list[str], random.Random], list[str]]] = {
    "exact duplicates": lambda words, _: words,
    "near duplicates": _typo,
    "broken encoding": _garble,
    "HTML": _mark_up,
    "another script": _cyrillic,
}


def _as_row(task: str, words: list[str], label: str) -> dict[str, Any]:
    if task == "classification":
        return {"text": " ".join(words), "label": label}
    own = random.Random(" ".join(words))  # copies of a text have its tags
    tags = ["O"] * len(words)
    start = own.randrange(len(words))
    kind = own.choice(TYPES)
    for place in range(start, min(len(words), start + own.randint(1, 3))):
        tags[place] = f"{'B' if place == start else 'I'}-{kind}"
    return {"tokens": words, "tags": tags}


def _timed(task: str, made: Rows, *, estimates: bool) -> tuple[dict[str, float], inspection.Inspection]:
    import pandas as pd

    train, validation, test = (pd.DataFrame(rows) for rows in (made.train, made.validation, made.test))
    held_out = {"validation": validation, "test": test}
    inspection.inspect(task, train.head(60), estimates=False)  # imports are not what is measured
    began = time.perf_counter()
    found = inspection.inspect(task, train, **held_out, estimates=False)
    looked = time.perf_counter() - began
    seconds = {"looking at the data": looked}
    if estimates:
        began = time.perf_counter()
        again = inspection.inspect(task, train, **held_out)
        seconds["estimating time and memory"] = time.perf_counter() - began - looked
        assert again.estimates is not None, again.unmeasured
    began = time.perf_counter()
    found._repr_mimebundle_()
    seconds["drawing"] = time.perf_counter() - began
    return seconds, found


def _tallies(made: Rows, found: inspection.Inspection) -> Any:
    for kind, rows in made.planted.items():
        words, part = KINDS[kind]
        named = {row for each in found.findings if words in each.message and part in each.message for row in each.rows}
        extra = named - rows
        yield {
            "planted": kind,
            "rows": len(rows),
            "found": len(named & rows),
            "recall": len(named & rows) / max(1, len(rows)),
            "false": len(extra),
        }


if __name__ == "__main__":
    main()
