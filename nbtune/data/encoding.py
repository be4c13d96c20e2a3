"""Encoded features, column by column, and batches padded from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune.errors import PluginError
from nbtune.values import Feature

TOKENS = "input_ids"
"""Keys with this ending hold tokens."""


@dataclass(frozen=True, slots=True)
class _Ragged:
    """Rows of different length: row i is `values[offsets[i]:offsets[i + 1]]`."""

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    def row(self, index: int) -> NDArray[Any]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)


class FeatureSet(Sequence[Feature]):
    """Features kept as flat arrays: a few bytes a token instead of a Python object each.

    `owners[i]` is the index of the example that feature i came from.
    """

    def __init__(self, columns: Mapping[str, _Ragged | NDArray[Any]], owners: NDArray[np.int64]) -> None:
        self._columns = dict(columns)
        self.owners = owners

    @classmethod
    def build(cls, encoded: Iterable[Sequence[Feature]]) -> FeatureSet:
        """Gather the features of each example, in order.

        Raises:
            PluginError: features differ in their keys.
        """
        gathered: dict[str, list[Any]] = {}
        owners: list[int] = []
        for owner, features in enumerate(encoded):
            for feature in features:
                if owners and feature.keys() != gathered.keys():
                    raise PluginError(f"features differ in their keys: {sorted(feature)} after {sorted(gathered)}")
                for key, value in feature.items():
                    scalar = isinstance(value, (int, float, np.generic))
                    gathered.setdefault(key, []).append(value if scalar else np.asarray(value))
                owners.append(owner)
        return cls({key: _column(values) for key, values in gathered.items()}, np.asarray(owners, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.owners)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return {
            key: column.row(index) if isinstance(column, _Ragged) else column[index]
            for key, column in self._columns.items()
        }

    def __iter__(self) -> Iterator[Feature]:
        return (self[index] for index in range(len(self)))

    def token_columns(self) -> Iterator[NDArray[Any]]:
        """The tokens of all features, one flat array a key that holds tokens."""
        for key, column in self._columns.items():
            if key.endswith(TOKENS):
                yield column.values if isinstance(column, _Ragged) else column.reshape(-1)

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each feature, shape [features]."""
        total = np.zeros(len(self), dtype=np.int64)
        for key, column in self._columns.items():
            if key.endswith(TOKENS) and isinstance(column, _Ragged):
                total += column.lengths()
        return total


def token_count(feature: Feature) -> int:
    """The tokens of one feature."""
    return sum(len(value) for key, value in feature.items() if key.endswith(TOKENS))


def pad(features: Sequence[Feature], padding: Mapping[str, int], multiple: int = 1) -> dict[str, NDArray[Any]]:
    """Features padded to their longest (rounded up to `multiple`): name -> array [features, longest] or [features].

    `padding` gives the filler of each ragged key. Token keys of other names keep their own longest.
    """
    batch: dict[str, NDArray[Any]] = {}
    for key, first in features[0].items():
        values = [feature[key] for feature in features]
        if np.ndim(first) == 0:
            batch[key] = _narrow(np.asarray(values))
            continue
        lengths = [len(value) for value in values]
        longest = max(lengths)
        if min(lengths) < longest or key.endswith(TOKENS):
            longest = -(-longest // multiple) * multiple
        if min(lengths) == longest:
            batch[key] = _narrow(np.asarray(values))
            continue
        kind = _narrow(np.asarray(first)).dtype
        padded = np.full((len(values), longest), padding.get(key, 0), dtype=kind)
        for row, (value, length) in enumerate(zip(values, lengths, strict=True)):
            padded[row, :length] = value
        batch[key] = padded
    return batch


def _column(values: list[Any]) -> _Ragged | NDArray[Any]:
    if not isinstance(values[0], np.ndarray):
        return _narrow(np.asarray(values))
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    flat = _narrow(np.concatenate(values))
    if flat.dtype == np.int64 and len(flat) and np.abs(flat).max() < 2**31:
        flat = flat.astype(np.int32)
    return _Ragged(flat, offsets)


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """float32 for fractions, int64 for whole numbers: what torch's embeddings and losses expect."""
    if values.dtype.kind == "f":
        return values.astype(np.float32, copy=False)
    return values.astype(np.int64, copy=False)
