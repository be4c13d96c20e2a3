"""The built-in tasks pass the kit that strangers run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbtune.tasks.registry import registry
from nbtune.tasks.task import Task
from nbtune.testing import check_task


def task(name: str, **options: Any) -> Task:
    return registry().task(name).configured(options)


def samples(name: str) -> Path:
    folder = registry().task(name).samples
    assert folder is not None
    return folder


def test_ner_from_texts_and_from_tokens(tiny_model: str) -> None:
    lines = (samples("ner") / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[:16]]
    assert check_task(task("ner"), rows, model=tiny_model).features >= 12
    tagged = [
        {"tokens": ["Ada", "met", "Ines", "in", place], "tags": ["B-PER", "O", "B-PER", "O", "B-LOC"]}
        for place in ("Rome", "Bonn", "Oslo", "Graz", "Brno", "Lima", "Cork", "Bari")
    ]
    assert check_task(task("ner"), tagged, model=tiny_model).examples == {"train": 6, "validation": 2}


@pytest.mark.parametrize("column", ["intent", "tags"])
def test_classification_of_one_and_of_several_labels(column: str, tiny_model: str) -> None:
    frame = pd.read_csv(samples("classification") / "train.csv")
    usual = frame["intent"].value_counts().index[:3]
    rows = frame[frame["intent"].isin(usual)].head(30)[["text", column]]
    if column == "tags":
        rows = rows.fillna("")
    assert check_task(task("classification"), rows, columns={"label": column}, model=tiny_model).metrics


@pytest.mark.parametrize("classes", ["auto", 3, "numeric"])
def test_sentiment_in_classes_and_in_numbers(classes: Any, tiny_model: str) -> None:
    rows = pd.read_csv(samples("sentiment") / "train.csv").head(40)
    assert check_task(task("sentiment", classes=classes), rows, model=tiny_model).examples["train"] == 30


@pytest.mark.parametrize("head", ["towers", "cross"])
def test_recommendation_by_towers_and_by_cross_encoder(head: str) -> None:
    tables = registry().task("recommendation").read_samples()
    assert tables is not None
    frame = tables["train"]
    counts = frame["user"].value_counts()
    rows = frame[frame["user"].isin(counts[counts.between(4, 5)].index[:6])]
    assert check_task(task("recommendation", head=head), rows).metrics["ndcg@10"] >= 0
