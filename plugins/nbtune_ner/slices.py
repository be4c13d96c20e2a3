"""Entities that training showed, against those it did not: a model that only learned names finds the first alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nbtune.api import Example, Metric, Slice, ratio
from nbtune_ner.predictions import found_spans
from nbtune_ner.reading import gold

_RECALL = Metric("entity_recall", lambda sums: ratio(sums[..., 0], sums[..., 1], empty=np.nan))
_SEEN = "seen in training with this type"
_OTHER = "seen in training with other types only"
_NEW = "not seen in training"


def by_sight(examples: Sequence[Example], predictions: Sequence[Any], train: Sequence[Example]) -> Iterator[Slice]:
    """Recall of gold entities by whether their words, without regard to case, were an entity of training."""
    known: dict[str, set[str]] = {}
    for example in train:
        for start, end, kind in gold(example):
            known.setdefault(example.inputs["text"][start:end].casefold(), set()).add(kind)
    counts = {name: np.zeros((len(examples), 2)) for name in (_SEEN, _OTHER, _NEW)}
    for row, (example, prediction) in enumerate(zip(examples, predictions, strict=True)):
        found = set(found_spans(prediction))
        for span in gold(example):
            kinds = known.get(example.inputs["text"][span[0] : span[1]].casefold())
            name = _NEW if kinds is None else _SEEN if span[2] in kinds else _OTHER
            counts[name][row] += (span in found, 1)
    for name, tallies in counts.items():
        rows = np.flatnonzero(tallies[:, 1])
        total = int(tallies[:, 1].sum())
        yield Slice("gold entities", name, _RECALL, rows.tolist(), tallies[rows], total, "entities")
