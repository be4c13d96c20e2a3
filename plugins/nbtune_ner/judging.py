"""What a tagger thinks of the entities of a text: where the gold ones and its own differ, and how sure it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbtune.api import Claim, Judgement
from nbtune_ner.reading import Span
from nbtune_ner.tagging import IGNORED, Ints, Scores, find_entities, label_units
from nbtune_ner.words import touched


def judge(
    spans: Sequence[Span] | None,
    types: Mapping[str, int],
    starts: Ints,
    ends: Ints,
    probabilities: Scores,
    labels: Ints,
) -> Judgement:
    """The judgement of a text whose units lie at `starts` to `ends`, have these probabilities of the labels, shape
    [units, labels], and were given `labels`. `spans` are the gold entities; None: they are not known.

    Gold and found entities that share a unit, also through others, are one claim: a wrong type and a wrong border are
    then one thing to look at, and not a spurious entity beside a missed one.
    """
    given = label_units(spans or (), types, starts, ends)
    if spans is None:
        return Judgement(probabilities.astype(np.float64), np.full(len(starts), -1, dtype=np.int64))
    sure = np.take_along_axis(probabilities, labels[:, None], axis=-1)[:, 0] if len(labels) else np.zeros(0)
    kinds, units = list(types), np.stack((starts, ends), axis=1).tolist()
    tagged = find_entities(labels)
    found = [
        (int(first), int(stop), [int(starts[first]), int(ends[stop - 1]), kinds[kind]])
        for first, stop, kind in zip(tagged.first, tagged.stop, tagged.kind, strict=True)
    ]
    wanted = [(*touched(units, start, end), [start, end, kind]) for start, end, kind in spans]
    claims = []
    for first, stop, gold, own in _clusters([each for each in wanted if each[0] < each[1]], found):
        places = [(start, end) for start, end, _ in (*gold, *own)]
        place = (min(start for start, _ in places), max(end for _, end in places))
        claims.append(Claim(first, stop, gold, own, float(sure[first:stop].mean()), place))
    return Judgement(probabilities.astype(np.float64), np.where(given == IGNORED, -1, given), tuple(claims))


_Placed = tuple[int, int, list[Any]]
"""First unit, the one after the last, and the entity as a target has it."""


def _clusters(
    wanted: Sequence[_Placed], found: Sequence[_Placed]
) -> list[tuple[int, int, list[list[Any]], list[list[Any]]]]:
    """Entities that share units: the units they take, the gold ones and the found ones."""
    both = sorted([(*each[:2], 0, each[2]) for each in wanted] + [(*each[:2], 1, each[2]) for each in found])
    clusters: list[tuple[int, int, list[list[Any]], list[list[Any]]]] = []
    for first, stop, side, entity in both:
        if not clusters or first >= clusters[-1][1]:
            clusters.append((first, stop, [], []))
        begin, end, gold, own = clusters[-1]
        (own if side else gold).append(entity)
        clusters[-1] = (begin, max(end, stop), gold, own)
    return clusters
