"""Entity scores equal conlleval's and seqeval's on 10,000 pairs of tag sequences of every scheme, valid and invalid.

The gold answers and predictions go through nbtune's own reading of tags. Beside seqeval stands a port of conlleval
(Tjong Kim Sang and Buchholz, 2000) that counts word by word and never makes a span.
"""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from nbtune_ner.metrics import entity_metrics
from nbtune_ner.predictions import Entity, Prediction
from nbtune_ner.reading import read_tokens, tag_spans
from nbtune_ner.schemes import Scheme, WordSpan, read_tags
from nbtune_ner.tables import entity_tables
from nbtune_ner.tagging import find_entities, label_names
from nbtune_ner.task import Ner
from seqeval import scheme as strict
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from nbtune.api import Example, Inventory

TYPES = ("LOC", "ORG", "PER")
PAIRS = 10_000
TOGETHER = 500
"""Sequences scored at once, so that errors here cannot make up for errors there."""


@dataclass(frozen=True)
class Written:
    """How a scheme writes an entity: the only tag of one word; else its first, inner and last tag. `_same` tags are
    those where another entity of the same type comes right before (IOB1) or after (IOE1)."""

    name: str
    asked: Scheme
    single: str
    first: str
    inner: str
    last: str
    after_same: str = ""
    before_same: str = ""
    peer: Any = None
    lenient: dict[str, str] | None = None  # what conlleval calls the same tags

    @property
    def tags(self) -> list[str]:
        prefixes = {self.single, self.first, self.inner, self.last, self.after_same, self.before_same} - {""}
        return [f"{prefix}-{kind}" for prefix in sorted(prefixes) for kind in TYPES]

    def write(self, spans: Sequence[WordSpan], words: int) -> list[str]:
        tags = ["O"] * words
        for place, (start, stop, kind) in enumerate(spans):
            own = [self.first, *[self.inner] * (stop - start - 2), self.last] if stop - start > 1 else [self.single]
            before, after = spans[place - 1 : place], spans[place + 1 : place + 2]
            if self.after_same and before and before[0][1:] == (start, kind):
                own[0] = self.after_same
            if self.before_same and after and (after[0][0], after[0][2]) == (stop, kind):
                own[-1] = self.before_same
            tags[start:stop] = [f"{prefix}-{kind}" for prefix in own]
        return tags

    def for_conlleval(self, tags: Sequence[str]) -> list[str]:
        names = self.lenient or {}
        return [names.get(tag[0], tag[0]) + tag[1:] for tag in tags]


LETTERS = {"L": "E", "U": "S", "M": "I", "W": "S"}
SCHEMES = [
    Written("IOB1", "iob1", "I", "I", "I", "I", after_same="B", peer=strict.IOB1),
    Written("IOB2", "bio", "B", "B", "I", "I", peer=strict.IOB2),
    Written("IOE1", "auto", "I", "I", "I", "I", before_same="E"),  # seqeval says of its own IOE1 that it is unfinished
    Written("IOE2", "auto", "E", "I", "I", "E", peer=strict.IOE2),
    Written("BIOES", "bioes", "S", "B", "I", "E", peer=strict.IOBES),
    Written("BILOU", "bilou", "U", "B", "I", "L", peer=strict.BILOU, lenient=LETTERS),
    Written("BMES", "bioes", "S", "B", "M", "E", lenient=LETTERS),
    Written("BMEWO", "auto", "W", "B", "M", "E", lenient=LETTERS),
    Written("IO", "io", "I", "I", "I", "I"),
]


def spans_of(draw: random.Random, words: int, touching: bool) -> list[WordSpan]:
    """Entities that lie side by side or apart; without `touching`, no two of the same type side by side."""
    cuts = sorted(draw.sample(range(words + 1), draw.randint(1, min(words + 1, 6))))
    spans: list[WordSpan] = []
    for start, stop in itertools.pairwise(cuts):
        kind = draw.choice(TYPES)
        if draw.random() < 0.6 and (touching or not spans or spans[-1][1:] != (start, kind)):
            spans.append((start, stop, kind))
    return spans


