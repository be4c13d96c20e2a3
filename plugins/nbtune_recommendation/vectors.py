"""The items' vectors, kept until a weight changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = "item_vectors.safetensors"


class VectorStore:
    """Vectors of texts, shape [texts, size], with the fingerprint of the weights that made them."""

    def __init__(self) -> None:
        self._texts: tuple[str, ...] = ()
        self._vectors = np.zeros((0, 0), dtype=np.float32)
        self._weights = np.zeros(0)

    def of(
        self,
        texts: tuple[str, ...],
        weights: NDArray[np.float64],
        compute: Callable[[Sequence[str]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """The vectors of `texts`; only those after the part they share with what is kept are computed."""
        shared = _shared(self._texts, texts) if _same(self._weights, weights) else 0
        if shared == len(texts):
            return self._vectors[:shared]
        rest = compute(texts[shared:])
        vectors = np.concatenate([self._vectors[:shared], rest]) if shared else rest
        if shared == len(self._texts) or not shared:
            self._texts, self._vectors, self._weights = texts, vectors, weights
        return vectors

    def save(self, folder: Path, texts: tuple[str, ...], weights: NDArray[np.float64]) -> None:
        """Write the vectors of `texts`, if they are there and are those of `weights`."""
        from safetensors.numpy import save_file

        if not texts or _shared(self._texts, texts) < len(texts) or not _same(self._weights, weights):
            return
        tensors: dict[str, NDArray[Any]] = {
            "vectors": np.ascontiguousarray(self._vectors[: len(texts)]),
            "weights": self._weights,
        }
        save_file(tensors, folder / FILE, metadata={"texts": _digest(texts)})

    def load(self, folder: Path, texts: tuple[str, ...]) -> None:
        """Read what `save` wrote; nothing happens if there is no file or it is of other texts."""
        from safetensors import safe_open

        path = folder / FILE
        if not path.is_file():
            return
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("texts") == _digest(texts):
                self._vectors, self._weights = file.get_tensor("vectors"), file.get_tensor("weights")
                self._texts = texts


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many texts both begin with."""
    shortest = min(len(one), len(other))
    if one[:shortest] == other[:shortest]:
        return shortest
    return next(index for index in range(shortest) if one[index] != other[index])


def _digest(texts: tuple[str, ...]) -> str:
    return hashlib.sha256(repr(texts).encode()).hexdigest()


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    # sums of millions of numbers differ in the last digits from device to device
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-7))
