"""Encoded features, column by column, and batches padded from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune.data.growing import FeatureColumns, InMemory
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

    Whole numbers are of whatever type holds the column's largest. `owners[i]` is the index of the example that
    feature i came from.
    """

    def __init__(
        self, values: Mapping[str, NDArray[Any]], lengths: Mapping[str, NDArray[Any]], owners: NDArray[Any]
    ) -> None:
        """`lengths` says of the columns that are ragged how many values each feature has."""
        self.owners = owners
        self._columns: dict[str, _Ragged | NDArray[Any]] = dict(values)
        shared: dict[bytes, NDArray[np.int64]] = {}  # a text's tokens, mask and types are of one length
        for key, counts in lengths.items():
            offsets = np.zeros(len(counts) + 1, dtype=np.int64)
            np.cumsum(counts, out=offsets[1:])
            mark = hashlib.sha256(offsets.data).digest()
            self._columns[key] = _Ragged(values[key], shared.setdefault(mark, offsets))

    @classmethod
    def build(cls, encoded: Iterable[Sequence[Feature]]) -> FeatureSet:
        """Gather the features of each example, in order.

        Raises:
            PluginError: features differ in their keys.
        """
        columns = FeatureColumns(InMemory)
        chunks = iter(encoded)
        while chunk := list(islice(chunks, 1000)):
            columns.add(chunk)
        return cls.joined(columns)

    @classmethod
    def joined(cls, columns: FeatureColumns[InMemory]) -> FeatureSet:
        """The features of columns that grew in memory."""
        values, lengths = (
            {key: column.joined() for key, column in each.items()} for each in (columns.values, columns.lengths)
        )
        return cls(values, lengths, columns.owners.joined())

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
    tokens = [[len(feature[key]) for feature in features] for key in features[0] if key.endswith(TOKENS)]
    for key, first in features[0].items():
        values = [feature[key] for feature in features]
        if np.ndim(first) == 0:
            batch[key] = _narrow(np.asarray(values))
            continue
        lengths = [len(value) for value in values]
        longest = max(lengths)
        # a mask goes with its tokens, a row of label flags does not, whatever its length
        flags = key == "labels" and np.asarray(first).dtype.kind == "f"
        if min(lengths) < longest or (lengths in tokens and not flags):
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


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """float32 for fractions, int64 for whole numbers: what torch's embeddings and losses expect."""
    if values.dtype.kind == "f":
        return values.astype(np.float32, copy=False)
    return values.astype(np.int64, copy=False)
