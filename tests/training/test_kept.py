"""What frozen layers give is computed once, and training with it is bit for bit that of computing it anew."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.events import Stepped
from nbtune.tasks.head import Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.label_metrics import label_metrics
from nbtune.tasks.pretrained import pretrained
from nbtune.training import adapters
from nbtune.training.devices import choose_device
from nbtune.training.encoder import PackedForward
from nbtune.training.job import Job, LoopSettings
from nbtune.training.kept import KeptStates, Limits, text_keys
from nbtune.training.loop import train
from nbtune.values import Example, Inventory

TEXTS = ["good", "a very good day indeed", "bad", "not good at all", "the worst of days", "fine", "bad bad bad"] * 2
EXAMPLES = [Example({"text": text}, "no" if "bad" in text or "worst" in text else "yes") for text in TEXTS]


def learn(model: str, freeze: int | Literal["base"]) -> tuple[Job, list[float | None]]:
    torch.manual_seed(0)
    inventory = Inventory(("no", "yes"))
    head = SequenceHead(pretrained(model), inventory, Recipe(max_length=16))
    adapters.freeze(head, freeze)
    job = Job(
        run="r",
        task="classification",
        model="tiny",
        head=head,
        features=FeatureSet.build(head.encode(EXAMPLES, training=True)),
        device=choose_device("cpu"),
        settings=LoopSettings(epochs=4, batch_size=4, learning_rate=1e-2),
        control=Control(),
        metrics=label_metrics(inventory.labels),
    )
    torch.manual_seed(1)
    losses = [event.loss for event in train(job) if isinstance(event, Stepped)]
    return job, losses


@pytest.mark.parametrize("freeze", [1, 2, "base"])
def test_keeping_what_frozen_layers_give_changes_no_bit(
    tiny_model: str, freeze: int | Literal["base"], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, kept_losses = learn(tiny_model, freeze)
    monkeypatch.setattr("nbtune.training.kept.LIMITS", Limits(memory=0, disk=0))
    anew, anew_losses = learn(tiny_model, freeze)
    assert kept_losses == anew_losses
    assert len(set(kept_losses)) == len(kept_losses)  # something is learned at every step
    for (name, one), (_, other) in zip(adapters.learners(kept.head), adapters.learners(anew.head), strict=True):
        assert torch.equal(one, other), name


def test_each_text_is_computed_once(tiny_model: str) -> None:
    job, _ = learn(tiny_model, 1)
    forward = job.head.model.base_model.forward
    assert isinstance(forward, PackedForward)
    assert forward.kept is not None
    assert len(forward.kept) == len(set(TEXTS))


def test_nothing_is_kept_where_everything_learns(tiny_model: str) -> None:
    job, _ = learn(tiny_model, 0)
    forward = job.head.model.base_model.forward
    assert isinstance(forward, PackedForward)
    assert forward.kept is None


@pytest.mark.parametrize(
    "limits",
    [Limits(), Limits(memory=0), Limits(memory=0, disk=0), Limits(memory=3 << 20, disk=0)],
    ids=["memory", "disk", "nowhere", "too little memory"],
)
def test_states_come_back_as_they_were(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbtune.training.kept.BLOCK", 2 << 20)
    store = KeptStates(limits)
    states = [torch.randn(n % 7 + 1, 64) for n in range(4000)]
    keys = [str(n).encode() for n in range(4000)]
    calls: list[int] = []

    def compute(position: int) -> torch.Tensor:
        calls.append(position)
        return states[position]

    for _ in range(2):
        assert torch.equal(store.gather(keys, compute), torch.cat(states))
    assert len(calls) == 8000 - len(store)
    assert (len(store) == 4000) == (limits.memory + limits.disk > 4 << 20)


def test_what_more_texts_would_take_is_foretold() -> None:
    store = KeptStates(Limits(memory=80 << 20, disk=0))
    assert store.expected(1000) == 0  # nothing to go by
    store.gather([b"a", b"b"], lambda position: torch.zeros(10 + 10 * position, 64))
    assert store.expected(2) == 4 * 64 * 30  # what is filled, not what is reserved
    assert store.expected(2000) == 1000 * store.expected(2)
    assert store.expected(10**6) == 80 << 20  # the rest is computed anew


def test_texts_are_told_apart_by_tokens_and_segments() -> None:
    ids = torch.tensor([[1, 2, 3], [1, 2, 0], [1, 2, 3]])
    types = torch.tensor([[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    assert len(set(text_keys(ids, types, [3, 2, 3]))) == 3
    assert len(set(text_keys(ids, None, [3, 2, 3]))) == 2
