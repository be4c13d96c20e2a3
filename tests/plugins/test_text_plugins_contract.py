"""Both text tasks keep the contract in every form: the walk from columns to a trained and reopened tiny model."""

from __future__ import annotations

from typing import Any

import pytest
from nbtune_classification.task import Classification
from nbtune_sentiment.task import Sentiment

from nbtune.api import Task
from nbtune.testing import check_task

WORDS = ("plum", "saw", "moon")


def rows(**column: list[Any]) -> list[dict[str, Any]]:
    ((name, values),) = column.items()
    return [{"text": f"the {WORDS[row % 3]} of day {row}", name: values[row % len(values)]} for row in range(24)]


def one_hot() -> list[dict[str, Any]]:
    return [{"text": f"day {row}", "toxic": row % 2, "insult": int(row % 3 == 0)} for row in range(24)]


def pairs() -> list[dict[str, Any]]:
    return [{**row, "text_pair": f"number {row['text']}"} for row in rows(label=[True, False])]


@pytest.mark.parametrize(
    ("task", "data"),
    [
        (Classification(), rows(label=["fruit", "tool", "sky"])),
        (Classification(), pairs()),
        (Classification(), rows(tags=[["a", "b"], ["b"], [], ["a", "c"], ["c"]])),
        (Classification(), rows(tags=["a;b", "b", "a", "a;c", "c", "c;b"])),
        (Classification(), one_hot()),
        (Classification().configured({"label_names": ["no", "yes"]}), rows(label=[0, 1])),
        (Sentiment(), rows(stars=[1, 2, 3, 4, 5])),
        (Sentiment(), rows(sentiment=["neg", "pos"])),
        (Sentiment().configured({"classes": "numeric"}), rows(intensity=[0.5, 1.5, 3.25, -2.0])),
    ],
    ids=["labels", "pairs", "lists", "delimited", "one-hot", "named", "stars", "words", "numbers"],
)
def test_the_contract_is_kept(task: Task, data: list[dict[str, Any]], tiny_model: str) -> None:
    assert check_task(task, data, model=tiny_model).task == task.name
