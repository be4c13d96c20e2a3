"""Mistakes show themselves in HTML, Markdown and text, and nothing of the data escapes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nbtune.evaluation.correcting import Book, Change
from nbtune.evaluation.mistakes import Heard, Mistakes, make_mistakes
from nbtune.tasks.judging import judged
from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.registry import registry
from nbtune.values import Example, Inventory

EVIL = "<script>alert(1)</script> | **bold** `x` \x1b[31m \u202e" + "y" * 5000
LABELS = ("<b>a</b>", "b|c")


def found_with(text: str, tmp_path: Path, odds: float = 0.9) -> Mistakes:
    task = registry().task("classification")
    examples = [Example({"text": f"{text} {n}"}, LABELS[n % 2], n) for n in range(40)]
    # the model says the other label for the first three rows
    sure = [np.array([odds, 1 - odds] if (n % 2 == 0) != (n < 3) else [1 - odds, odds]) for n in range(40)]
    judgements = [judged(LabelScores.best(LABELS, p), e.target) for p, e in zip(sure, examples, strict=True)]
    heard = Heard("train", examples, judgements)
    book = Book(task, Inventory(LABELS), {"train": examples}, tmp_path / "<i>c.jsonl")
    return make_mistakes(
        task,
        run="run <u>",
        judged="train data",
        heard=heard,
        own=heard,
        confident_on="train data",
        ranking="self_confidence",
        book=book,
        notes=["a <note>"],
    )


def test_nothing_of_the_data_is_markup(tmp_path: Path) -> None:
    bundle = found_with(EVIL, tmp_path)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
    for mark in ("<script", "<b>", "<i>", "<u>", "<note>", "\x1b", "\u202e"):
        assert mark not in bundle["text/html"]
        assert mark not in bundle["text/markdown"]
    for mark in ("\x1b", "\u202e"):
        assert mark not in bundle["text/plain"]
    assert "&lt;script&gt;" in bundle["text/html"]
    assert max(map(len, bundle.values())) < 30_000
    lines = [line for line in bundle["text/markdown"].splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {6}


def test_both_lists_are_shown_and_are_the_frames(tmp_path: Path) -> None:
    found = found_with("a text", tmp_path)
    assert sorted(found.labels["row"]) == sorted(found.confident["row"]) == [0, 1, 2]
    assert found.labels["doubted"].all()
    assert found.confident["score"].tolist() == pytest.approx([0.9] * 3)
    frame = found.to_frame()
    assert frame["kind"].tolist() == ["label"] * 3 + ["mistake"] * 3
    assert json.loads(found.to_json())["labels"][0]["suggested"] in LABELS
    text = repr(found)
    assert "it disagrees with 3 labels of 40 rows; cleanlab takes 3 for wrong" in text
    assert "3 confident mistakes of the model on train data" in text


def test_where_the_model_agrees_with_everything_that_is_said(tmp_path: Path) -> None:
    found = found_with("a text", tmp_path, odds=0.9)
    agreeing = make_mistakes(
        registry().task("classification"),
        run="r",
        judged="train data",
        heard=Heard("train", [], []),
        own=Heard("train", [], []),
        confident_on="train data",
        ranking="self_confidence",
        book=found.book,
    )
    assert "the model agrees with all labels of 0 rows" in repr(agreeing)
    assert agreeing._repr_mimebundle_()["text/html"].count("<table") == 0


def test_changes_of_one_row_add_up_and_ask_for_what_they_replace() -> None:
    answer = [[0, 3, "PER"], [8, 12, "LOC"]]
    for change in (Change([[0, 3, "PER"]], [[0, 3, "LOC"]]), Change([], [[4, 7, "ORG"]])):
        answer = change.of(answer)
    assert answer == [[0, 3, "LOC"], [4, 7, "ORG"], [8, 12, "LOC"]]
    assert Change([[0, 3, "PER"]], []).of(answer) == answer, "what is not there any more is not replaced"
    assert Change("a", "b").of("a") == "b"
    assert Change("a", "b").of("c") == "c"
