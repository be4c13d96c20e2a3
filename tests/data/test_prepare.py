from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbtune.data import packing
from nbtune.data.packing import PackedExamples
from nbtune.data.prepare import prepare
from nbtune.data.scoring import read_for_scoring
from nbtune.data.survey import identity
from nbtune.errors import DataError, SpecError
from nbtune.tasks.registry import registry
from nbtune.tasks.task import Task
from nbtune.values import ColumnMap, Example, Inventory, Part

Write = Callable[[str, str | bytes], str]


def frame(count: int, start: int = 0) -> pd.DataFrame:
    rows = range(start, start + count)
    return pd.DataFrame({"review": [f"text {row}" for row in rows], "intent": [("a", "b")[row % 2] for row in rows]})


def sizes(parts: dict[Part, list[Example]]) -> dict[str, int]:
    return {part: len(examples) for part, examples in parts.items()}


def test_validation_is_made_where_it_is_not_given(toy: Task) -> None:
    prepared = prepare(toy, data="train_df", namespace={"train_df": frame(200)})
    assert sizes(prepared.parts) == {"train": 180, "validation": 20}
    assert prepared.made_split.startswith("10% for validation taken from the training data")
    assert prepared.data == "train_df (200 rows)"
    assert dict(prepared.columns.names) == {"text": "review", "label": "intent"}
    assert prepared.inventory.labels == ("a", "b")
    assert sum(prepared.inventory.counts.values()) == 180


def test_what_is_given_is_used_as_it_is(toy: Task) -> None:
    prepared = prepare(toy, data=frame(20), validation=frame(4, 100), test=frame(6, 200))
    assert sizes(prepared.parts) == {"train": 20, "validation": 4, "test": 6}
    assert prepared.made_split == ""
    assert [example.inputs["text"] for example in prepared.raw["validation"]][:2] == ["text 100", "text 101"]


def test_test_data_is_made_only_on_request(toy: Task) -> None:
    assert sizes(prepare(toy, data=frame(100), test_fraction=0.2).parts) == {"train": 70, "validation": 10, "test": 20}


def test_a_folder_brings_its_parts(toy: Task, write: Write, tmp_path: Path) -> None:
    write("train.csv", frame(40).to_csv(index=False))
    write("dev.csv", frame(4, 100).to_csv(index=False))
    write("test.csv", frame(6, 200).to_csv(index=False))
    prepared = prepare(toy, data=str(tmp_path))
    assert sizes(prepared.parts) == {"train": 40, "validation": 4, "test": 6}
    assert prepared.data == f"{tmp_path.name} (train 40, validation 4, test 6 rows)"
    single = prepare(toy, data=frame(40), validation=str(tmp_path))
    assert sizes(single.parts) == {"train": 40, "validation": 4}


def test_the_hidden_labels_of_a_contest_are_left_out(toy: Task, write: Write, tmp_path: Path) -> None:
    write("train.csv", frame(40).to_csv(index=False))
    write("test.csv", "id,review\n0,what\n1,that\n")
    prepared = prepare(toy, data=str(tmp_path))
    assert sizes(prepared.parts) == {"train": 36, "validation": 4}
    assert "has no labels" in prepared.findings[0].message
    with pytest.raises(DataError, match="has no column for 'label'"):
        prepare(toy, data=frame(40), test=str(tmp_path / "test.csv"))


def test_other_parts_follow_the_columns_of_the_training_data(toy: Task) -> None:
    train = frame(20).rename(columns={"review": "body", "intent": "kind"})
    validation = frame(4, 100).rename(columns={"review": "body"}).assign(text="another text")
    prepared = prepare(toy, data=train, validation=validation, columns={"text": "body"})
    assert prepared.raw["validation"][0].inputs == {"text": "text 100"}
    assert prepared.raw["validation"][0].target == "a"


def test_a_validation_table_that_lacks_a_column_is_named(toy: Task, write: Write) -> None:
    path = write("dev.csv", "body\nx y z\nx y w\n")
    with pytest.raises(DataError, match=r"dev\.csv has no column for 'label'; its columns are: body"):
        prepare(toy, data=frame(20), validation=path)