def pairs_of(scheme: Written, count: int, *, valid: bool) -> list[tuple[list[str], list[str]]]:
    """Gold and predicted tags. The prediction is the gold answer with some entities moved, renamed, lost or made up;
    or, if it need not be valid, with some tags replaced by any tag of the scheme, as the gold answer too."""
    draw = random.Random(f"{scheme.name} {valid}")
    pairs = []
    for _ in range(count):
        words = draw.randint(1, 12)
        spans = spans_of(draw, words, touching=scheme.name != "IO")
        gold, found = scheme.write(spans, words), scheme.write(spans, words)
        if valid:
            kept = [span for span in spans if draw.random() < 0.7]
            more = spans_of(draw, words, touching=False)
            kept += [one for one in more if all(one[1] < start or one[0] > stop for start, stop, _ in kept)]
            found = scheme.write(sorted(kept), words)
        else:
            gold = [draw.choice(["O", *scheme.tags]) if draw.random() < 0.15 else tag for tag in gold]
            found = [draw.choice(["O", *scheme.tags]) if draw.random() < 0.25 else tag for tag in gold]
        pairs.append((gold, found))
    return pairs


def example(tags: Sequence[str], scheme: Scheme) -> Example:
    inputs = read_tokens(["word"] * len(tags))
    return Example(inputs, tag_spans(list(tags), inputs, scheme, None))


def predicted(tags: Sequence[str], scheme: Scheme) -> Prediction:
    return _prediction(read_tags(tags, scheme))


def predicted_by_the_head(tags: Sequence[str]) -> Prediction:
    """From numbers, as the head decodes them."""
    number = {name: place for place, name in enumerate(label_names(TYPES))}
    found = find_entities(np.array([number[tag] for tag in tags], dtype=np.int64))
    spans = [(int(a), int(b), TYPES[k]) for a, b, k in zip(found.first, found.stop, found.kind, strict=True)]
    return {**_prediction(spans), "repaired": found.repaired.tolist()}


def _prediction(spans: Sequence[WordSpan]) -> Prediction:
    entities = [Entity(start=5 * a, end=5 * b - 1, type=kind, text="", confidence=1.0) for a, b, kind in spans]
    return {"entities": entities, "repaired": []}


