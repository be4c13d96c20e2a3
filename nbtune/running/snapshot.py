"""The examples a run saw, kept in its folder: what resuming, scoring and explaining need after the kernel is gone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nbtune.errors import RunError
from nbtune.values import Example, Part

_SCHEMA = pa.schema([("row", pa.int64()), ("group", pa.string()), ("inputs", pa.string()), ("target", pa.string())])


def write_examples(folder: Path, parts: Mapping[Part, Sequence[Example]]) -> dict[str, dict[str, Any]]:
    """Write `data/PART.parquet` for each part; gives sizes and fingerprints for `data.json`."""
    (folder / "data").mkdir(exist_ok=True)
    facts: dict[str, dict[str, Any]] = {}
    for part, examples in parts.items():
        lines = [_plain(example) for example in examples]
        table = pa.Table.from_pylist(lines, schema=_SCHEMA)
        aside = folder / "data" / f".{part}.tmp"
        pq.write_table(table, aside, compression="zstd")
        os.replace(aside, folder / "data" / f"{part}.parquet")
        facts[part] = {"examples": len(examples), "sha256": fingerprint(examples)}
    return facts


def read_examples(folder: Path, part: Part) -> list[Example] | None:
    """The examples of a part as the run saw them; None if the run had no such part.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / "data" / f"{part}.parquet"
    if not path.is_file():
        return None
    try:
        rows = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"the kept data {path.name} of the run {folder.name!r} is damaged: {error}", "give the data again"
        ) from None
    return [Example(json.loads(row["inputs"]), json.loads(row["target"]), row["row"], row["group"]) for row in rows]


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 over inputs and targets in order."""
    digest = hashlib.sha256()
    for example in examples:
        line = _plain(example)
        digest.update(f"{line['inputs']}\x00{line['target']}\x01".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _plain(example: Example) -> dict[str, Any]:
    return {
        "row": example.row,
        "group": example.group,
        # lone surrogates of broken text survive as \uXXXX
        "inputs": json.dumps(example.inputs, ensure_ascii=True, sort_keys=True),
        "target": json.dumps(example.target, ensure_ascii=True, sort_keys=True),
    }
