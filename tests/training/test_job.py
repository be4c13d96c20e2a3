"""A job's snapshot: everything that a step changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.tasks.head import Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.metrics import Metric, MetricSet, mean
from nbtune.tasks.pretrained import pretrained
from nbtune.training import shortcuts
from nbtune.training.checkpoints import HostCopy
from nbtune.training.devices import choose_device
from nbtune.training.job import Job, LoopSettings
from nbtune.training.loop import train
from nbtune.values import Example, Inventory

EXAMPLES = [Example({"text": f"text {index}"}, ("neg", "pos")[index % 2], row=index) for index in range(8)]


class NormedHead(SequenceHead):
    """A head with a buffer that is counted along, not learned."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.norm = torch.nn.BatchNorm1d(2)

    def extra_modules(self) -> dict[str, torch.nn.Module]:
        return {"norm": self.norm}

    def loss(self, batch: Any) -> torch.Tensor:
        logits = self.model(**{key: value for key, value in batch.items() if key != "labels"}).logits
        return torch.nn.functional.cross_entropy(self.norm(logits), batch["labels"])


def make_job(tiny_model: str, **settings: Any) -> Job:
    torch.manual_seed(0)
    inventory = Inventory(labels=("neg", "pos"), counts={"neg": 4, "pos": 4})
    head = NormedHead(pretrained(tiny_model), inventory, Recipe(max_length=16))
    return Job(
        run="t",
        task="t",
        model="tiny",
        head=head,
        features=FeatureSet.build(head.encode(EXAMPLES, training=True)),
        device=choose_device("cpu"),
        settings=LoopSettings(epochs=1, batch_size=4, learning_rate=1e-3, **settings),
        control=Control(),
        metrics=MetricSet(("right", "count"), lambda *_: (0.0, 1), (Metric("accuracy", mean(0, 1)),), "accuracy"),
    )


def test_buffers_that_are_counted_along_are_part_of_a_snapshot(tiny_model: str) -> None:
    job = make_job(tiny_model)
    list(train(job))
    kept = HostCopy().take(job.snapshot())
    assert {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"} <= kept.weights.keys()
    assert not any("position_ids" in name for name in kept.weights)  # made again with the model
    other = make_job(tiny_model)
    other.restore(kept)
    assert torch.equal(other.head.norm.running_mean, job.head.norm.running_mean)  # type: ignore[attr-defined]
    assert int(other.head.norm.num_batches_tracked) == 2  # type: ignore[attr-defined]


def test_the_best_weights_do_not_follow_the_training(tiny_model: str) -> None:
    job = make_job(tiny_model)
    job.load_best()  # nothing yet
    job.keep_best()
    before = {name: tensor.clone() for name, tensor in job.weights().items()}
    list(train(job))
    assert not all(torch.equal(tensor, before[name]) for name, tensor in job.weights().items())
    job.load_best()
    assert all(torch.equal(tensor, before[name]) for name, tensor in job.weights().items())


def test_finishing_brings_the_best_weights_back_and_may_be_asked_for_twice(tiny_model: str) -> None:
    """A failure after it (while the report is made, say) finishes again, to save what there is."""
    untrained, job = make_job(tiny_model), make_job(tiny_model)
    untrained.finish()
    job.keep_best()
    list(train(job))
    for _ in range(2):
        job.finish()
        assert job.best_weights is None
        found, expected = (one.head.model.state_dict() for one in (job, untrained))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_only_learning_needs_is_let_go_in_the_end(tiny_model: str) -> None:
    """Gradients and moments are three times the weights, and the report opens a second model."""
    job = make_job(tiny_model)
    list(train(job))
    learned = [p for group in job.optimizer.param_groups for p in group["params"]]
    assert job.optimizer.state
    assert any(p.grad is not None for p in learned)
    job.finish()
    assert not job.optimizer.state
    assert all(p.grad is None for p in learned)


def test_batches_are_grouped_by_length_where_padding_costs_something(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not make_job(tiny_model).state.grouped  # packed
    assert make_job(tiny_model, length_grouping=True).state.grouped
    monkeypatch.setattr(shortcuts, "SUPPORTED", frozenset())
    padded = make_job(tiny_model)
    assert padded.state.grouped
    assert not make_job(tiny_model, length_grouping=False).state.grouped


def test_a_resume_keeps_the_order_of_batches_that_the_run_began_with(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another device padding may cost something; the batches used so far would be others there."""
    packed = make_job(tiny_model)
    monkeypatch.setattr(shortcuts, "SUPPORTED", frozenset())
    other = make_job(tiny_model)
    other.restore(HostCopy().take(packed.snapshot()))
    assert not other.state.grouped
