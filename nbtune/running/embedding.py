"""Texts as vectors: the mean of the states that a run's encoder gives for their tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nbtune.errors import RunError
from nbtune.running.model import Model
from nbtune.tasks.head import Batch, Head, decoded
from nbtune.training import adapters
from nbtune.training.batches import forward_with
from nbtune.training.loop import set_training
from nbtune.values import Example


def embed(model: Model, examples: Sequence[Example]) -> NDArray[np.float32]:
    """A vector each, of shape [examples, size of the encoder's states].

    Raises:
        RunError: the model is none whose encoder gives states.
    """
    set_training(model.head, False)
    pooling = cast(Head, _Pooling(model.head))  # all that running features needs of one
    forward = forward_with(pooling, model.device)
    return np.stack(list(decoded(model.head, examples, forward, _mean)))


class _Pooling:
    """A head whose outputs are the sum of the states of a feature's tokens, and their number."""

    def __init__(self, head: Head) -> None:
        self.tokenizer = head.tokenizer
        self._padding = head.padding()
        self._names = set(head.tokenizer.model_input_names)
        model: Any = head.model
        whole = model.get_base_model() if adapters.is_lora(head) else model
        self._encoder: Any = getattr(whole, "base_model", None)

    def padding(self) -> Mapping[str, int]:
        return self._padding

    def outputs(self, batch: Batch) -> Sequence[tuple[NDArray[np.float32], float]]:
        fed = {key: value for key, value in batch.items() if key in self._names}
        states = getattr(self._encoder(**fed), "last_hidden_state", None) if self._encoder is not None else None
        if states is None:
            raise RunError("this model has no encoder whose states could be compared", "choose without: diverse=False")
        mask = batch["attention_mask"].to(states.dtype)
        sums = (states * mask[:, :, None]).sum(dim=1).float().cpu().numpy()
        return list(zip(sums, mask.sum(dim=1).tolist(), strict=True))


def _mean(_: Example, outputs: Sequence[tuple[NDArray[np.float32], float]]) -> NDArray[np.float32]:
    """Over all windows of a long text."""
    total = sum(tokens for _, tokens in outputs)
    return np.asarray(sum(sums for sums, _ in outputs) / max(total, 1.0), dtype=np.float32)
