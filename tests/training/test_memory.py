"""A step that does not fit into memory is cut, and stays the step it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.events import Adjusted, Stepped
from nbtune.tasks.head import Batch, Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.label_metrics import label_metrics
from nbtune.tasks.pretrained import Pretrained, pretrained
from nbtune.training import adapters, memory
from nbtune.training.batches import Budget, forward_with
from nbtune.training.devices import choose_device
from nbtune.training.job import Job, LoopSettings
from nbtune.training.loop import train
from nbtune.values import Example, Inventory

TEXTS = ["good", "a very good day", "bad", "not good at all", "the worst", "fine", "so so", "never", "ever", "well"] * 2
EXAMPLES = [Example({"text": text}, "no" if place % 3 else "yes") for place, text in enumerate(TEXTS)]
INVENTORY = Inventory(("no", "yes"))


class Cramped(SequenceHead):
    """A head with room for `room` rows at once, and a list of the rows of each attempt."""

    def __init__(self, base: Pretrained, room: int) -> None:
        super().__init__(base, INVENTORY, Recipe(max_length=16))
        self.room = room
        self.learned: list[int] = []
        self.answered: list[int] = []

    def loss(self, batch: Batch) -> torch.Tensor:
        loss = super().loss(batch)
        if len(batch["labels"]) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.learned.append(len(batch["labels"]))
        return loss

    def outputs(self, batch: Batch) -> Sequence[Any]:
        if len(batch["input_ids"]) > self.room:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")
        self.answered.append(len(batch["input_ids"]))
        return super().outputs(batch)


def make_job(model: str, room: int, **settings: Any) -> Job:
    torch.manual_seed(0)
    head = Cramped(pretrained(model), room)
    for part in head.model.modules():  # masks depend on how rows are cut, so the curves are compared without dropout
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return Job(
        run="r",
        task="classification",
        model="tiny",
        head=head,
        features=FeatureSet.build(head.encode(EXAMPLES, training=True)),
        device=choose_device("cpu"),
        settings=LoopSettings(**{"epochs": 3, "batch_size": 10, "learning_rate": 1e-3, **settings}),
        control=Control(),
        metrics=label_metrics(INVENTORY.labels),
    )


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_cut_step_learns_what_the_whole_step_learns(tiny_model: str, accumulate: int) -> None:
    whole, cramped = (make_job(tiny_model, room, accumulate=accumulate) for room in (99, 3))
    expected = [event for event in train(whole) if isinstance(event, Stepped)]
    events = list(train(cramped))
    found = [event for event in events if isinstance(event, Stepped)]
    assert [event.loss for event in found] == pytest.approx([event.loss for event in expected], rel=1e-4)
    assert [event.step for event in found] == [event.step for event in expected]
    assert [event.examples for event in found] == [event.examples for event in expected]
    for (name, one), (_, other) in zip(adapters.learners(cramped.head), adapters.learners(whole.head), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-4, msg=name)


def test_each_cut_is_told_once_and_kept(tiny_model: str) -> None:
    job = make_job(tiny_model, 3)
    events = list(train(job))
    cuts = [(event.step, event.old, event.new) for event in events if isinstance(event, Adjusted)]
    assert cuts == [(0, 10, 5), (0, 5, 3)]
    assert job.state.rows_at_once == 3
    assert isinstance(job.head, Cramped)
    assert sum(job.head.learned) == 3 * len(EXAMPLES)  # every row once an epoch, none twice


def test_a_single_row_that_does_not_fit_is_raised(tiny_model: str) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        list(train(make_job(tiny_model, 0)))


def test_other_failures_are_not_taken_for_a_lack_of_memory(tiny_model: str) -> None:
    job = make_job(tiny_model, 99)
    job.head.loss = lambda batch: batch["labels"].float() @ torch.zeros(3)  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="size"):
        list(train(job))


def test_a_cut_step_draws_its_masks_anew(tiny_model: str) -> None:
    """What failed has drawn from the generators; the next attempt must begin where it began, to be repeatable."""
    job = make_job(tiny_model, 99)
    state = job.step_random_state()
    first = (torch.rand(3), job.shortcuts.masks.draw((4, 4), 0.5))
    job.set_step_random_state(state)
    again = (torch.rand(3), job.shortcuts.masks.draw((4, 4), 0.5))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_prediction_shrinks_by_itself_and_answers_in_order(tiny_model: str) -> None:
    torch.manual_seed(0)
    roomy, cramped = Cramped(pretrained(tiny_model), 99), Cramped(pretrained(tiny_model), 3)
    cramped.model.load_state_dict(roomy.model.state_dict())
    features = [feature for (feature,) in roomy.encode(EXAMPLES, training=False)]
    for head in (roomy, cramped):
        head.model.eval()
    cpu, budget = choose_device("cpu"), Budget()
    expected = np.stack(list(forward_with(roomy, cpu)(features)))
    found = np.stack(list(forward_with(cramped, cpu, budget=budget)(features)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert sum(cramped.answered) == len(features)
    assert budget.tokens < Budget().tokens


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes"), True),
        (RuntimeError("size mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: Exception, expected: bool) -> None:
    assert memory.is_out_of_memory(error) is expected


def test_cutting_keeps_order_and_rows() -> None:
    groups = [np.arange(5), np.arange(5, 8)]
    assert [part.tolist() for part in memory.cut(groups, 2)] == [[0, 1], [2, 3], [4], [5, 6], [7]]
    assert [part.tolist() for part in memory.cut(groups, None)] == [[0, 1, 2, 3, 4], [5, 6, 7]]
