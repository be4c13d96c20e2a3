"""Named fixes: each changes what it says, and says what it changed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from nbtune.data.prepare import prepare
from nbtune.data.scoring import read_for_scoring
from nbtune.errors import DataError, SpecError
from nbtune.running.spec import make_spec, read_spec, write_spec
from nbtune.tasks.registry import registry
from nbtune.tasks.task import Task


def rows(*pairs: tuple[str, str]) -> pd.DataFrame:
    usual = [(f"sentence {number} is about {word}", "ab"[number % 2]) for number, word in enumerate(WORDS)]
    return pd.DataFrame([*usual, *pairs], columns=["text", "label"])


WORDS = ("rain", "money", "trains", "bread", "glass", "music", "dogs", "winter", "paper", "salt", "stone", "sleep")
OTHER = pd.DataFrame({"text": ["held out one", "held out two"], "label": ["a", "b"]})


def texts(prepared: Any, part: str) -> list[str]:
    return [example.inputs["text"] for example in prepared.raw[part]]


def test_duplicates_with_the_same_target_keep_the_first(toy: Task) -> None:
    data = rows(("twice", "a"), ("Twice ", "a"), ("both", "a"), ("both", "b"))
    prepared = prepare(toy, data=data, validation=OTHER, fix=["drop_duplicates"])
    assert texts(prepared, "train")[-3:] == ["twice", "both", "both"]
    (fixed,) = prepared.fixes
    assert (fixed.fix, fixed.part, fixed.count, fixed.rows) == ("drop_duplicates", "train", 1, (13,))
    assert "fix drop_duplicates left out 1 training row (row 13)" in [each.message for each in prepared.findings]
    assert not any("repeat" in each.message for each in prepared.findings)


def test_conflicts_lose_every_copy(toy: Task) -> None:
    data = rows(("both", "a"), ("BOTH", "b"), ("both", "a"))
    prepared = prepare(toy, data=data, validation=OTHER, fix=["drop_conflicts"])
    assert len(prepared.raw["train"]) == len(WORDS)
    assert prepared.fixes[0].rows == (12, 13, 14)


def test_leaks_are_dropped_from_training_and_nowhere_else(toy: Task) -> None:
    data = rows(("Held out ONE", "a"), ("unseen", "b"))
    prepared = prepare(toy, data=data, validation=OTHER, test=OTHER, fix=["drop_leaks"])
    assert [len(prepared.raw[part]) for part in ("train", "validation", "test")] == [13, 2, 2]
    assert prepared.fixes[0].rows == (12,)
    assert not any("also in the training" in each.message for each in prepared.findings)


def test_texts_are_normalised_in_every_part_and_when_predicting(toy: Task) -> None:
    bad = pd.DataFrame({"text": ["grÃ¼n", "soft\u00adly"], "label": ["a", "b"]})
    prepared = prepare(toy, data=rows(("schÃ¶n", "a")), validation=bad, fix=["normalise_text"])
    assert texts(prepared, "train")[-1] == "schön"
    assert texts(prepared, "validation") == ["grün", "softly"]
    assert [(each.part, each.count) for each in prepared.fixes] == [("train", 1), ("validation", 2)]
    for part in ("predict", "test"):
        (first, _) = read_for_scoring(toy, bad, part=part, fix=["normalise_text", "drop_duplicates"])
        assert first.inputs["text"] == "grün"
    assert read_for_scoring(toy, bad, part="predict")[0].inputs["text"] == "grÃ¼n"


def test_a_fix_that_leaves_nothing_is_refused(toy: Task) -> None:
    data = pd.DataFrame({"text": ["x", "x"], "label": ["a", "b"]})
    with pytest.raises(DataError, match="leaves no training data: fix drop_conflicts left out 2 training rows"):
        prepare(toy, data=data, validation=OTHER, fix=["drop_conflicts"])


def test_tokens_are_normalised_one_by_one_and_spans_move_along() -> None:
    ner = registry().task("ner")
    data = pd.DataFrame(
        {
            "tokens": [["Herr", "MÃ¼ller", "\u200b", "fuhr", "nach", "KÃ¶ln"], ["no", "names"]],
            "tags": [["O", "B-PER", "O", "O", "O", "B-LOC"], ["O", "O"]],
        }
    )
    prepared = prepare(ner, data=data, validation=data, fix=["normalise_text"])
    example = prepared.raw["train"][0]
    assert example.inputs["tokens"] == ["Herr", "Müller", "\u200b", "fuhr", "nach", "Köln"]
    text = example.inputs["text"]
    assert [(text[start:end], kind) for start, end, kind in example.target] == [("Müller", "PER"), ("Köln", "LOC")]
    assert [text[start:end] for start, end in example.inputs["words"]] == example.inputs["tokens"]


def test_spans_in_raw_text_are_never_moved() -> None:
    ner = registry().task("ner")
    data = [{"text": "MÃ¼ller lief", "entities": [{"start": 0, "end": 7, "type": "PER"}]}] * 2
    with pytest.raises(DataError, match="would move the characters that spans count"):
        prepare(ner, data=data, validation=data, fix=["normalise_text"])
    (example, _) = read_for_scoring(ner, data, part="test", fix=["normalise_text"])
    assert example.inputs["text"] == "MÃ¼ller lief"


def test_broken_tags_are_reported_and_their_repair_is_recorded() -> None:
    ner = registry().task("ner")
    good = (["Anna", "Berg", "sang"], ["B-PER", "I-PER", "O"])
    bad = (["in", "Oslo", "now"], ["O", "I-LOC", "O"])
    data = pd.DataFrame([good, bad, good], columns=["tokens", "tags"])
    finding = next(each for each in prepare(ner, data=data, validation=data[:1]).findings if each.fix == "repair_tags")
    assert finding.message.startswith("1 training row has tags that break BIO, such as I-LOC after O (row 1)")
    assert (finding.severity, finding.rows) == ("warning", (1,))
    prepared = prepare(ner, data=data, validation=data[:1], fix=["repair_tags"])
    assert [str(each) for each in prepared.fixes] == ["fix repair_tags changed 1 training row (row 1)"]
    assert prepared.raw["train"][1].target == [[3, 7, "LOC"]]
    assert not any("break BIO" in each.message for each in prepared.findings)


@pytest.mark.parametrize(
    ("tags", "broken"),
    [
        (["B-X", "I-X", "O", "B-Y"], False),
        (["B-X", "I-Y", "O", "B-Y"], True),
        (["S-X", "B-Y", "I-Y", "E-Y"], False),
        (["B-X", "O", "S-Y", "O"], True),
        (["U-X", "B-Y", "L-Y", "O"], False),
        (["U-X", "B-Y", "I-Y", "O"], True),
        (["I-X", "I-X", "O", "I-Y"], False),
    ],
)
def test_a_sequence_is_judged_by_the_scheme_of_its_column(tags: list[str], broken: bool) -> None:
    ner = registry().task("ner")
    data = pd.DataFrame({"tokens": [["a", "b", "c", "d"]] * 2, "tags": [tags] * 2})
    found = [each for each in prepare(ner, data=data, validation=data).findings if each.fix == "repair_tags"]
    assert bool(found) == broken


def test_unknown_fixes_are_refused_and_those_a_task_cannot_do() -> None:
    classification, recommendation = registry().task("classification"), registry().task("recommendation")
    with pytest.raises(SpecError, match="there is no fix 'drop_duplicate'; did you mean 'drop_duplicates'"):
        make_spec(classification, {"fix": ["drop_duplicate"]})
    with pytest.raises(SpecError, match="the task 'classification' has no fix 'repair_tags'"):
        make_spec(classification, {"fix": "repair_tags"})
    with pytest.raises(SpecError, match="the task 'recommendation' has no fix 'drop_duplicates'"):
        make_spec(recommendation, {"fix": ["drop_duplicates"]})
    with pytest.raises(SpecError):
        make_spec(classification, {"fix": 3})


def test_the_spec_keeps_fixes_in_the_order_they_are_done() -> None:
    spec, _ = make_spec(registry().task("classification"), {"fix": ["drop_duplicates", "normalise_text"]})
    assert spec.fix == ("normalise_text", "drop_duplicates")
    assert read_spec(write_spec(spec)) == spec
