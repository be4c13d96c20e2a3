"""A rival that only knows what it has seen: the names of the training data, looked up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from nbtune.api import Example
from nbtune_ner.predictions import Entity, Prediction, entity_at
from nbtune_ner.reading import gold
from nbtune_ner.words import touched


def look_up(train: Sequence[Example], examples: Sequence[Example]) -> list[Prediction]:
    """Mark every word sequence that was an entity in training, the longest first, with its most frequent type.

    Upper and lower case differ. `confidence` is the share of that type among the entity's mentions in training.
    """
    seen: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for example in train:
        text, words = example.inputs["text"], example.inputs["words"]
        for start, end, kind in gold(example):
            first, stop = touched(words, start, end)
            if first < stop:
                seen[tuple(text[a:b] for a, b in words[first:stop])][kind] += 1
    longest: defaultdict[str, int] = defaultdict(int)
    for phrase in seen:
        longest[phrase[0]] = max(longest[phrase[0]], len(phrase))
    return [_mark(example, seen, longest) for example in examples]


def _mark(example: Example, seen: dict[tuple[str, ...], Counter[str]], longest: dict[str, int]) -> Prediction:
    text, places = example.inputs["text"], example.inputs["words"]
    words = tuple(text[start:end] for start, end in places)
    entities: list[Entity] = []
    position = 0
    while position < len(words):
        for length in range(min(longest.get(words[position], 0), len(words) - position), 0, -1):
            kinds = seen.get(words[position : position + length])
            if kinds:
                kind, count = min(kinds.items(), key=lambda item: (-item[1], item[0]))
                start, end = places[position][0], places[position + length - 1][1]
                entities.append(entity_at(example, start, end, kind, count / kinds.total()))
                position += length
                break
        else:
            position += 1
    return {"entities": entities, "repaired": []}
