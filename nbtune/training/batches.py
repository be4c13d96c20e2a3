"""Which features share a batch, and in which order batches come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nbtune.data.encoding import TOKENS, pad, token_count
from nbtune.tasks.head import Batch, Forward, Head
from nbtune.training import memory
from nbtune.training.devices import Device
from nbtune.values import Feature

POOL = 50
"""Batches sorted by length together: enough for tight padding, few enough to stay shuffled."""


def epoch_batches(
    lengths: NDArray[np.int64], batch_size: int, *, seed: int, epoch: int, grouped: bool
) -> list[NDArray[np.int64]]:
    """The feature indices of each batch of one epoch; the same for the same seed and epoch.

    With `grouped`, features of like length share a batch: shuffle, sort inside pools of `POOL` batches, cut,
    shuffle the batches. Every feature is used exactly once; inside a batch the shortest come first.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    if grouped:
        pool = POOL * batch_size
        order = np.concatenate(
            [
                chunk[np.argsort(lengths[chunk], kind="stable")]
                for chunk in (order[start : start + pool] for start in range(0, len(order), pool))
            ]
        )
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if grouped:
        random.shuffle(batches)
        return batches
    return [batch[np.argsort(lengths[batch], kind="stable")] for batch in batches]


def collate(features: Sequence[Feature], head: Head, device: Device) -> Batch:
    """Features as padded tensors, still in the host's memory (`Device.send` moves them)."""
    arrays = pad(features, fillers(features[0], head), device.pad_multiple)
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def fillers(feature: Feature, head: Head) -> dict[str, int]:
    """What each key is padded with: the head's wish, the tokenizer's pad token, -100 for labels, else 0."""
    pad_token = getattr(head.tokenizer, "pad_token_id", None) or 0
    wishes = head.padding()
    return {
        key: wishes.get(key, pad_token if key.endswith(TOKENS) else -100 if key == "labels" else 0) for key in feature
    }


@dataclass
class Budget:
    """How many padded tokens are predicted at once; lowered where they do not fit into memory."""

    tokens: int = 4096


def forward_with(
    head: Head,
    device: Device,
    *,
    budget: Budget | None = None,
    heed: Callable[[], None] = lambda: None,
    told: Callable[[int], None] = lambda _: None,
) -> Forward:
    """A `Forward` for this head: sorts a window of features by length, fills batches up to a budget of padded
    tokens, and gives the outputs back in order. `heed` is called before each batch (to stop), `told` after it with the
    number of its features."""
    allowed = budget or Budget()

    def run(features: Iterable[Feature]) -> Iterator[Any]:
        stream = iter(features)
        while window := list(islice(stream, 2048)):
            results: list[Any] = [None] * len(window)
            waiting = _budgeted([token_count(feature) for feature in window], allowed.tokens)
            while waiting:
                heed()
                indices = waiting.pop()
                outputs = _outputs(head, device, [window[index] for index in indices])
                if outputs is None:
                    memory.release()
                    allowed.tokens = max(1, allowed.tokens // 2)
                    middle = len(indices) // 2
                    waiting += [indices[middle:], indices[:middle]]
                    continue
                for index, output in zip(indices, outputs, strict=True):
                    results[index] = output
                told(len(indices))
            yield from results

    return run


def _outputs(head: Head, device: Device, features: Sequence[Feature]) -> Sequence[Any] | None:
    """The outputs of one batch; None if it does not fit into memory."""
    try:
        batch = device.send(collate(features, head, device))
        with torch.inference_mode(), device.autocast():
            return head.outputs(batch)
    except (RuntimeError, MemoryError) as error:
        if not memory.is_out_of_memory(error) or len(features) == 1:
            raise
        return None


def _budgeted(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Indices sorted by length, the longest last, cut where longest x rows would pass the budget."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    batches: list[list[int]] = [[]]
    for index in order:
        longest = lengths[batches[-1][0]] if batches[-1] else lengths[index]
        if batches[-1] and (len(batches[-1]) + 1) * longest > tokens:
            batches.append([])
        batches[-1].append(index)
    return batches[::-1]
