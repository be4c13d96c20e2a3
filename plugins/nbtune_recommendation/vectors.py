"""The items' vectors, kept until a weight or a text changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nbtune_recommendation.catalogue import Catalogue

FILE = "item_vectors.safetensors"


class VectorStore:
    """Vectors of one catalogue, shape [items, size], with the fingerprint of the weights that made them."""

    def __init__(self) -> None:
        self._vectors: NDArray[np.float32] | None = None
        self._digest = ""
        self._weights = np.zeros(0)
        self._ids: tuple[str, ...] = ()

    def of(
        self,
        catalogue: Catalogue,
        weights: NDArray[np.float64],
        compute: Callable[[Sequence[str]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """The vectors of `catalogue`; only those that are not known for these weights are computed."""
        current = self._vectors is not None and _same(self._weights, weights)
        if self._vectors is not None and current:
            if catalogue.digest == self._digest:
                return self._vectors
            known = len(self._ids)
            # a catalogue that only has new items at its end
            if catalogue.ids[:known] == self._ids and catalogue.first(known).digest == self._digest:
                return np.concatenate([self._vectors, compute(catalogue.texts[known:])])
        vectors = compute(catalogue.texts)
        self._vectors, self._digest, self._weights, self._ids = vectors, catalogue.digest, weights, catalogue.ids
        return vectors

    def save(self, folder: Path, weights: NDArray[np.float64]) -> None:
        """Write the vectors, if they are those of `weights`."""
        from safetensors.numpy import save_file

        if self._vectors is None or not _same(self._weights, weights):
            return
        save_file(
            {"vectors": np.ascontiguousarray(self._vectors), "weights": self._weights},
            folder / FILE,
            metadata={"catalogue": self._digest, "items": str(len(self._ids))},
        )

    def load(self, folder: Path, catalogue: Catalogue) -> None:
        """Read what `save` wrote; nothing happens if there is no file or it is of another catalogue."""
        from safetensors import safe_open

        path = folder / FILE
        if not path.is_file():
            return
        with safe_open(path, framework="numpy") as file:
            facts = file.metadata() or {}
            known = catalogue.first(int(facts.get("items", 0)))
            if facts.get("catalogue") != known.digest:
                return
            self._vectors, self._weights = file.get_tensor("vectors"), file.get_tensor("weights")
        self._digest, self._ids = known.digest, known.ids


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    # sums of millions of numbers differ in the last digits from device to device
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-7))
