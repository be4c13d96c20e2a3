"""Whatever the user gives as data, as tables: a variable, a DataFrame, a list, a file, a folder, the hub, a sample."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.data.cells import is_missing, spelled_lists, with_article
from nbtune.data.delimited import refuse_repeats
from nbtune.data.files import locate
from nbtune.data.folders import PART_NAMES, part_of, read_folder
from nbtune.data.formats import READABLE, format_of, read_file
from nbtune.data.hub import from_arrow, from_dataset, load_hub
from nbtune.data.objects import frame_of
from nbtune.data.tables import Table, Tables
from nbtune.errors import DataError, did_you_mean
from nbtune.tasks.registry import registry
from nbtune.tasks.task import Task

if TYPE_CHECKING:
    import pandas as pd

GIVE = f"give a DataFrame, a list of dicts, a datasets.Dataset, a path ({READABLE}), hub:NAME or sample:TASK"


def open_source(
    source: Any, task: Task, *, namespace: Mapping[str, Any] | None = None, labelled: bool = True
) -> Tables:
    """The tables of `source`: its parts by name, or one under "whole".

    A text is, in this order, `hub:` or `sample:`, the name of a variable in `namespace`, or a path. Without
    `labelled`, a text file may hold bare texts.

    Raises:
        DataError: there is no such source, or it cannot be read as a table.
    """
    if isinstance(source, str):
        return _named(source, task, namespace or {}, labelled)
    if isinstance(source, os.PathLike):
        return _path(os.fspath(source), labelled)
    return from_object(source, with_article(type(source).__name__))


def from_object(value: Any, name: str) -> Tables:
    """The tables of an object in memory, which is never changed.

    Raises:
        DataError: it is not a table, or has no columns or two of one name.
    """
    import pandas as pd

    module = type(value).__module__.partition(".")[0]
    if isinstance(value, pd.DataFrame):
        return {"whole": Table(_tidy(value, name), name)}
    if module == "datasets":
        return _from_datasets(value, name)
    if isinstance(value, Mapping):
        return _from_mapping(value, name)
    if module == "pyarrow" and hasattr(value, "schema"):
        refuse_repeats(value.column_names, name)
        return {"whole": from_arrow(value, name)}
    if hasattr(value, "to_pandas"):  # polars, cuDF
        return {"whole": Table(_tidy(value.to_pandas(), name), name)}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return {"whole": Table(_from_rows(value, name), name)}
    raise DataError(f"{name} cannot be read as data", GIVE)


def looks_like_source(text: str, namespace: Mapping[str, Any]) -> bool:
    """Whether a text given to be predicted names data instead: a variable, a prefix, a file that is or should be."""
    if text.startswith(("hub:", "sample:")) or (text.isidentifier() and text in namespace):
        return True
    if "\n" in text or len(text) > 1000:
        return False
    path = Path(text.partition("?")[0]).expanduser()
    return path.exists() or (" " not in text and format_of(path) != "")


def _named(source: str, task: Task, namespace: Mapping[str, Any], labelled: bool) -> Tables:
    name = source.strip()
    if not name:
        raise DataError("the data has no name", GIVE)
    if name.startswith("sample:"):
        return _sample(name, task)
    if name.startswith("hub:"):
        return _parts(load_hub(name), name)
    if "://" in name:
        raise DataError(
            f"{name!r} is a web address", "download it first, or read it with pandas and give the DataFrame"
        )
    if isinstance(namespace.get(name), os.PathLike) and not Path(name).exists():
        return _path(os.fspath(namespace[name]), labelled)
    if name in namespace and (_is_data(namespace[name]) or not Path(name).exists()):
        return from_object(namespace[name], name if _is_data(namespace[name]) else _described(name, namespace[name]))
    if name.isidentifier() and not Path(name).exists():
        raise _no_variable(name, namespace)
    return _path(name, labelled)


def _path(source: str, labelled: bool) -> Tables:
    path, settings = locate(source)
    read = functools.partial(read_file, labelled=labelled)
    if path.is_dir():
        return _parts(read_folder(path, settings, read), str(path))
    return _parts(read(path, settings), path.name)


def _parts(tables: dict[str, Table], name: str) -> Tables:
    """Splits by our names for them; a single split that is named after no part is the whole."""
    found: Tables = {}
    for split, table in tables.items():
        part = PART_NAMES.get(split) or ("whole" if split == "whole" else part_of(split))
        if part is not None:
            found.setdefault(part, table)
    if found:
        return found
    if len(tables) == 1:
        return {"whole": next(iter(tables.values()))}
    raise DataError(
        f"{name} has no part called train (it has: {', '.join(tables) or 'nothing'})",
        "name the parts train, validation and test, or give one of them",
    )


def _sample(source: str, task: Task) -> Tables:
    name = source.removeprefix("sample:")
    owner = task if name in {"", task.name} else registry().task(name)
    frames = owner.read_samples()
    if frames is not None:
        named = {part: Table(_tidy(frame, source), f"{source} {part}") for part, frame in frames.items()}
        return _parts(named, source)
    if owner.samples is None or not owner.samples.is_dir():
        raise DataError(f"the task {owner.name!r} has no sample data", GIVE)
    tables = _path(str(owner.samples), True)
    return {part: replace(table, name=f"{source} {part}") for part, table in tables.items()}


def _from_datasets(value: Any, name: str) -> Tables:
    import datasets

    if isinstance(value, datasets.DatasetDict):
        return _parts({split: from_dataset(part, f"{name}[{split!r}]") for split, part in value.items()}, name)
    if isinstance(value, datasets.Dataset):
        return {"whole": from_dataset(value, name)}
    raise DataError(f"{name} is streamed, its rows cannot be counted", "load it without streaming=True")


def _from_mapping(value: Mapping[str, Any], name: str) -> Tables:
    """Parts by name ({"train": df, ...}), or columns by name."""
    if value and all(str(key) in PART_NAMES for key in value) and all(_is_data(part) for part in value.values()):
        tables: dict[str, Table] = {}
        for key, part in value.items():
            inner = from_object(part, f"{name}[{key!r}]")
            if "whole" not in inner:
                raise DataError(f"{name}[{key!r}] has parts of its own: {', '.join(inner)}", GIVE)
            tables[str(key)] = inner["whole"]
        return _parts(tables, name)
    lengths = {str(key): len(cells) for key, cells in value.items() if _is_column(cells)}
    if not value or len(lengths) < len(value):
        raise DataError(f"{name} holds neither columns nor parts of data", GIVE)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key}: {length:,}" for key, length in lengths.items())
        raise DataError(f"{name} has columns of different length ({listed})", "give every column one cell for each row")
    rows = [dict(zip(lengths, cells, strict=True)) for cells in zip(*value.values(), strict=True)]
    return {"whole": Table(frame_of(rows), name)}


def _from_rows(rows: Sequence[Any], name: str) -> pd.DataFrame:
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(
                f"{name}: row {number} is {with_article(type(row).__name__)}, not a dict",
                'write each row as {"text": ..., "label": ...}',
            )
    return frame_of(rows)


def _tidy(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows numbered from 0 and columns with text names, in a new frame; an index with a name is kept as a column."""
    import pandas as pd

    if isinstance(frame.columns, pd.MultiIndex):
        frame = frame.set_axis(["_".join(map(str, names)).strip("_") for names in frame.columns], axis=1)
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    index_names = [index for index in frame.index.names if index is not None]
    keep = bool(index_names) and not set(map(str, index_names)) & set(frame.columns)
    frame = frame.reset_index(drop=not keep)
    columns = [str(column) for column in frame.columns]
    refuse_repeats(columns, name)
    frame = frame.set_axis(columns, axis=1)
    lists = {column: cells for column in columns if (cells := _lists(frame[column])) is not None}
    return frame.assign(**{column: pd.Series(cells, dtype=object) for column, cells in lists.items()})


