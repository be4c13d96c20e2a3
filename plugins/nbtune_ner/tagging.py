"""BIO labels as numbers: 0 is O, 2t + 1 is B and 2t + 2 is I of type t. Spans to labels, and scores back to spans.

A *unit* is what gets one label: a word, or a subword. Units are given by their characters, [start, end), in order and
without overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtune_ner.reading import Span

Ints = NDArray[np.int64]
Scores = NDArray[np.float32]

IGNORED = -100


def label_names(types: Sequence[str]) -> tuple[str, ...]:
    """The names of the labels, O first."""
    return ("O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI"))


def label_units(spans: Sequence[Span], types: Mapping[str, int], starts: Ints, ends: Ints) -> Ints:
    """The label of each unit.

    A unit that an entity only partly covers belongs to it; where two entities share a unit, the earlier has it. Units
    of a type that is not in `types` are ignored: there is no label to teach.
    """
    labels = np.zeros(len(starts), dtype=np.int64)
    taken = 0
    for start, end, kind in spans:
        first = max(int(np.searchsorted(ends, start, side="right")), taken)
        stop = int(np.searchsorted(starts, end, side="left"))
        if first >= stop:
            continue
        taken = stop
        if kind not in types:
            labels[first:stop] = IGNORED
            continue
        labels[first] = 2 * types[kind] + 1
        labels[first + 1 : stop] = 2 * types[kind] + 2
    return labels


@dataclass(frozen=True, slots=True)
class Tagged:
    """Entities as units: `first` to `stop` - 1, the index of the type. `repaired` are the places, among the entities,
    of those that an I opens."""

    first: Ints
    stop: Ints
    kind: Ints
    repaired: Ints


def find_entities(labels: Ints) -> Tagged:
    """The entities of a label sequence by conlleval's rule: an I that follows O or another type opens an entity."""
    kinds = (labels + 1) // 2
    before = np.concatenate(([0], kinds[:-1])) if len(kinds) else kinds
    changes = kinds != before
    begins = labels % 2 == 1
    opens = (kinds > 0) & (begins | changes)
    first = np.flatnonzero(opens)
    # an entity ends where the next one, or O, begins
    breaks = np.flatnonzero(opens | (kinds == 0))
    following = np.searchsorted(breaks, first, side="right")
    stop = np.concatenate((breaks, [len(labels)]))[following]
    return Tagged(first, stop.astype(np.int64), kinds[first] - 1, np.flatnonzero(~begins[first]))


def softmax(logits: Scores) -> Scores:
    """Probabilities along the last axis."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True), dtype=np.float32)


def best_valid_path(logits: Scores) -> Ints:
    """The most probable label sequence in which every I goes on with an entity of its type (Viterbi, 1967)."""
    if not len(logits):
        return np.zeros(0, dtype=np.int64)
    count = logits.shape[1]
    labels = np.arange(count)
    inside = (labels > 0) & (labels % 2 == 0)
    kinds = (labels + 1) // 2
    forbidden = np.where(inside[None, :] & (kinds[:, None] != kinds[None, :]), -np.inf, 0.0)
    scores = np.log(softmax(logits).astype(np.float64) + 1e-30)
    best = np.where(inside, -np.inf, scores[0])
    origins = np.zeros((len(scores), count), dtype=np.int64)
    for position in range(1, len(scores)):
        paths = best[:, None] + forbidden
        origins[position] = paths.argmax(axis=0)
        best = paths.max(axis=0) + scores[position]
    path = np.empty(len(scores), dtype=np.int64)
    path[-1] = best.argmax()
    for position in range(len(scores) - 1, 0, -1):
        path[position - 1] = origins[position, path[position]]
    return path
