"""Recommendation: which items suit a user, from the texts of what they liked before.

Recommended on a CPU for a few thousand interactions: `epochs = 4`, `batch_size = 8`, `learning_rate = 1e-4`.
"""

from __future__ import annotations

from nbtune.api import Task, hookimpl
from nbtune_recommendation.task import Recommendation

__all__ = ["Recommendation", "nbtune_tasks"]


@hookimpl
def nbtune_tasks() -> list[Task]:
    return [Recommendation()]
