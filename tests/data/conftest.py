"""A tiny task, so that data is tested without any plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbtune.data.cells import clean_label, clean_text
from nbtune.tasks.head import Head
from nbtune.tasks.metrics import MetricSet
from nbtune.tasks.task import Task
from nbtune.values import Column, Example, Problem


class ToyTask(Task):
    """A text and a label; a `writer`, where there is one, is the group."""

    name = "toy"
    summary = "texts with a label"
    headline = "accuracy"
    columns = (
        Column("text", "text", aliases=("sentence", "review")),
        Column("label", "label", aliases=("category", "intent"), target=True),
        Column("writer", "id", aliases=("author",), required=False),
    )

    def read(self, table: Any, columns: Any, part: Any) -> Iterator[Example | Problem]:
        for row in range(len(table)):
            try:
                role = "text"
                text = clean_text(table[columns.one("text")].iloc[row])
                role = "label"
                label = None if part == "predict" else clean_label(table[columns.one("label")].iloc[row])
            except ValueError as error:
                yield Problem(row, str(error), role)
                continue
            group = str(table[columns.one("writer")].iloc[row]) if "writer" in columns else None
            yield Example({"text": text}, label, row=row, group=group)

    def head(self, base: Any, inventory: Any, recipe: Any) -> Head:
        raise AssertionError("data is prepared without a model")

    def metrics(self, inventory: Any) -> MetricSet:
        raise AssertionError("data is prepared without metrics")


@pytest.fixture
def toy() -> ToyTask:
    return ToyTask()


@pytest.fixture
def toy_class() -> type[ToyTask]:
    return ToyTask


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    """Writes a file into a folder of the test's own, exactly as given, and says where it is."""

    def write_file(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write_file