def _lists(column: pd.Series[Any]) -> list[Any] | None:
    """The cells of a column as lists, where they are arrays (as pandas reads Parquet) or the texts of lists."""
    import pandas as pd

    if not (pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype)):
        return None
    first = next((cell for cell in column if not is_missing(cell) and not (isinstance(cell, str) and not cell)), None)
    if isinstance(first, np.ndarray):
        return [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in column]
    return spelled_lists(column) if isinstance(first, str) and first.startswith("[") else None


def _is_column(cells: Any) -> bool:
    return hasattr(cells, "__len__") and hasattr(cells, "__iter__") and not isinstance(cells, (str, bytes, Mapping))


def _is_data(value: Any) -> bool:
    """Whether a variable could be meant as data: a table, or rows."""
    if hasattr(value, "to_pandas") or type(value).__name__ in {"DataFrame", "DatasetDict"}:
        return True
    if isinstance(value, Mapping):
        return bool(value) and all(_is_column(column) for column in value.values())
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _described(name: str, value: Any) -> str:
    return f"the variable {name!r} ({with_article(type(value).__name__)})"


def data_names(namespace: Mapping[str, Any]) -> list[str]:
    """The variables that could be meant as data, for completion and for "did you mean"."""
    return sorted(name for name, value in namespace.items() if not name.startswith("_") and _is_data(value))


def _no_variable(name: str, namespace: Mapping[str, Any]) -> DataError:
    known = data_names(namespace)
    files = _folder_names()
    near = did_you_mean(name, [*known, *files])
    if near.startswith("did you mean"):
        hint = near
    elif known:
        hint = f"data in scope: {', '.join(known)}"
    else:
        hint = GIVE
    return DataError(f"there is no variable and no file {name!r}", hint)


def _folder_names() -> Iterable[str]:
    try:
        return sorted(entry.name for entry in Path.cwd().iterdir() if entry.is_dir() or format_of(entry))
    except OSError:
        return ()