def test_bad_rows_stop_or_are_dropped(toy: Task) -> None:
    data = frame(20)
    data.loc[3, "review"] = "  "
    with pytest.raises(DataError, match="1 of 20 rows of df cannot be used: row 3: review is empty"):
        prepare(toy, data="df", namespace={"df": data})
    prepared = prepare(toy, data=data, bad_rows="drop")
    assert sum(sizes(prepared.parts).values()) == 19
    assert prepared.findings[0].rows == (3,)


def test_findings_of_the_checks_are_kept(toy: Task) -> None:
    findings = prepare(toy, data=frame(20), validation=frame(4, 18)).findings
    assert [finding.message for finding in findings] == [
        "2 of the 4 validation examples are also in the training data (rows 0, 1)"
    ]


def test_examples_are_arranged_once_but_kept_raw_too(toy_class: type[Task]) -> None:
    class Arranging(toy_class):
        def arrange(self, examples: Sequence[Example], inventory: Inventory, part: Part) -> Sequence[Example]:
            return examples[::2] if part == "train" else examples

    prepared = prepare(Arranging(), data=frame(20), validation=frame(4, 100))
    assert (sizes(prepared.parts), sizes(prepared.raw)) == (
        {"train": 10, "validation": 4},
        {"train": 20, "validation": 4},
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"validation_fraction": 0.2},
        {"bad_rows": "drop"},
        {"bad_rows": "drop", "fix": ["normalise_text", "drop_duplicates"]},
        {"validation_fraction": 0.2, "group": "part"},
    ],
)
def test_duplicates_are_told_as_rows_are_read_and_by_what_is_left_of_them(toy: Task, settings: dict[str, Any]) -> None:
    table = pd.concat([frame(30), frame(2), frame(1, start=50).assign(review="schÃ¶n")], ignore_index=True)
    table["part"] = [f"p{row % 11}" for row in range(len(table))]
    if "bad_rows" in settings:
        table.loc[7, "review"] = None
        settings = {**settings, "validation": frame(9, start=40)}
    for examples in prepare(toy, data=table, **settings).raw.values():
        assert examples.identities is not None
        assert examples.identities.tolist() == [identity(toy, example) for example in examples]


