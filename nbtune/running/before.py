"""The model before fine-tuning, as a rival of the one after: the base with a new head, or the run it started from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from nbtune.errors import ModelError
from nbtune.evaluation.reporting import Rival
from nbtune.running.memory import give_back
from nbtune.tasks.head import Head, Recipe
from nbtune.tasks.pretrained import Pretrained
from nbtune.tasks.task import Task
from nbtune.training import adapters, memory
from nbtune.training.batches import forward_with
from nbtune.training.devices import Device
from nbtune.training.loop import set_training
from nbtune.training.randomness import random_state, seed_generators, set_random_state
from nbtune.training.shortcuts import pack_predictions
from nbtune.values import Example, Inventory

MOST = 1000
"""Examples it is asked about; a random choice of them where there are more."""
NAME = "before fine-tuning"


def untrained(
    task: Task,
    find: Callable[[], Pretrained],
    inventory: Inventory,
    recipe: Recipe,
    device: Device,
    examples: Sequence[Example],
    heed: Callable[[], None] = lambda: None,
) -> tuple[list[Rival], list[str]]:
    """What the model said before its first step, with the new layers that the run's seed draws; where it cannot be
    asked, nobody, and a note that says why. `find` gives the base that the run began with."""
    rows = _choice(len(examples))
    asked = examples if rows is None else [examples[row] for row in rows]
    try:
        with _seeded(recipe.seed):
            answers = list(_answers(task.head(find(), inventory, recipe), device, asked, heed))
    except ModelError as error:
        return [], [f"the model before fine-tuning is not here to be compared with: {error.message}"]
    except (RuntimeError, MemoryError) as error:
        if not memory.is_out_of_memory(error):
            raise
        answers = None
    give_back()  # a whole model, or what a failed attempt at it held: outside of `except`, whose frames hold it
    if answers is not None:
        return [Rival(NAME if rows is None else f"{NAME} ({MOST:,} examples)", answers, rows)], []
    return [], ["memory ran out over the model before fine-tuning, so it is not compared with"]


def _answers(head: Head, device: Device, examples: Sequence[Example], heed: Callable[[], None]) -> Iterator[object]:
    for module in adapters.modules(head).values():
        module.to(device.device)
    set_training(head, False)
    pack_predictions(head, device)
    yield from head.predict(examples, forward_with(head, device, heed=heed))


def _choice(examples: int) -> list[int] | None:
    if examples <= MOST:
        return None
    return sorted(np.random.default_rng(0).choice(examples, MOST, replace=False).tolist())


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The generators as they were when the run made its head; afterwards as they are now: they are the user's."""
    state = random_state()
    seed_generators(seed)
    try:
        yield
    finally:
        set_random_state(state)
