"""The public data sets of the benchmarks, read from a folder that the user names. Nothing of them is kept here.

`wnut17` (Derczynski et al., 2017): entities in noisy text, the shared task's own parts. `banking77` (Casanueva et al.,
2020): 77 intents; a tenth of train.csv is held out for validation. `sst2_glue` (Socher et al., 2013; GLUE): the test
part is GLUE's dev set, since GLUE keeps the labels of its test set to itself. `sst2_long`: sentences of it with
the same label, joined to texts of 15 to 300 words (about 20 to 400 tokens).
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]
"""`tokens` and `tags` (BIO), or `text` and `label`."""

NAMES = ("wnut17", "banking77", "sst2_glue", "sst2_long")
SST2_VALIDATION_ROWS = 1000
"""Of 6,735: scoring all of them after each epoch would take longer than training."""


@dataclass(frozen=True)
class Corpus:
    """One data set; `task` is nbtune's name of the work."""

    name: str
    title: str
    task: Literal["ner", "classification", "sentiment"]
    train: list[Row]
    validation: list[Row]
    test: list[Row]

    @property
    def labels(self) -> list[str]:
        """The labels of the training rows, for entities O and then B, I of each type."""
        if self.task == "ner":
            types = sorted({tag[2:] for row in self.train for tag in row["tags"] if tag != "O"})
            return ["O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI")]
        return sorted({row["label"] for row in self.train})

    @property
    def sizes(self) -> dict[str, int]:
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def read(name: str, folder: Path, rows: int | None = None) -> Corpus:
    """The data set `name` below `folder`, its training rows capped at `rows`; the same rows every time."""
    readers = {"wnut17": _wnut17, "banking77": _banking77, "sst2_glue": _sst2}
    corpus = _lengthened(_sst2(folder / "sst2_glue")) if name == "sst2_long" else readers[name](folder / name)
    train = corpus.train
    if rows is not None and rows < len(train):
        train = _share(train, rows / len(train))[0][:rows] if corpus.task != "ner" else _drawn(train, rows)
    return replace(corpus, train=train)


def _wnut17(folder: Path) -> Corpus:
    parts = [_conll(folder / file) for file in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")]
    return Corpus("wnut17", "WNUT-17", "ner", *parts)


def _banking77(folder: Path) -> Corpus:
    whole, test = (_table(folder / file, ",", "text", "category") for file in ("train.csv", "test.csv"))
    validation, train = _share(whole, 0.1)
    return Corpus("banking77", "Banking77", "classification", train, validation, test)


def _sst2(folder: Path) -> Corpus:
    parts = [_table(folder / file, "\t", "sentence", "label") for file in ("train.tsv", "dev.tsv", "test.tsv")]
    names = {"0": "negative", "1": "positive"}
    train, validation, test = ([{**row, "label": names[row["label"]]} for row in part] for part in parts)
    return Corpus("sst2_glue", "SST-2", "sentiment", train, _drawn(validation, SST2_VALIDATION_ROWS), test)


def _conll(path: Path) -> list[Row]:
    sentences: list[Row] = []
    tokens: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
        if line.strip():
            token, tag = line.split("\t")
            tokens.append(token)
            tags.append(tag.strip())
        elif tokens:
            sentences.append({"tokens": tokens, "tags": tags})
            tokens, tags = [], []
    return sentences


def _table(path: Path, delimiter: str, text: str, label: str) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(
            file, delimiter=delimiter, quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        )
        return [{"text": row[text], "label": row[label]} for row in reader]


def _share(rows: Sequence[Row], share: float) -> tuple[list[Row], list[Row]]:
    """Two parts of rows in their old order: the share of each label that is asked for (one row at least), the rest."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row["label"], []).append(place)
    draw = random.Random(0)
    chosen = {
        place for own in places.values() for place in draw.sample(own, min(len(own), max(1, round(share * len(own)))))
    }
    return [rows[i] for i in sorted(chosen)], [row for i, row in enumerate(rows) if i not in chosen]


def _drawn(rows: Sequence[Row], count: int) -> list[Row]:
    """`count` rows in their old order, without regard to labels."""
    return [rows[i] for i in sorted(random.Random(0).sample(range(len(rows)), count))]


def _lengthened(corpus: Corpus) -> Corpus:
    parts = (_joined(part) for part in (corpus.train, corpus.validation, corpus.test))
    return Corpus("sst2_long", "SST-2 joined to long texts", corpus.task, *parts)


def _joined(rows: Sequence[Row]) -> list[Row]:
    """Neighbouring sentences of a label, as many as reach a length drawn evenly from 15 to 300 words."""
    draw = random.Random(0)
    texts: list[Row] = []
    for label in sorted({row["label"] for row in rows}):
        words: list[str] = []
        wanted = draw.randint(15, 300)
        for row in rows:
            words += row["text"].split() if row["label"] == label else []
            if len(words) >= wanted:
                texts.append({"text": " ".join(words), "label": label})
                words, wanted = [], draw.randint(15, 300)
    draw.shuffle(texts)
    return texts
