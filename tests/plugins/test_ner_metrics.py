"""Scores of entities, counted three ways."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from nbtune_ner.metrics import boundary_tags, entity_metrics
from nbtune_ner.predictions import Entity, Prediction
from nbtune_ner.reading import Span
from nbtune_ner.schemes import read_tags, write_tags
from nbtune_ner.tables import entity_tables, seqeval_report
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from nbtune.api import Example

TYPES = ("LOC", "ORG", "PER")


def words(count: int) -> list[list[int]]:
    """So many words of one letter."""
    return [[2 * place, 2 * place + 1] for place in range(count)]


def example(tags: Sequence[str]) -> Example:
    target = [[2 * a, 2 * b - 1, kind] for a, b, kind in read_tags(tags)]
    inputs = {"text": " ".join("x" for _ in tags), "words": words(len(tags)), "tokens": ["x"] * len(tags)}
    return Example(inputs, target)


def prediction(tags: Sequence[str]) -> Prediction:
    entities = [
        Entity(start=2 * a, end=2 * b - 1, type=kind, text="", confidence=1.0) for a, b, kind in read_tags(tags)
    ]
    return {"entities": entities, "repaired": []}


def scores(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> dict[str, float]:
    return entity_metrics(TYPES).scores([example(tags) for tags in gold], [prediction(tags) for tags in found])


def random_tags(draw: random.Random, length: int) -> list[str]:
    return [draw.choice(["O", "O", "O", *(f"{p}-{kind}" for kind in TYPES for p in "BI")]) for _ in range(length)]


def by_hand(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> tuple[float, float, float]:
    """Precision, recall and F1 counted word by word in the manner of conlleval.pl: an entity is right if both
    sequences open it, hold its type and close it together."""
    right = guessed = correct = 0
    for gold_tags, found_tags in zip(gold, found, strict=True):
        inside = False
        before_gold = before_found = "O"
        for tag_gold, tag_found in zip([*gold_tags, "O"], [*found_tags, "O"], strict=True):

            def opens(tag: str, before: str) -> bool:
                return tag != "O" and (tag[0] == "B" or before == "O" or before[2:] != tag[2:])

            def closes(tag: str, before: str) -> bool:
                return before != "O" and (tag == "O" or tag[0] == "B" or before[2:] != tag[2:])

            if inside and (closes(tag_gold, before_gold) or closes(tag_found, before_found)):
                right += closes(tag_gold, before_gold) and closes(tag_found, before_found)
                inside = False
            opened = opens(tag_gold, before_gold), opens(tag_found, before_found)
            correct += opened[0]
            guessed += opened[1]
            if all(opened) and tag_gold[2:] == tag_found[2:]:
                inside = True
            before_gold, before_found = tag_gold, tag_found
    precision = right / guessed if guessed else 0.0
    recall = right / correct if correct else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0


def test_counts_equal_seqeval_and_conlleval_on_valid_and_invalid_sequences() -> None:
    draw = random.Random(5)
    for _ in range(30):
        gold = [random_tags(draw, draw.randrange(1, 12)) for _ in range(8)]
        # half of each prediction is the gold answer, or hardly anything would be right
        found = [[tag if draw.random() < 0.7 else draw.choice(random_tags(draw, 3)) for tag in tags] for tags in gold]
        ours = scores(gold, found)
        result = ours["entity_precision"], ours["entity_recall"], ours["entity_f1"]
        assert result == pytest.approx(by_hand(gold, found))
        # seqeval's strict mode drops entities that an I opens: the repaired sequences are what it must agree on
        valid_gold, valid_found = ([write_tags(read_tags(tags), len(tags)) for tags in side] for side in (gold, found))
        settings = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
        assert result == pytest.approx(
            tuple(score(valid_gold, valid_found, **settings) for score in (precision_score, recall_score, f1_score))
        )
        assert ours["macro_f1"] == pytest.approx(f1_score(valid_gold, valid_found, average="macro", **settings))
        same = sum(a == b for x, y in zip(valid_gold, valid_found, strict=True) for a, b in zip(x, y, strict=True))
        assert ours["token_accuracy"] == pytest.approx(same / sum(map(len, gold)))


def test_nothing_found_and_nothing_to_find_score_zero_not_nan() -> None:
    assert scores([["O", "O"]], [["O", "O"]])["entity_f1"] == 0
    assert scores([["B-PER"]], [["O"]])["entity_precision"] == 0
    assert scores([["O"]], [["B-PER"]])["entity_recall"] == 0


def test_gold_of_a_type_that_training_never_showed_is_missed_not_forgotten() -> None:
    measured = scores([["B-NEW", "O", "B-PER"]], [["O", "O", "B-PER"]])
    assert measured["entity_recall"] == 0.5
    assert measured["entity_precision"] == 1
    assert measured["macro_f1"] == 0.5


def test_formulas_work_on_many_resamplings_at_once() -> None:
    metrics = entity_metrics(TYPES)
    sums = np.random.default_rng(0).integers(0, 9, size=(4, 5, len(metrics.columns))).astype(float)
    for metric in metrics.metrics:
        formula = metric.formula
        assert formula(sums).shape == (4, 5)
        assert formula(sums)[2, 3] == formula(sums[2, 3])


def test_spans_inside_words_are_tagged_exactly() -> None:
    wanted: list[Span] = [(0, 3, "PER"), (3, 8, "LOC")]
    assert boundary_tags(wanted, [0, 3, 5, 8]) == ["B-PER", "B-LOC", "I-LOC"]


def test_the_seqeval_report_counts_as_we_do() -> None:
    pairs: list[tuple[list[Span], list[Span]]] = [
        ([(0, 6, "LOC"), (8, 9, "PER-X")], [(0, 6, "LOC"), (7, 9, "PER-X")]),
        ([], [(0, 1, "ORG")]),
        ([], []),
    ]
    report = seqeval_report(pairs)
    lines = {line.split()[0]: line.split()[1:] for line in report.splitlines() if line.strip()}
    assert lines["LOC"] == ["1.0000", "1.0000", "1.0000", "1"]
    assert lines["PER-X"] == ["0.0000", "0.0000", "0.0000", "1"]
    assert lines["micro"] == ["avg", "0.3333", "0.5000", "0.4000", "2"]
    assert seqeval_report([([], [])]) == "no entities, neither gold nor found"


def test_tables_show_types_mistakes_and_repairs() -> None:
    gold = example(["B-PER", "I-PER", "O", "B-LOC", "O", "B-ORG", "O", "B-LOC", "O"])
    found = prediction(["B-PER", "I-PER", "O", "B-ORG", "O", "B-ORG", "I-ORG", "O", "B-PER"])
    found["repaired"] = [1, 3]
    unscored = Example({**gold.inputs}, None)
    tables = entity_tables([gold, unscored], [found, found])
    by_type, mistakes, repaired = (tables[name] for name in ("by type", "mistakes", "repaired tags"))
    assert by_type.loc["PER", ["precision", "recall", "gold"]].tolist() == [0.5, 1.0, 1]
    assert by_type.loc["all (micro)", "right"] == 1
    counts = mistakes["count"].to_dict()
    assert counts == {
        "right": 1,
        "wrong type": 1,
        "wrong boundary": 1,
        "wrong type and boundary": 0,
        "missed": 1,
        "made up": 1,
    }
    assert repaired[["found", "right"]].to_numpy().tolist() == [[4, 1], [2, 1]]


def test_f1_of_each_type_equals_seqevals() -> None:
    gold = [["B-PER", "O", "B-LOC"], ["B-PER", "I-PER", "O"], ["B-LOC", "O", "O"]]
    given = [["B-PER", "O", "B-ORG"], ["B-PER", "O", "O"], ["B-LOC", "O", "O"]]
    scored = entity_metrics(("LOC", "MISC", "ORG", "PER")).scored(
        list(map(example, gold)), list(map(prediction, given))
    )
    expected = f1_score(gold, given, average=None, mode="strict", scheme=IOB2, zero_division=0)
    assert [scored.classes[kind] for kind in TYPES] == pytest.approx(expected)
    assert np.isnan(scored.classes["MISC"])
