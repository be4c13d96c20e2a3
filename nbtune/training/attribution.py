"""What a score rests on, token by token: gradients of the embeddings, and replacing tokens.

The gradient reaches the word embeddings through whatever the model computes with: adapters, the packed forward of a CPU
and all. Weights are in float32, and nothing is autocast: 8 bits of mantissa cannot hold a sum of small parts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nbtune.errors import ModelError
from nbtune.tasks.explained import Explained
from nbtune.tasks.head import Batch, Head
from nbtune.training import memory
from nbtune.training.batches import collate
from nbtune.training.devices import Device
from nbtune.values import Feature

Replaced = NDArray[np.bool_]
"""Which tokens of a feature are replaced by the filler, [tokens]."""

STEPS = (16, 32, 64, 128, 256, 512)
TOLERANCE = 0.02
"""The share of a score's change that attributions may miss; more steps are taken above it."""
MOST_TOKENS = 60_000
"""Tokens of all steps together, from which no more steps are taken: some 10 s of a small model on two cores."""
_AT_ONCE = 4096
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Attributed:
    """`tokens` are the parts of `score - baseline` that tokens have, an array [tokens] a feature; `steps` were
    taken."""

    tokens: list[NDArray[np.float64]]
    score: float
    baseline: float
    steps: int

    @property
    def missed(self) -> float:
        """The parts' sum less what it should be (captum's convergence delta)."""
        return float(sum(part.sum() for part in self.tokens)) - (self.score - self.baseline)

    @property
    def is_close(self) -> bool:
        """Whether little enough is missed: of the change, or, where parts for and against cancel, of the parts."""
        parts = float(sum(abs(part).sum() for part in self.tokens))
        return abs(self.missed) <= TOLERANCE * max(abs(self.score - self.baseline), parts / 2)


