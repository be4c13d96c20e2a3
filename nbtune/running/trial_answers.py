"""A few answers that stand for all of a training's evaluations and for its report: what they take of time and memory.

The counterpart of `nbtune.training.trial`, which does the same for the steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from nbtune.evaluation.reporting import make_report
from nbtune.running import resident
from nbtune.running.before import MOST, untrained
from nbtune.running.finishing import predict
from nbtune.running.plan import Plan
from nbtune.tasks.head import Head
from nbtune.training.batches import Budget
from nbtune.training.devices import Device
from nbtune.training.loop import set_training
from nbtune.values import Example

_ANSWERED = (16, 96)
"""Examples answered to tell what an evaluation costs at all, and for each."""
_AT_ONCE = 256
"""Examples answered at most to tell what the largest batch of an evaluation takes."""
_REPORTED = 500
"""Training examples that the baselines learn from to tell what a report costs."""
_TERMS = 0.75
"""The power of the training examples with which the baselines' memory grows: that of a vocabulary, by Heaps' law."""


class TrialAnswers:
    """Answers validation examples when it is made, also a batch of long ones, for the peak of memory that the process
    remembers. `longest` is the most tokens of a text: 0 for a head that looks its texts up by itself, and so has all of
    them in memory with its first answer."""

    def __init__(self, plan: Plan, head: Head, device: Device, *, longest: int) -> None:
        self.plan, self.head, self.device = plan, head, device
        validation = plan.prepared.parts["validation"]
        set_training(head, False)
        took: list[tuple[int, float]] = []
        for count in _ANSWERED:
            examples = _spread(validation, count)
            began = time.perf_counter()
            self._predict(examples)
            took.append((len(examples), time.perf_counter() - began))
        if longest:
            self._predict(_longest(validation, min(_AT_ONCE, 1 + 2 * Budget().tokens // longest)))
        (few, short), (many, long) = took
        self._each = max(0.0, (long - short) / (many - few) if many > few else long / many)
        self._once = max(0.0, long - self._each * many)

    def seconds(self, examples: int) -> float:
        """What answering so many would take."""
        return self._once + self._each * examples

    def report(self) -> tuple[float, int | None]:
        """Seconds of what follows the training (what is fitted after the weights, the last answers, those of the model
        before, the report with its baselines), and the most bytes of memory held meanwhile."""
        plan, parts = self.plan, self.plan.prepared.parts
        scored = parts.get("test") or parts["validation"]
        asked = _spread(scored, _ANSWERED[-1])
        predictions = self._predict(asked)
        before = self._before(scored)
        answering = resident.peak()
        resident.forget_peak()
        held = resident.resident()
        learned = _spread(parts["train"], _REPORTED)
        began = time.perf_counter()
        make_report(
            run="estimate",
            task=plan.task,
            inventory=plan.prepared.inventory,
            data="validation",
            examples=asked,
            predictions=predictions,
            train=learned,
        )
        times = len(parts["train"]) / len(learned)
        reporting = (time.perf_counter() - began) * times
        most = resident.peak()
        if most is not None and held is not None and answering is not None:
            most = max(answering, held + int(max(0, most - held) * times**_TERMS))
        concluding = type(self.head).conclude is not Head.conclude
        conclusion = self.seconds(len(parts["validation"])) if concluding else 0.0
        return conclusion + self.seconds(len(scored)) + before + reporting, most

    def _before(self, scored: Sequence[Example]) -> float:
        """Seconds that the answers of the model before fine-tuning take, with its opening; a few are asked for."""
        plan = self.plan
        few = _longest(scored, _ANSWERED[0])
        began = time.perf_counter()
        rivals, _ = untrained(plan.task, lambda: plan.base, plan.prepared.inventory, plan.recipe, self.device, few)
        opening = max(0.0, time.perf_counter() - began - self.seconds(len(few)))
        return opening + (self.seconds(min(MOST, len(scored))) if rivals else 0.0)

    def _predict(self, examples: Sequence[Example]) -> list[Any]:
        return list(predict(self.plan, self.head, self.device, examples))


def _spread(examples: Sequence[Example], count: int) -> list[Example]:
    """Examples from everywhere in a part."""
    places = np.unique(np.linspace(0, len(examples) - 1, min(count, len(examples))).astype(int))
    return [examples[int(place)] for place in places]


def _longest(examples: Sequence[Example], count: int) -> list[Example]:
    """The longest of some examples from everywhere in a part, by the characters of what they give to the model."""
    some = _spread(examples, 20 * count)
    return sorted(some, key=lambda example: len(str(example.inputs)), reverse=True)[:count]
