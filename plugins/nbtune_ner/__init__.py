"""Named entity recognition: spans of text and their types, in any language."""

from __future__ import annotations

from nbtune.api import Task, hookimpl


@hookimpl
def nbtune_tasks() -> list[Task]:
    """The task `ner`."""
    from nbtune_ner.task import Ner

    return [Ner()]