class Attribution:
    """Explains one answer of a head. `filler` is the token that stands for nothing."""

    def __init__(self, head: Head, device: Device, explained: Explained, filler: int) -> None:
        self._head = head
        self._device = device
        self._explained = explained
        self._filler = filler
        self._table = _token_table(head)
        self._at_once = _AT_ONCE

    def gradients(self, replaced: Sequence[Replaced]) -> Attributed:
        """Integrated gradients (Sundararajan et al., 2017) from the text with `replaced` tokens, a mask a feature, to
        the text, by Gauss-Legendre quadrature with as many steps as it takes."""
        batches = [self._device.send(collate([feature], self._head, self._device)) for feature in self._features]
        longest = max(batch["input_ids"].shape[1] for batch in batches)
        paths = [self._ends(batch, mask) for batch, mask in zip(batches, replaced, strict=True)]
        score, baseline = (
            sum(self._score_at(batch, path[end]) for batch, path in zip(batches, paths, strict=True)) for end in (0, 1)
        )
        found = None
        for steps in STEPS:
            if found is not None and steps * longest * len(batches) > MOST_TOKENS:
                break
            tokens = [self._integrate(b, *path, steps) for b, path in zip(batches, paths, strict=True)]
            found = Attributed(tokens, score, baseline, steps)
            if found.is_close:
                break
        assert found is not None
        return found

    def occlusion(self, replaced: Sequence[Sequence[Replaced]]) -> NDArray[np.float64]:
        """By how much the score falls with each of several replacements (Zeiler and Fergus, 2014); a mask a feature
        for each. Features of which nothing is replaced are not run again."""
        untouched = [(feature, np.zeros(0, dtype=np.bool_)) for feature in self._features]
        alone = list(self._scores(untouched))
        rows = [
            (place, which) for place, masks in enumerate(replaced) for which, mask in enumerate(masks) if mask.any()
        ]
        changed = [(self._features[which], replaced[place][which]) for place, which in rows]
        falls = np.zeros(len(replaced))
        for (place, which), value in zip(rows, self._scores(changed), strict=True):
            falls[place] += alone[which] - value
        return falls

    @property
    def _features(self) -> Sequence[Feature]:
        return self._explained.features

    def _ends(self, batch: Batch, mask: Replaced) -> tuple[Tensor, Tensor]:
        """The embeddings of the text and of the text with tokens replaced, [1, tokens, width]."""
        return self._vectors(batch, [mask[:0]]), self._vectors(batch, [mask])

    def _vectors(self, batch: Batch, masks: Sequence[Replaced]) -> Tensor:
        """The embeddings of a batch with tokens of each row replaced."""
        ids = batch["input_ids"].clone()
        for row, mask in enumerate(masks):
            ids[row, np.flatnonzero(mask)] = self._filler
        with torch.no_grad():
            return self._table(ids).detach()  # type: ignore[no-any-return]

    def _integrate(self, batch: Batch, text: Tensor, replaced: Tensor, steps: int) -> NDArray[np.float64]:
        names = list(batch)
        rows = text.shape[1]

        def forward(vectors: Tensor, *inputs: Tensor) -> Tensor:
            return self._score(dict(zip(names, inputs, strict=True)), vectors)

        def attribute() -> Tensor:
            return _integrated_gradients()(forward).attribute(  # type: ignore[no-any-return]
                text,
                baselines=replaced,
                additional_forward_args=tuple(batch[name] for name in names),
                n_steps=steps,
                method="gausslegendre",
                internal_batch_size=max(1, self._at_once // rows),
            )

        parts: NDArray[np.float64] = self._fitting(attribute)[0].sum(-1).cpu().double().numpy()
        return parts

    def _score_at(self, batch: Batch, vectors: Tensor) -> float:
        with torch.no_grad():
            return float(self._score(batch, vectors)[0])

    def _score(self, batch: Batch, vectors: Tensor) -> Tensor:
        with _embedded(self._table, vectors):
            return self._explained.score({**batch})  # it may take what is its own out of it

    def _scores(self, rows: Sequence[tuple[Feature, Replaced]]) -> Iterator[float]:
        """The score of each feature with tokens replaced."""
        longest = max(len(feature["input_ids"]) for feature in self._features)
        place = 0
        while place < len(rows):

            def run(start: int = place) -> NDArray[np.float64]:
                features, masks = zip(*rows[start : start + max(1, self._at_once // longest)], strict=True)
                batch = self._device.send(collate(features, self._head, self._device))
                with torch.no_grad():
                    scores = self._score(batch, self._vectors(batch, masks))
                return scores.cpu().double().numpy()

            values = self._fitting(run)
            place += len(values)
            yield from values

    def _fitting(self, work: Callable[[], _Result]) -> _Result:
        """What `work` gives, done in smaller pieces where memory runs out."""
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not memory.is_out_of_memory(error) or self._at_once <= 1:
                    raise
            self._at_once //= 2
            memory.release()


def _integrated_gradients() -> Any:
    """captum's class. On its way in it imports matplotlib, which tells of its caches on stderr."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        from captum.attr import IntegratedGradients
    finally:
        logger.setLevel(level)
    return IntegratedGradients


@contextmanager
def _embedded(table: nn.Module, vectors: Tensor) -> Iterator[None]:
    """Within the block, the table of word vectors gives these. Not passed as `inputs_embeds`, because many models also
    look at the tokens: for positions, or to find where a text ends."""
    handle = table.register_forward_hook(lambda *_: vectors)
    try:
        yield
    finally:
        handle.remove()


def _token_table(head: Head) -> nn.Module:
    model: Any = head.model
    table = model.get_input_embeddings() if hasattr(model, "get_input_embeddings") else None
    if table is None:
        raise ModelError(
            f"the word embeddings of {type(model).__name__} cannot be told, which explanations are made of",
            "use a transformers model that has get_input_embeddings()",
        )
    return table  # type: ignore[no-any-return]
