from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from nbtune.data.columns import map_columns
from nbtune.data.tables import Table
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Column, ColumnMap

LONG = ["the food was cold and the waiter rude", "we loved every minute of it", "never going back there", "lovely"]
SHORT = ["bad", "good", "bad", "good"]


def table(**columns: Any) -> Table:
    return Table(pd.DataFrame(columns), "reviews.csv")


def test_names_go_before_aliases_and_both_are_explained(toy: Task) -> None:
    found = map_columns(toy, table(review=LONG, sentence=LONG, Label=SHORT, other=SHORT))
    assert dict(found.names) == {"text": "sentence", "label": "Label"}
    assert dict(found.reasons) == {"text": "a usual name for text", "label": "the name fits"}


def test_an_alias_never_takes_the_own_column_of_another(toy: Task) -> None:
    toy.columns = (Column("text", "text", ("pair",)), Column("pair", "text", required=False))
    found = map_columns(toy, table(pair=LONG, body=LONG))
    assert dict(found.names) == {"pair": "pair", "text": "body"}


def test_without_names_the_content_decides(toy: Task) -> None:
    found = map_columns(toy, table(id=[11, 12, 13, 14], verdict=SHORT, body=LONG))
    assert dict(found.names) == {"text": "body", "label": "verdict"}
    assert found.reasons["text"] == "the longest texts (23 characters on average)"
    assert found.reasons["label"] == "few different values (2 in 4 rows)"


@pytest.mark.parametrize("columns", [{}, {"text": [], "label": []}])
def test_a_table_without_rows_is_refused(toy: Task, columns: dict[str, list[str]]) -> None:
    with pytest.raises(DataError, match=r"reviews\.csv is empty"):
        map_columns(toy, table(**columns))


def test_equally_good_columns_are_asked_about(toy: Task) -> None:
    with pytest.raises(DataError) as caught:
        map_columns(toy, table(question=LONG, answer=LONG[::-1], label=SHORT))
    assert caught.value.message == "reviews.csv: which column is 'text'? 'question', 'answer' would do equally well"
    assert caught.value.hint == 'write [columns] text = "question"'


def test_columns_named_alike_are_asked_about(toy: Task) -> None:
    with pytest.raises(DataError, match="which column is 'text'\\? 'Text', 'TEXT' are named alike"):
        map_columns(toy, Table(pd.DataFrame({"Text": LONG, "TEXT": LONG, "label": SHORT}), "reviews.csv"))
    found = map_columns(toy, Table(pd.DataFrame({"Text": LONG, "text": LONG, "label": SHORT}), "reviews.csv"))
    assert found.one("text") == "text"


def test_an_override_goes_before_everything(toy: Task) -> None:
    found = map_columns(toy, table(text=LONG, body=LONG, label=SHORT), overrides={"text": "body"})
    assert (found.one("text"), found.reasons["text"]) == ("body", "you named it")


@pytest.mark.parametrize(
    ("overrides", "message", "hint"),
    [
        ({"text": "bodi"}, r"\[columns\] text = 'bodi': reviews.csv has no such column", "did you mean 'body'?"),
        ({"txt": "body"}, "the task 'toy' has no column 'txt'", "did you mean 'text'?"),
        (
            {"text": "body", "label": "body"},
            r"\[columns\] takes 'body' for both text and label",
            "give each its own column",
        ),
    ],
)
def test_a_wrong_override_is_named(toy: Task, overrides: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        map_columns(toy, table(body=LONG, label=SHORT), overrides=overrides)
    assert caught.value.hint == hint


def test_an_override_may_name_several_columns(toy: Task) -> None:
    found = map_columns(toy, table(text=LONG, a=[0, 1, 0, 1], b=[1, 0, 1, 0]), overrides={"label": ["a", "b"]})
    assert found.many("label") == ("a", "b")


def test_a_missing_column_lists_those_there_are(toy: Task) -> None:
    with pytest.raises(DataError) as caught:
        map_columns(toy, table(text=LONG, notes=[*LONG[:3], "other"]))
    assert caught.value.message == "reviews.csv has no column for 'label'; its columns are: text, notes"
    assert caught.value.hint == 'write [columns] label = "NAME OF THE COLUMN"'


def test_a_misspelt_column_is_offered(toy: Task) -> None:
    with pytest.raises(DataError) as caught:
        map_columns(toy, table(text=LONG, lable=LONG[::-1]))
    assert caught.value.hint == "did you mean 'lable'? write [columns] label = \"lable\""


def test_a_file_that_lacks_a_header_is_suspected(toy: Task) -> None:
    frame = pd.DataFrame({"The food was cold and the waiter was rude to us": LONG, "7": LONG[::-1]})
    with pytest.raises(DataError) as caught:
        map_columns(toy, Table(frame.rename(columns={"7": "0.5"}).iloc[:, :1], "reviews.csv"))
    assert "?header=no" in caught.value.hint


def test_targets_are_not_needed_to_predict(toy: Task) -> None:
    found = map_columns(toy, table(body=LONG, verdict=SHORT), part="predict", overrides={"label": "gold"})
    assert dict(found.names) == {"text": "body"}


def test_a_single_column_of_short_texts_can_be_predicted(toy: Task) -> None:
    assert map_columns(toy, table(x=["yes", "yes"]), part="predict").one("text") == "x"


def test_the_map_of_the_training_data_is_followed(toy: Task) -> None:
    like = ColumnMap({"text": "body", "label": "verdict"}, {"text": "you named it", "label": "guessed"})
    assert map_columns(toy, table(text=LONG, body=LONG, verdict=SHORT, label=SHORT), like=like) is like
    partly = map_columns(toy, table(text=LONG, body=LONG, label=SHORT), like=like)
    assert dict(partly.names) == {"text": "body", "label": "label"}


def test_the_task_has_the_last_word(toy_class: type[Task]) -> None:
    class Adjusting(toy_class):
        def adjust_columns(self, table: Any, columns: ColumnMap) -> ColumnMap:
            return ColumnMap({**columns.names, "label": "is_good"}, {**columns.reasons, "label": "one-hot"})

    assert map_columns(Adjusting(), table(text=LONG, is_good=[0.1, 0.2, 0.3, 0.4])).one("label") == "is_good"


def ner(toy: Task) -> Task:
    toy.columns = (
        Column("text", "text", required=False),
        Column("entities", "spans", required=False, target=True),
        Column("tokens", "tokens", required=False),
        Column("tags", "tags", required=False, target=True),
    )
    return toy


def test_lists_of_words_tags_and_spans_are_told_apart(toy: Task) -> None:
    words = table(w=[["EU", "says"], ["B"]], t=[["B-ORG", "O"], ["O"]], n=[1, 2])
    assert dict(map_columns(ner(toy), words).names) == {"tokens": "w", "tags": "t"}
    spans = table(s=LONG[:2], e=[[{"start": 0, "end": 2, "type": "X"}], []], other=[["a"], ["b"]])
    assert dict(map_columns(ner(toy), spans).names) == {"text": "s", "entities": "e", "tokens": "other"}


def test_times_numbers_and_ids_are_told_apart(toy: Task) -> None:
    toy.columns = (Column("when", "time"), Column("score", "number"), Column("user", "id"))
    found = map_columns(
        toy, table(a=["2024-01-02 10:00", "2024-02-03"], b=[0.5, 1.5], c=["u 1", "u 2"], d=["u1", "u2"])
    )
    assert dict(found.names) == {"when": "a", "score": "b", "user": "d"}
