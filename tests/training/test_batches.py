"""Batches: every feature once, like lengths together, outputs back in order."""

from __future__ import annotations

import numpy as np
import pytest

from nbtune.tasks.head import Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.pretrained import pretrained
from nbtune.training.batches import Budget, epoch_batches, forward_with
from nbtune.training.devices import choose_device
from nbtune.values import Example, Inventory

LENGTHS = np.random.default_rng(0).integers(3, 200, size=1003)


@pytest.mark.parametrize("grouped", [True, False])
def test_every_feature_is_used_exactly_once_an_epoch(grouped: bool) -> None:
    batches = epoch_batches(LENGTHS, 16, seed=1, epoch=0, grouped=grouped)
    assert sorted(np.concatenate(batches)) == list(range(1003))
    assert sorted(map(len, batches))[1:] == [16] * 62


def test_grouping_saves_most_of_the_padding() -> None:
    def padding(grouped: bool) -> float:
        batches = epoch_batches(LENGTHS, 16, seed=1, epoch=0, grouped=grouped)
        return sum(LENGTHS[batch].max() * len(batch) for batch in batches) / LENGTHS.sum() - 1

    assert padding(True) < 0.1 < 0.5 < padding(False)


def test_the_order_is_the_same_for_the_same_seed_and_another_each_epoch() -> None:
    orders = [
        np.concatenate(epoch_batches(LENGTHS, 16, seed=seed, epoch=epoch, grouped=True)).tolist()
        for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != orders[3]


def test_grouped_batches_do_not_come_sorted() -> None:
    batches = epoch_batches(LENGTHS, 16, seed=1, epoch=0, grouped=True)
    means = [LENGTHS[batch].mean() for batch in batches]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


@pytest.mark.parametrize("grouped", [True, False])
def test_the_shortest_of_a_batch_come_first(grouped: bool) -> None:
    batches = epoch_batches(LENGTHS, 16, seed=1, epoch=0, grouped=grouped)
    assert all((np.diff(LENGTHS[batch]) >= 0).all() for batch in batches)


def test_outputs_come_back_in_order_and_do_not_depend_on_the_batch(tiny_model: str) -> None:
    head = SequenceHead(pretrained(tiny_model), Inventory(labels=("a", "b")), Recipe(max_length=64))
    head.model.eval()
    texts = ["word " * (1 + (7 * i) % 40) for i in range(50)]
    features = [each for rows in head.encode([Example({"text": t}) for t in texts], training=False) for each in rows]
    together = list(forward_with(head, choose_device("cpu"), budget=Budget(300))(features))
    alone = [next(iter(forward_with(head, choose_device("cpu"))([feature]))) for feature in features]
    np.testing.assert_allclose(together, alone, atol=1e-5)
