"""Classification of texts and text pairs: two labels, many labels, or any number of labels a row."""

from __future__ import annotations

from nbtune.api import Task, hookimpl
from nbtune_classification.task import Classification


@hookimpl
def nbtune_tasks() -> list[Task]:
    return [Classification()]
