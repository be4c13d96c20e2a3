"""A folder with one file for each part of the data, told apart by their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nbtune.data.files import FileSettings
from nbtune.data.formats import format_of
from nbtune.data.hub import load_saved
from nbtune.data.tables import Table
from nbtune.errors import DataError
from nbtune.values import Part

PART_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "eval": "validation",
    "test": "test",
    "testing": "test",
}
_PASSED_OVER = {".md", ".rst", ".html", ".pdf", ".py", ".ipynb", ".png", ".jpg", ".yaml", ".yml", ".toml", ".lock"}
_SHARD = re.compile(r"-\d+-of-\d+$")

ReadFile = Callable[[Path, FileSettings], dict[str, Table]]


def part_of(name: str) -> Part | None:
    """The part that the name of a file or split says: wnut17train.conll, my.dev.tsv, test-00000-of-00001.parquet."""
    words = re.findall(r"[a-z]+", name.casefold())
    return next((PART_NAMES[word] for word in words if word in PART_NAMES), None)


def read_folder(folder: Path, settings: FileSettings, read: ReadFile) -> dict[str, Table]:
    """The parts of a folder, each through `read`.

    Raises:
        DataError: no file is named after a part, or two files claim the same one.
    """
    saved = load_saved(folder)
    if saved is not None:
        return saved
    files = _files(folder)
    if not files:
        raise _no_parts(folder)
    tables: dict[str, Table] = {}
    for part, paths in files.items():
        if len(paths) > 1 and not all(_SHARD.search(path.name.split(".")[0]) for path in paths):
            names = " and ".join(repr(path.name) for path in paths[:3])
            raise DataError(
                f"the folder {folder.name!r} has more than one file for {part}: {names}",
                'give the files by name: data = "...", validation = "...", test = "..."',
            )
        shards = [_whole(read(path, settings), path) for path in paths]
        tables[part] = replace(_joined(shards), name=f"{folder.name}/{_SHARD.sub('', paths[0].stem)}{paths[0].suffix}")
    return tables


def _files(folder: Path) -> dict[Part, list[Path]]:
    found: dict[Part, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        part = part_of(path.name)
        if part and path.is_file() and not path.name.startswith(".") and path.suffix.casefold() not in _PASSED_OVER:
            found.setdefault(part, []).append(path)
    # a file in a format we know goes before another that merely has the same word in its name (train.log)
    return {part: [path for path in paths if format_of(path)] or paths for part, paths in found.items()}


def _whole(tables: dict[str, Table], path: Path) -> Table:
    if len(tables) > 1:
        raise DataError(f"{path.name} has parts of its own: {', '.join(tables)}", "give that file by itself")
    return next(iter(tables.values()))


def _joined(shards: list[Table]) -> Table:
    if len(shards) == 1:
        return shards[0]
    import pandas as pd

    return Table(pd.concat([shard.frame for shard in shards], ignore_index=True), "")


def _no_parts(folder: Path) -> DataError:
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    if not names:
        return DataError(f"the folder {str(folder)!r} is empty", "give a folder with train, validation and test files")
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return DataError(
        f"the folder {str(folder)!r} has no file named after a part of the data (it has: {listed})",
        "name them train, validation (or dev) and test, or give one file by its path",
    )
