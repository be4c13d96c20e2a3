"""Corrections are applied by what a row says, only where they fit, and everything else is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbtune.data.correcting import apply
from nbtune.data.corrections import append, correction
from nbtune.data.prepare import Prepared, prepare
from nbtune.errors import DataError
from nbtune.tasks.registry import registry
from nbtune.values import Example

ROWS = pd.DataFrame({"text": [f"text {n}" for n in range(60)], "label": ["a", "b", "c"] * 20})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.corrections.jsonl"


def correct(path: Path, task: str, example: Example, new: Any) -> None:
    append(path, [correction(registry().task(task), example, new, who="me", why="")])


def read(path: Path | str = "", rows: pd.DataFrame = ROWS, task: str = "classification", **how: Any) -> Prepared:
    return prepare(registry().task(task), data=rows, corrections=str(path), **how)


def answers(prepared: Prepared) -> dict[str, Any]:
    return {example.inputs["text"]: example.target for part in prepared.raw.values() for example in part}


def test_corrected_answers_follow_their_rows_into_another_order_and_part(path: Path) -> None:
    before = read()
    chosen = [before.raw["train"][4], before.raw["validation"][1]]
    for example in chosen:
        correct(path, "classification", example, "c" if example.target != "c" else "a")
    for rows in (ROWS, ROWS.sample(frac=1, random_state=1, ignore_index=True)):
        after = read(path, rows)
        changed = {text for text, answer in answers(after).items() if answer != answers(before)[text]}
        assert changed == {example.inputs["text"] for example in chosen}
        assert sum(after.inventory.counts.values()) == len(after.raw["train"])
    assert [[e.row for e in read(path).raw[part]] for part in before.raw] == [
        [e.row for e in before.raw[part]] for part in before.raw
    ], "corrections must not change the split"


def test_the_data_itself_is_left_alone_and_what_was_done_is_told(path: Path) -> None:
    rows = ROWS.copy()
    correct(path, "classification", Example({"text": "text 0"}, "a"), "b")
    prepared = read(path, rows)
    pd.testing.assert_frame_equal(rows, ROWS)
    assert prepared.data.endswith(f", 1 answers corrected by {path.name}")
    assert prepared.corrections is not None
    assert {key: prepared.corrections[key] for key in ("entries", "applied", "rows")} == {
        "entries": 1,
        "applied": 1,
        "rows": 1,
    }
    assert any("corrected the answer of one row" in finding.message for finding in prepared.findings)


def test_entries_that_do_not_fit_are_reported_and_not_applied(path: Path) -> None:
    correct(path, "classification", Example({"text": "gone"}, "a"), "b")
    correct(path, "classification", Example({"text": "text 0"}, "b"), "c")  # the row says a
    correct(path, "classification", Example({"text": "text 1"}, "b"), "c")
    prepared = read(path)
    assert answers(prepared) == {**answers(read()), "text 1": "c"}
    found = [finding.message for finding in prepared.findings if "not applied" in finding.message]
    assert found == [
        f"not applied, because no row has this text: line 1 of {path.name}",
        f"not applied, because the row has another answer than the old one: line 2 of {path.name}",
    ]


def test_entries_build_on_each_other_and_hold_for_every_copy_of_a_row(path: Path) -> None:
    rows = pd.concat([ROWS, ROWS.head(1), ROWS.head(1).assign(label="b")], ignore_index=True)
    first = Example({"text": "text 0"}, "a")
    correct(path, "classification", first, "c")
    correct(path, "classification", Example(first.inputs, "c"), "b")
    prepared = read(path, rows)
    own = [e.target for part in prepared.raw.values() for e in part if e.inputs["text"] == "text 0"]
    assert own == ["b", "b", "b"]
    assert prepared.corrections is not None
    assert prepared.corrections["rows"] == 2


def test_a_new_label_is_learned_and_pointed_at(path: Path) -> None:
    correct(path, "classification", read().raw["train"][0], "aa")
    prepared = read(path)
    assert "aa" in prepared.inventory.labels
    assert any("brings a new label: 'aa'" in finding.message for finding in prepared.findings)


def test_an_answer_that_the_task_cannot_take_is_named_with_its_line(path: Path) -> None:
    example = read().raw["train"][0]
    correct(path, "classification", example, "b" if example.target != "b" else "a")
    path.write_text(path.read_text().replace('"new": "', '"new": ["').replace('", "who"', '"], "who"'))
    with pytest.raises(DataError, match=r"jsonl, line 1: the new answer must be a label") as caught:
        read(path)
    assert caught.value.hint == "correct or remove the line"


def test_several_labels_a_row_are_corrected_as_lists(path: Path) -> None:
    rows = ROWS.assign(label=[["a", "b"], ["b", "c"], ["c"]] * 20)
    example = read(rows=rows).raw["train"][0]
    correct(path, "classification", Example(example.inputs, list(reversed(example.target))), ["c", "a"])
    assert answers(read(path, rows))[example.inputs["text"]] == ["c", "a"]
    with pytest.raises(DataError, match="must be a list of labels"):
        correct(path, "classification", example, "c")


def test_entities_are_corrected_as_character_spans(path: Path) -> None:
    rows = pd.DataFrame(
        {
            "tokens": [["Ann", "went", "to", f"Rome{n}"] for n in range(20)],
            "tags": [["B-PER", "O", "O", "B-LOC"]] * 20,
        }
    )
    example = read(rows=rows, task="ner").raw["train"][2]
    correct(path, "ner", example, [[0, 3, "LOC"]])
    assert answers(read(path, rows, "ner"))[example.inputs["text"]] == [[0, 3, "LOC"]]
    with pytest.raises(DataError, match="the answer has an entity outside the text"):
        correct(path, "ner", example, [[0, 999, "LOC"]])
    with pytest.raises(DataError, match="overlapping"):
        correct(path, "ner", example, [[0, 3, "LOC"], [1, 3, "PER"]])


def test_sentiment_is_corrected_in_words_whatever_the_data_writes(path: Path) -> None:
    rows = ROWS.rename(columns={"label": "sentiment"}).assign(sentiment=[1, 3, 5] * 20)
    example = read(rows=rows, task="sentiment").raw["train"][0]
    new = "very positive" if example.target["value"] != "very positive" else "neutral"
    correct(path, "sentiment", example, new)
    prepared = read(path, rows, "sentiment")
    (own,) = (e for e in prepared.parts["train"] if e.inputs == example.inputs)
    assert own.target == new
    assert prepared.inventory.labels == read(rows=rows, task="sentiment").inventory.labels
    with pytest.raises(DataError, match="none of very negative"):
        correct(path, "sentiment", example, "4")


def test_a_number_is_corrected_by_a_number(path: Path) -> None:
    rows = ROWS.rename(columns={"label": "sentiment"}).assign(sentiment=[n / 7 for n in range(60)])
    example = read(rows=rows, task="sentiment").raw["train"][0]
    correct(path, "sentiment", example, 8)
    prepared = read(path, rows, "sentiment")
    assert next(e.target for e in prepared.parts["train"] if e.inputs == example.inputs) == 8.0
    for bad in (True, float("nan"), "8"):
        with pytest.raises(DataError, match="not a number"):
            correct(path, "sentiment", example, bad)


def test_nothing_is_looked_up_where_there_is_nothing_to_correct(path: Path) -> None:
    path.write_text("\n")
    task = registry().task("classification")
    parts = read().raw
    applied = apply(task, parts, path)
    assert applied.parts == parts
    assert applied.findings == ()
    assert applied.facts["rows"] == 0
