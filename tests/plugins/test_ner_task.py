"""The task around the head: what it knows, checks, compares with and shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pydantic
import pytest
from nbtune_ner.predictions import Entity, Prediction
from nbtune_ner.reading import entity_spans, read_text, read_tokens, tag_spans
from nbtune_ner.task import Ner

from nbtune.api import ColumnMap, Example, Part, Problem
from nbtune.testing import check_task


def text_example(text: str, *entities: tuple[int, int, str], row: int = 0) -> Example:
    inputs = read_text(text)
    return Example(inputs, entity_spans(list(entities), inputs), row)


def token_example(tokens: str, tags: str) -> Example:
    inputs = read_tokens(tokens)
    return Example(inputs, tag_spans(tags, inputs, "auto", None))


def predicted(*spans: tuple[int, int, str], text: str) -> Prediction:
    entities = [Entity(start=a, end=b, type=kind, text=text[a:b], confidence=0.5) for a, b, kind in spans]
    return {"entities": entities, "repaired": []}


def test_listing_the_task_brings_neither_torch_nor_pandas() -> None:
    code = (
        "import sys, nbtune_ner; task = nbtune_ner.nbtune_tasks()[0]; assert task.name == 'ner'; "
        "print({'torch', 'transformers', 'pandas', 'seqeval'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_examples_are_plain_json() -> None:
    for example in (text_example("In Berlin", (3, 9, "LOC")), token_example("In Berlin", "O B-LOC")):
        assert json.loads(json.dumps([example.inputs, example.target])) == [example.inputs, example.target]


def test_the_inventory_counts_entities_and_word_tags() -> None:
    inventory = Ner().inventory([token_example("New York , Rome", "B-LOC I-LOC O B-LOC"), token_example("Al", "B-PER")])
    assert inventory.labels == ("LOC", "PER")
    assert inventory.counts == {"LOC": 2, "PER": 1}
    assert inventory.facts["tags"] == {"B-LOC": 2, "B-PER": 1, "I-LOC": 1, "O": 1}
    assert inventory.facts["units"] == "word"


def test_subwords_are_labelled_where_entities_end_inside_words_unless_told_otherwise() -> None:
    inside = text_example("서울에서 왔다", (0, 2, "LOC"))
    whole = text_example("In Berlin", (3, 9, "LOC"))
    assert Ner().inventory([inside, whole]).facts["units"] == "subword"
    assert Ner().inventory([inside] + [whole] * 200).facts["units"] == "word"
    assert Ner().configured({"units": "word"}).inventory([inside]).facts["units"] == "word"


def test_checks_count_entities_inside_words_and_parts_without_entities() -> None:
    task = Ner().configured({"units": "word"})
    inside, empty = text_example("Merkels Reise", (0, 6, "PER"), row=7), text_example("nothing")
    inventory = task.inventory([inside])
    findings = list(task.check({"train": [inside], "validation": [empty]}, inventory))
    assert [(finding.severity, finding.message) for finding in findings] == [
        ("warning", "1 entities of train begin or end inside a word"),
        ("warning", "validation has no entities: every entity score is 0"),
    ]
    assert (findings[0].rows, findings[0].count) == ((7,), 1)
    subword = list(Ner().check({"train": [inside]}, Ner().inventory([inside])))
    assert [finding.severity for finding in subword] == ["note"]
    assert not list(Ner().check({"train": [text_example("\u200b!", (0, 1, "X"))][:0]}, inventory))


def test_the_same_text_is_a_duplicate_whatever_its_form_and_case() -> None:
    task = Ner()
    assert task.identity(text_example("In Berlin")) == task.identity(token_example("in berlin", "O O"))


def look_up(train: Sequence[Example], example: Example) -> list[tuple[str, str, float]]:
    task = Ner()
    (answer,) = task.baselines(task.inventory(train))[0].predict(train, [example])
    return [(found["text"], found["type"], round(found["confidence"], 2)) for found in answer["entities"]]


def test_the_baseline_looks_up_the_longest_name_with_its_most_frequent_type() -> None:
    train = [
        token_example("New York Times", "B-ORG I-ORG I-ORG"),
        token_example("New York", "B-LOC I-LOC"),
        token_example("Ford", "B-PER"),
        token_example("Ford and Ford", "B-ORG O B-ORG"),
    ]
    assert look_up(train, text_example("The New York Times of New York saw Ford, not ford.")) == [
        ("New York Times", "ORG", 1.0),
        ("New York", "LOC", 1.0),
        ("Ford", "ORG", 0.67),
    ]
    assert look_up([text_example("我在北京大学", (2, 6, "ORG"))], text_example("北京大学很大")) == [
        ("北京大学", "ORG", 1.0)
    ]
    assert look_up([text_example("none")], text_example("New York")) == []


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_the_sample_data_is_read_without_a_problem(part: Part) -> None:
    assert Ner.samples is not None
    table = pd.read_json(Ner.samples / f"{part}.jsonl", lines=True)
    examples = list(Ner().read(table, ColumnMap({"text": "text", "entities": "entities"}), part))
    assert not [problem for problem in examples if isinstance(problem, Problem)]
    assert sum(len(example.target) for example in examples if isinstance(example, Example)) > 100


def test_rows_hold_the_entities_of_a_prediction() -> None:
    example = text_example("In Berlin")
    row = Ner().to_row(example, predicted((3, 9, "LOC"), text="In Berlin"))
    assert row == {"entities": [{"start": 3, "end": 9, "type": "LOC", "text": "Berlin", "confidence": 0.5}]}


def test_html_escapes_text_and_types_and_marks_right_wrong_and_missed() -> None:
    text = "<script>alert(1)</script> in Rome & Oslo"
    example = text_example(text, (29, 33, "LOC"), (36, 40, "LOC"))
    html = Ner().render(example, predicted((8, 13, "<b>"), (29, 33, "LOC"), text=text))
    assert html is not None
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<mark") == 3
    assert html.count("not in the gold answer") == 1
    assert "missed:" in html
    assert html.index("missed:") < html.rindex("Oslo")
    plain = Ner().render(Example(example.inputs), predicted((29, 33, "LOC"), text=text))
    assert plain is not None
    assert "missed:" not in plain
    assert "gold" not in plain


def test_the_contract_is_kept_with_tokens_and_with_texts() -> None:
    tokens = pd.DataFrame(
        {"tokens": [["Rome", str(i), "Al"] for i in range(12)], "tags": [["B-LOC", "O", "B-PER"]] * 12}
    )
    check_task(Ner(), tokens)
    assert Ner.samples is not None
    check_task(Ner(), pd.read_json(Ner.samples / "validation.jsonl", lines=True).head(40))


@pytest.mark.parametrize("setting", [{"scheme": "iobx"}, {"stride": -1}, {"units": "letters"}, {"nonsense": 1}])
def test_wrong_options_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Ner().configured(setting)
