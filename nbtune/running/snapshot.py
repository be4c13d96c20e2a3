"""The examples a run saw, kept in its folder: what resuming, scoring and explaining need after the kernel is gone."""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nbtune.data.packing import PackedExamples, from_lines, join_line, pack
from nbtune.errors import RunError
from nbtune.values import Example, Part

_SCHEMA = pa.schema([("row", pa.int64()), ("group", pa.string()), ("inputs", pa.string()), ("target", pa.string())])
_AT_ONCE = 20_000
"""Examples in a row group: what is in memory at once beside the packed examples."""


def write_examples(folder: Path, parts: Mapping[Part, Sequence[Example]]) -> dict[str, dict[str, Any]]:
    """Write `data/PART.parquet` for each part; gives sizes and fingerprints for `data.json`."""
    (folder / "data").mkdir(exist_ok=True)
    facts: dict[str, dict[str, Any]] = {}
    for part, examples in parts.items():
        packed = pack(examples)
        aside = folder / "data" / f".{part}.tmp"
        with open(aside, "wb") as file:
            with pq.ParquetWriter(file, _SCHEMA, compression="zstd", use_dictionary=["group", "target"]) as writer:
                for start in range(0, len(packed), _AT_ONCE):
                    writer.write_batch(_batch(packed, start, min(start + _AT_ONCE, len(packed))))
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, folder / "data" / f"{part}.parquet")
        facts[part] = {"examples": len(packed), "sha256": packed.digest}
    return facts


def read_examples(folder: Path, part: Part) -> PackedExamples | None:
    """The examples of a part as the run saw them; None if the run had no such part.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / "data" / f"{part}.parquet"
    if not path.is_file():
        return None
    try:
        return _read(path)
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"the kept data {path.name} of the run {folder.name!r} is damaged: {error}", "give the data again"
        ) from None


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 over inputs and targets in order."""
    return pack(examples).digest


def _batch(packed: PackedExamples, start: int, stop: int) -> pa.RecordBatch:
    inputs, targets = packed.written(start, stop)
    groups = [None] * (stop - start) if packed.groups is None else packed.groups[start:stop].tolist()
    columns = [pa.array(packed.rows[start:stop]), pa.array(groups, pa.string()), pa.array(inputs), pa.array(targets)]
    return pa.record_batch(columns, schema=_SCHEMA)


def _read(path: Path) -> PackedExamples:
    lines, ends = bytearray(), array("q")
    rows: list[Any] = [np.zeros(0, dtype=np.int64)]
    groups: list[str | None] = []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_AT_ONCE):
            rows.append(batch.column("row").to_numpy())
            groups.extend(batch.column("group").to_pylist())
            inputs, targets = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("inputs", "target"))
            for one, other in zip(inputs, targets, strict=True):
                lines += join_line(one, other)
                ends.append(len(lines))
    grouped = any(group is not None for group in groups)
    return from_lines(lines, np.array(ends, dtype=np.int64), np.concatenate(rows), groups if grouped else None)
