"""Sentiment of texts: two, three or five ordered classes, or a number."""

from __future__ import annotations

from nbtune.api import Task, hookimpl
from nbtune_sentiment.task import Sentiment


@hookimpl
def nbtune_tasks() -> list[Task]:
    return [Sentiment()]
