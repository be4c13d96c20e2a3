"""Labels of units, and entities of label sequences, against rivals written here and in seqeval."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from nbtune_ner.tagging import IGNORED, best_valid_path, find_entities, label_names, label_units, softmax
from seqeval.metrics.sequence_labeling import get_entities

TYPES = ("LOC", "ORG", "PER")
INDEX = {kind: number for number, kind in enumerate(TYPES)}
NAMES = label_names(TYPES)


def entities(labels: list[int]) -> list[tuple[int, int, str]]:
    found = find_entities(np.asarray(labels, dtype=np.int64))
    return [(int(a), int(b), TYPES[kind]) for a, b, kind in zip(found.first, found.stop, found.kind, strict=True)]


def by_hand(tags: list[str]) -> tuple[list[tuple[int, int, str]], int]:
    """Entities word by word as conlleval.pl opens and closes them, and how many were opened by an I."""
    spans: list[list[int | str]] = []
    repaired = 0
    before = "O"
    for position, tag in enumerate(tags):
        if tag != "O":
            opens = tag[0] == "B" or before == "O" or before[2:] != tag[2:]
            if opens:
                repaired += tag[0] == "I"
                spans.append([position, position + 1, tag[2:]])
            else:
                spans[-1][1] = position + 1
        before = tag
    return [(int(a), int(b), str(kind)) for a, b, kind in spans], repaired


def test_labels_are_named_o_then_b_and_i_of_each_type() -> None:
    assert NAMES == ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")


def test_entities_are_those_of_conlleval_on_valid_and_invalid_sequences() -> None:
    draw = random.Random(2)
    for length in [0, 1, 2, *([9] * 500)]:
        labels = [draw.choice([0, 0, *range(len(NAMES))]) for _ in range(length)]
        tags = [NAMES[label] for label in labels]
        spans, repaired = by_hand(tags)
        assert entities(labels) == spans
        assert find_entities(np.asarray(labels, dtype=np.int64)).repaired.size == repaired
        # seqeval's default mode follows conlleval too; its ends are inclusive
        assert [(a, b + 1, kind) for kind, a, b in get_entities(tags)] == spans


def test_units_of_random_spans_give_the_spans_back() -> None:
    draw = random.Random(3)
    starts = np.arange(0, 40, 2)
    ends = starts + 2
    for _ in range(300):
        cuts = sorted(draw.sample(range(0, 41, 2), 8))
        spans = [(a, b, draw.choice(TYPES)) for a, b in itertools.pairwise(cuts) if draw.random() < 0.6]
        labels = label_units(spans, INDEX, starts, ends)
        assert [(2 * a, 2 * b, kind) for a, b, kind in entities(labels.tolist())] == spans


def test_a_unit_partly_covered_belongs_to_the_entity_and_a_shared_one_to_the_earlier() -> None:
    starts, ends = np.array([0, 4, 9]), np.array([3, 8, 12])
    assert label_units([(1, 2, "PER")], INDEX, starts, ends).tolist() == [5, 0, 0]
    assert label_units([(5, 6, "LOC"), (7, 12, "PER")], INDEX, starts, ends).tolist() == [0, 1, 5]
    assert label_units([(3, 4, "PER")], INDEX, starts, ends).tolist() == [0, 0, 0]
    assert label_units([(4, 12, "NEW")], INDEX, starts, ends).tolist() == [0, IGNORED, IGNORED]


def test_viterbi_finds_the_best_valid_sequence() -> None:
    numbers = np.random.default_rng(4)
    names = label_names(("A", "B"))

    def valid(path: tuple[int, ...]) -> bool:
        return find_entities(np.asarray(path)).repaired.size == 0

    for _ in range(20):
        logits = numbers.normal(size=(4, len(names))).astype(np.float32)
        scores = np.log(softmax(logits))
        best = max(
            filter(valid, itertools.product(range(len(names)), repeat=4)),
            key=lambda path: sum(scores[place, label] for place, label in enumerate(path)),
        )
        assert best_valid_path(logits).tolist() == list(best)
    assert best_valid_path(np.zeros((0, 5), dtype=np.float32)).tolist() == []


def test_softmax_survives_large_scores() -> None:
    assert softmax(np.array([[1000.0, 0.0]], dtype=np.float32))[0].tolist() == pytest.approx([1.0, 0.0])