def conlleval(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> tuple[float, float, float]:
    """Precision, recall and F1, counted as conlleval.pl does."""
    right = guessed = correct = 0

    def opens(before: str, tag: str) -> bool:
        return tag != "O" and (tag[0] in "BS" or before == "O" or before[0] in "ES" or before[2:] != tag[2:])

    def closes(before: str, tag: str) -> bool:
        return before != "O" and (tag == "O" or tag[0] in "BS" or before[0] in "ES" or before[2:] != tag[2:])

    for gold, found in pairs:
        inside = False
        before = ("O", "O")
        for tags in zip([*gold, "O"], [*found, "O"], strict=True):
            closed = [closes(*step) for step in zip(before, tags, strict=True)]
            opened = [opens(*step) for step in zip(before, tags, strict=True)]
            if inside and any(closed):
                right += all(closed)
                inside = False
            correct, guessed = correct + opened[0], guessed + opened[1]
            inside = inside or (all(opened) and tags[0][2:] == tags[1][2:])
            before = tags
    precision, recall = right / guessed if guessed else 0.0, right / correct if correct else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0


def seqeval(pairs: Sequence[tuple[list[str], list[str]]], **settings: Any) -> tuple[float, float, float]:
    gold, found = [list(side) for side in zip(*pairs, strict=True)]
    with warnings.catch_warnings(action="ignore"):
        precision, recall, f1 = (
            float(score(gold, found, zero_division=0, **settings))
            for score in (precision_score, recall_score, f1_score)
        )
    return precision, recall, f1


def ours(scheme: Written, pairs: Sequence[tuple[list[str], list[str]]]) -> dict[str, float]:
    examples = [example(gold, scheme.asked) for gold, _ in pairs]
    return entity_metrics(TYPES).scores(examples, [predicted(found, scheme.asked) for _, found in pairs])


def micro(scores: dict[str, float]) -> tuple[float, float, float]:
    return scores["entity_precision"], scores["entity_recall"], scores["entity_f1"]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_scores_equal_those_of_conlleval_and_of_strict_seqeval(scheme: Written) -> None:
    for valid in (True, False):
        pairs = pairs_of(scheme, PAIRS // 2, valid=valid)
        for start in range(0, len(pairs), TOGETHER):
            part = pairs[start : start + TOGETHER]
            scores = ours(scheme, part)
            same = [(scheme.for_conlleval(gold), scheme.for_conlleval(found)) for gold, found in part]
            assert micro(scores) == pytest.approx(conlleval(same))
            assert micro(scores) == pytest.approx(seqeval(same))
            assert scores["macro_f1"] == pytest.approx(seqeval(same, average="macro")[2])
            if valid and scheme.peer:
                assert micro(scores) == pytest.approx(seqeval(part, mode="strict", scheme=scheme.peer))
        assert 0.2 < scores["entity_f1"] < 0.9  # neither all right nor all wrong
        if not valid:
            whole = [tags for pair in pairs for tags in pair]
            broken = sum(scheme.write(read_tags(tags, scheme.asked), len(tags)) != tags for tags in whole)
            assert scheme.name == "IO" or broken > PAIRS / 10


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_each_sequence_is_read_as_seqeval_reads_it(scheme: Written) -> None:
    for tags, _ in pairs_of(scheme, PAIRS // 2, valid=False):
        theirs = [(start, end + 1, kind) for kind, start, end in get_entities(scheme.for_conlleval(tags))]
        assert read_tags(tags, scheme.asked) == theirs


def test_both_counts_of_invalid_predictions_are_in_the_report() -> None:
    """A model that tags word by word may say I without B: conlleval counts that, strict seqeval does not."""
    iob2 = SCHEMES[1]
    draw = random.Random(3)
    for _ in range(6):
        valid = [gold for gold, _ in pairs_of(iob2, TOGETHER, valid=True)]
        pairs = [
            (gold, [draw.choice(["O", *iob2.tags]) if draw.random() < 0.3 else tag for tag in gold]) for gold in valid
        ]
        examples = [example(gold, "bio") for gold, _ in pairs]
        predictions = [predicted_by_the_head(found) for _, found in pairs]
        assert sum(len(prediction["repaired"]) for prediction in predictions) > 100
        scores = entity_metrics(TYPES).scores(examples, predictions)
        assert micro(scores) == pytest.approx(conlleval(pairs))
        table = entity_tables(examples, predictions)["repaired tags"]
        assert not isinstance(table, str)
        shown = table[["precision", "recall", "f1"]].to_numpy()
        assert tuple(shown[0]) == pytest.approx(micro(scores))
        assert tuple(shown[1]) == pytest.approx(seqeval(pairs, mode="strict", scheme=strict.IOB2))


@pytest.mark.parametrize("tags", [(["O"], ["O"]), (["B-PER"], ["O"]), (["O"], ["B-PER"])])
def test_nothing_found_or_nothing_to_find_scores_as_in_both(tags: tuple[list[str], list[str]]) -> None:
    measured = micro(ours(SCHEMES[1], [tags]))
    assert measured == conlleval([tags]) == seqeval([tags]) == seqeval([tags], mode="strict", scheme=strict.IOB2)


def test_the_report_names_what_it_counts_and_what_it_does_with_invalid_tags() -> None:
    metrics = Ner().metrics(Inventory(TYPES))
    for name in ("entity_f1", "entity_precision", "entity_recall"):
        words = metrics[name].convention
        assert "start, end and type must all be right" in words
        assert "a tag I that goes on with no entity opens one" in words
        assert "0 where nothing is found" in words