def test_many_examples_are_unpacked_no_more_often_than_need_be(toy: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    unpacked = PackedExamples._unpacked

    def counted(self: PackedExamples) -> Iterator[Example]:
        passes.append(len(self))
        return unpacked(self)

    monkeypatch.setattr(packing, "_FEW_BYTES", 0)
    monkeypatch.setattr(PackedExamples, "_unpacked", counted)
    prepare(toy, data=frame(60), validation=frame(20, start=100), thorough=True)
    assert passes.count(60) == 2  # the inventory; wording and near duplicates at once


@pytest.mark.parametrize(("validation", "test"), [(0.0, 0.0), (0.5, 0.5), (1.0, 0.0), (-0.1, 0.0), (0.1, -0.2)])
def test_fractions_must_leave_something(toy: Task, validation: float, test: float) -> None:
    with pytest.raises(SpecError, match="leave no training data"):
        prepare(toy, data=frame(20), validation_fraction=validation, test_fraction=test)


@pytest.mark.parametrize("source", [[], pd.DataFrame(), pd.DataFrame({"text": [], "label": []})])
def test_empty_data_is_refused(toy: Task, source: Any) -> None:
    with pytest.raises(DataError, match="is empty"):
        prepare(toy, data=source)


def test_a_source_without_training_data_is_refused(toy: Task) -> None:
    with pytest.raises(DataError, match="there is no training data; found: test"):
        prepare(toy, data={"test": frame(4)})


def test_whole_numbers_with_a_gap_elsewhere_have_the_same_labels_in_every_part(toy: Task, write: Write) -> None:
    train = pd.DataFrame({"text": [f"t{row}" for row in range(20)], "label": [float(row % 2) for row in range(20)]})
    path = write("dev.csv", "text,label\nx,1\ny,0\n")
    prepared = prepare(toy, data=train, validation=path)
    assert prepared.inventory.labels == ("0", "1")


@pytest.mark.parametrize(
    "texts",
    [
        ["one text", "another"],
        ("one text", "another"),
        pd.Series(["one text", "another"], index=[5, 6]),
        pd.DataFrame({"body": ["one text", "another"]}),
        [{"text": "one text"}, {"text": "another"}],
    ],
)
def test_texts_to_predict_come_in_many_forms(toy: Task, texts: Any) -> None:
    examples = read_for_scoring(toy, texts, part="predict")
    assert [example.inputs["text"] for example in examples] == ["one text", "another"]
    assert [example.row for example in examples] == [0, 1]
    assert all(example.target is None for example in examples)
    scope = {"texts": texts}
    assert len(read_for_scoring(toy, "texts", part="predict", namespace=scope)) == 2


def test_a_text_is_a_text_unless_it_names_data(toy: Task, write: Write) -> None:
    path = write("new.csv", "text\nfrom a file\n")
    assert read_for_scoring(toy, path, part="predict")[0].inputs == {"text": "from a file"}
    assert read_for_scoring(toy, "Is this a text?", part="predict")[0].inputs == {"text": "Is this a text?"}
    assert read_for_scoring(toy, "word", part="predict", namespace={})[0].inputs == {"text": "word"}
    assert read_for_scoring(toy, {"text": "a row"}, part="predict")[0].inputs == {"text": "a row"}
    with pytest.raises(DataError, match="there is no file"):
        read_for_scoring(toy, "missing.csv", part="predict")


def test_a_file_of_bare_texts_can_be_predicted(toy: Task, write: Write) -> None:
    path = write("new.txt", "The first, as it were.\nA second.\nAnd a third\n")
    assert [example.inputs["text"] for example in read_for_scoring(toy, path, part="predict")] == [
        "The first, as it were.",
        "A second.",
        "And a third",
    ]


def test_the_test_part_is_scored_and_unknown_labels_are_refused(toy: Task) -> None:
    source = {"train": frame(8), "test": frame(4, 100)}
    inventory = Inventory(labels=("a", "b"))
    examples = read_for_scoring(toy, source, part="test", inventory=inventory)
    assert [example.target for example in examples] == ["a", "b", "a", "b"]
    with pytest.raises(DataError) as caught:
        read_for_scoring(
            toy, "source", part="test", inventory=Inventory(labels=("0", "1")), namespace={"source": source}
        )
    assert caught.value.message == (
        "none of the labels of source['test'] ('a', 'b') is one that the run learned ('0', '1')"
    )


def test_the_columns_of_the_training_data_do_not_stand_in_the_way_of_new_data(toy: Task) -> None:
    columns = {"text": "body", "label": "verdict"}
    for data in (
        ["a text"],
        {"text": "a text"},
        {"body": "a text", "text": "another"},
        pd.DataFrame({"Text": ["a text"]}),
    ):
        (example,) = read_for_scoring(toy, data, part="predict", columns=columns)
        assert example.inputs == {"text": "a text"}
    with pytest.raises(DataError, match=r"\[columns\] text = 'body': a DataFrame has no such column"):
        read_for_scoring(toy, pd.DataFrame({"review": ["a text"]}), part="predict", columns=columns)


def test_a_blank_text_to_predict_is_refused(toy: Task) -> None:
    with pytest.raises(DataError, match="1 of 2 rows of the texts given cannot be used: row 1: text is empty"):
        read_for_scoring(toy, ["fine", " "], part="predict")


def test_bare_texts_are_read_whatever_the_columns_of_the_training_data_were() -> None:
    ner = registry().task("ner")
    named = {"tokens": "words_of_it", "tags": "marks"}
    (example,) = read_for_scoring(ner, ["Ada left Rome."], part="predict", columns=named, like=ColumnMap(named))
    assert example.inputs["text"] == "Ada left Rome."
