"""All that is known before training."""

from __future__ import annotations

from dataclasses import dataclass

from nbtune.control import Control
from nbtune.data.prepare import Prepared
from nbtune.running.folder import RunFolder
from nbtune.running.spec import RunSpec
from nbtune.tasks.head import Recipe
from nbtune.tasks.pretrained import Pretrained
from nbtune.tasks.task import Task


@dataclass(frozen=True)
class Plan:
    """All that is known before training; every fault of the user has been found by now."""

    spec: RunSpec
    task: Task
    base: Pretrained
    recipe: Recipe
    prepared: Prepared
    folder: RunFolder
    control: Control
    resume: bool = False
