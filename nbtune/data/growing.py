"""Columns of features that grow chunk by chunk, in memory or in files, as the narrowest numbers that hold them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from nbtune.errors import PluginError
from nbtune.values import Feature

_INTEGERS = (np.int8, np.int16, np.int32, np.int64)
_NUMBER = (int, float, np.generic)
_BLOCK = 1 << 20


class Growing(Protocol):
    """Numbers to be written one after the other."""

    def add(self, values: NDArray[Any]) -> None: ...


@dataclass
class InMemory:
    """Numbers kept as they come, and joined at the end."""

    _parts: list[NDArray[Any]] = field(default_factory=list)
    kind: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.int8))

    def add(self, values: NDArray[Any]) -> None:
        self._parts.append(values)
        self.kind = _common(self.kind, values.dtype)

    def joined(self) -> NDArray[Any]:
        parts, self._parts = self._parts, []
        return np.concatenate(parts or [np.zeros(0)], dtype=self.kind, casting="unsafe")


class InFile:
    """Numbers appended to a file, little-endian, which is written anew should they outgrow their type."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kind: np.dtype[Any] = np.dtype(np.int8)
        self.count = 0
        self._file = open(path, "wb")  # noqa: SIM115  # closed by `close`

    def add(self, values: NDArray[Any]) -> None:
        wider = _common(self.kind, values.dtype)
        if wider != self.kind:
            self._widen(wider)
        self._file.write(values.astype(self.kind.newbyteorder("<"), copy=False).tobytes())
        self.count += len(values)

    def close(self) -> dict[str, Any]:
        """What must be known to read it back; everything is on the disk by then."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        with open(self.path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"file": self.path.name, "type": self.kind.name, "count": self.count, "sha256": digest}

    def abandon(self) -> None:
        self._file.close()

    def _widen(self, wider: np.dtype[Any]) -> None:
        self._file.close()
        narrow = self.path.with_suffix(".narrow")
        os.replace(self.path, narrow)
        self._file = open(self.path, "wb")  # noqa: SIM115  # as above
        with open(narrow, "rb") as file:
            while block := file.read(_BLOCK * self.kind.itemsize):
                values = np.frombuffer(block, self.kind.newbyteorder("<"))
                self._file.write(values.astype(wider.newbyteorder("<")).tobytes())
        narrow.unlink()
        self.kind = wider


Place = TypeVar("Place", bound=Growing)


class FeatureColumns(Generic[Place]):
    """Features taken apart into columns: each key's values, and how many each feature has where that differs.

    `grow` makes the place for the numbers of one column.
    """

    def __init__(self, grow: Callable[[], Place]) -> None:
        self._grow = grow
        self.values: dict[str, Place] = {}
        self.lengths: dict[str, Place] = {}
        self.owners = grow()
        self._single: dict[str, bool] = {}
        self._examples = 0

    def add(self, encoded: Iterable[Sequence[Feature]]) -> None:
        """Append the features of the next examples.

        Raises:
            PluginError: features differ in their keys, or hold something else than numbers and lists of numbers.
        """
        features: list[Feature] = []
        owners: list[int] = []
        for own in encoded:
            features.extend(own)
            owners.extend([self._examples] * len(own))
            self._examples += 1
        if not features:
            return
        self._check_keys(features)
        self.owners.add(_narrow(np.array(owners)))
        for key in features[0]:
            self._add_column(key, [feature[key] for feature in features])

    def _check_keys(self, features: Sequence[Feature]) -> None:
        known = self.values.keys() if self.values else features[0].keys()
        for feature in features:
            if feature.keys() != known:
                raise PluginError(f"features differ in their keys: {sorted(feature)} after {sorted(known)}")

    def _add_column(self, key: str, cells: list[Any]) -> None:
        if key not in self.values:
            self.values[key] = self._grow()
        single = self._single.setdefault(key, isinstance(cells[0], _NUMBER))
        if any(isinstance(cell, _NUMBER) != single for cell in cells):
            raise PluginError(f"the feature {key!r} is a number in some features and a list in others")
        if single:
            self.values[key].add(_narrow(np.asarray(cells)))
            return
        if key not in self.lengths:
            self.lengths[key] = self._grow()
        arrays = all(isinstance(cell, np.ndarray) for cell in cells)
        flat = np.concatenate(cells) if arrays else np.asarray(list(chain.from_iterable(cells)))
        if flat.ndim != 1 or (len(flat) and flat.dtype.kind not in "iufb"):
            raise PluginError(f"the feature {key!r} is no flat list of numbers")
        self.values[key].add(_narrow(flat))
        self.lengths[key].add(_narrow(np.fromiter(map(len, cells), np.int64, len(cells))))


def read_back(folder: Path, facts: Mapping[str, Any]) -> NDArray[Any]:
    """The numbers of an `InFile`, mapped into memory and not to be changed.

    Raises:
        ValueError: the file is not as long as it was, or holds other bytes.
        OSError: it cannot be read.
    """
    kind = np.dtype(facts["type"]).newbyteorder("<")
    if kind.kind not in "if":  # an object would be an address
        raise ValueError(f"{facts['file']} is said to hold {kind.name}")
    path = folder / Path(facts["file"]).name
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != facts["count"] * kind.itemsize:
            raise ValueError(f"{path.name} has {size:,} bytes instead of {facts['count'] * kind.itemsize:,}")
        if hashlib.file_digest(file, "sha256").hexdigest() != facts["sha256"]:
            raise ValueError(f"{path.name} holds other bytes than were written")
    if not size:
        return np.zeros(0, dtype=kind)
    return np.asarray(np.memmap(path, dtype=kind, mode="r"))


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Fractions as float32, whole numbers in as few bytes as hold them."""
    if values.dtype.kind == "f" and len(values):
        return values.astype(np.float32, copy=False)
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    return values.astype(next(kind for kind in _INTEGERS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max))


def _common(one: np.dtype[Any], other: np.dtype[Any]) -> np.dtype[Any]:
    if "f" in (one.kind, other.kind):
        return np.dtype(np.float32)
    return np.promote_types(one, other)


__all__ = ["FeatureColumns", "Growing", "InFile", "InMemory", "read_back"]
