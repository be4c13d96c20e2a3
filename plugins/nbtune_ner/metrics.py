"""Strict entity-level scores as conlleval counts them: an entity is right if start, end and type all are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from nbtune.api import Example, Floats, Metric, MetricSet, ratio
from nbtune_ner.predictions import Prediction, found_spans
from nbtune_ner.reading import Span, gold
from nbtune_ner.tagging import label_units

_STRICT = (
    "strict: start, end and type must all be right; a tag I that goes on with no entity opens one (conlleval's rule; "
    "the table 'repaired tags' has the other one); 0 where nothing is found or nothing is to be found"
)


def entity_metrics(types: Sequence[str]) -> MetricSet:
    """The metrics over these types.

    The tally holds, for each type, entities found rightly, found and gold; then gold entities of types that training
    never showed (no model can find them, but they are missed); then words with the right BIO tag, and words.
    """
    index = {kind: number for number, kind in enumerate(types)}
    count = len(types)
    columns = [f"{what} {kind}" for kind in types for what in ("right", "found", "gold")]

    def tally(example: Example, prediction: Prediction) -> Floats:
        wanted, found = gold(example), found_spans(prediction)
        counts = np.zeros(3 * count + 3)
        for kind in (kind for _, _, kind in found):
            counts[3 * index[kind] + 1] += 1
        for _, _, kind in wanted:
            counts[3 * index[kind] + 2 if kind in index else 3 * count] += 1
        for _, _, kind in set(wanted).intersection(found):
            counts[3 * index[kind]] += 1
        words = np.asarray(example.inputs["words"], dtype=np.int64).reshape(-1, 2)
        everything = {kind: number for number, kind in enumerate({*types, *(kind for _, _, kind in wanted)})}
        tags = [label_units(spans, everything, words[:, 0], words[:, 1]) for spans in (wanted, found)]
        counts[-2:] = (tags[0] == tags[1]).sum(), len(words)
        return counts

    def totals(sums: Floats) -> tuple[Floats, Floats, Floats]:
        right, found, wanted = (sums[..., place : 3 * count : 3].sum(axis=-1) for place in range(3))
        return right, found, wanted + sums[..., 3 * count]

    def macro(sums: Floats) -> Floats:
        right, found, wanted = (sums[..., place : 3 * count : 3] for place in range(3))
        scores = ratio(2 * right, found + wanted)
        present = (found + wanted > 0).sum(axis=-1) + (sums[..., 3 * count] > 0)
        return ratio(scores.sum(axis=-1), present)

    def accuracy(sums: Floats) -> Floats:
        return ratio(sums[..., -2], sums[..., -1])

    def f1(sums: Floats) -> Floats:
        right, found, wanted = totals(sums)
        return ratio(2 * right, found + wanted)

    def f1_of_each(sums: Floats) -> dict[str, float]:
        right, found, wanted = (sums[place : 3 * count : 3] for place in range(3))
        return dict(zip(types, ratio(2 * right, found + wanted, empty=np.nan).tolist(), strict=True))

    return MetricSet(
        columns=(*columns, "gold of other types", "words right", "words"),
        tally=tally,
        metrics=(
            Metric("entity_f1", f1, convention=f"micro average; {_STRICT}"),
            Metric("entity_precision", lambda sums: ratio(*totals(sums)[:2]), convention=f"micro average; {_STRICT}"),
            Metric("entity_recall", lambda sums: ratio(*totals(sums)[::2]), convention=f"micro average; {_STRICT}"),
            Metric(
                "macro_f1",
                macro,
                convention="mean F1 of the types that occur, found or gold; types that training never showed are one",
            ),
            Metric("token_accuracy", accuracy, convention="words with the right BIO tag, O included"),
        ),
        headline="entity_f1",
        classes=f1_of_each,
    )


def boundary_tags(spans: Iterable[Span], cuts: Sequence[int]) -> list[str]:
    """BIO tags of the pieces between `cuts`, which hold every start and end: exact even inside words."""
    place = {cut: number for number, cut in enumerate(cuts)}
    tags = ["O"] * max(0, len(cuts) - 1)
    for start, end, kind in spans:
        first, stop = place[start], place[end]
        tags[first:stop] = [f"B-{kind}", *[f"I-{kind}"] * (stop - first - 1)]
    return tags
