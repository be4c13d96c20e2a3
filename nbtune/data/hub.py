"""Data sets of the `datasets` library: in memory, saved to disk, or fetched from the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtune.data.tables import Table
from nbtune.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Decoder = Callable[[Any], Any]


def from_dataset(dataset: Any, name: str) -> Table:
    """The table of a `datasets.Dataset`; integer labels become their names (-1, "no label", becomes None)."""
    dataset = dataset.with_format(None)
    if dataset._indices is not None:  # a shuffled or selected view: the Arrow table holds other rows
        dataset = dataset.flatten_indices()
    return Table(named(dataset.data.table, dataset.features), name)


def from_arrow(table: pa.Table, name: str) -> Table:
    """The table of an Arrow table, with the names of labels if `datasets` left them in its schema."""
    features: dict[str, Any] = {}
    if b"huggingface" in (table.schema.metadata or {}):
        from datasets import Features

        features = dict(Features.from_arrow_schema(table.schema))
    return Table(named(table, features), name)


def named(table: pa.Table, features: dict[str, Any]) -> pd.DataFrame:
    """The DataFrame of an Arrow table, class labels of `features` (also inside lists and dicts) by their names."""
    import pandas as pd

    columns: dict[str, pd.Series[Any]] = {}
    for column in table.column_names:
        if column.startswith("__index_level_"):  # what pandas leaves of an index
            continue
        decode = _decoder(features.get(column))
        nested = table.schema.field(column).type.num_fields > 0
        if decode or nested:  # Python lists and dicts, not arrays of NumPy
            columns[column] = pd.Series(list(_cells(table.column(column), decode)), dtype=object)
        else:
            columns[column] = table.column(column).to_pandas()
    return pd.DataFrame(columns)


def _cells(column: pa.ChunkedArray, decode: Decoder | None) -> Iterator[Any]:
    """The cells as Python values. Words of lists are kept once each: a text's take ten times the place of the text."""
    words: dict[Any, Any] = {}
    for start in range(0, len(column), 10_000):
        for cell in column.slice(start, 10_000).to_pylist():
            if decode:
                yield decode(cell)
            elif isinstance(cell, list) and cell and isinstance(cell[0], str):
                yield [words.setdefault(word, word) for word in cell]
            else:
                yield cell


def load_hub(source: str) -> dict[str, Table]:
    """The splits of `hub:NAME[:CONFIG]`, fetched through `datasets` or taken from its cache.

    Raises:
        DataError: there is no such data set or configuration, no network, or it cannot be loaded.
    """
    name, _, config = source.removeprefix("hub:").partition(":")
    if not name:
        raise DataError(f"{source!r} names no data set", "write hub:NAME or hub:NAME:CONFIG, as in hub:glue:sst2")
    import datasets

    try:
        with _quiet():
            loaded = datasets.load_dataset(name, config or None)
    except Exception as error:  # of many kinds: network, hub, builder, Arrow
        raise _explain(source, name, error) from error
    return {split: from_dataset(dataset, f"{source} {split}") for split, dataset in loaded.items()}


def load_saved(folder: Path) -> dict[str, Table] | None:
    """What `save_to_disk` wrote into `folder`, or None if that is not what it holds."""
    if not any((folder / mark).is_file() for mark in ("dataset_dict.json", "dataset_info.json")):
        return None
    import datasets

    try:
        with _quiet():
            loaded = datasets.load_from_disk(str(folder))
    except Exception as error:
        reason = _first_line(error)
        raise DataError(f"the data set saved in {str(folder)!r} cannot be loaded: {reason}", "save it again") from error
    if isinstance(loaded, datasets.DatasetDict):
        return {split: from_dataset(dataset, f"{folder.name}/{split}") for split, dataset in loaded.items()}
    return {"whole": from_dataset(loaded, folder.name)}


def _decoder(feature: Any) -> Decoder | None:
    """What turns a stored value into one with names, or None where there is nothing to turn."""
    if hasattr(feature, "int2str") and getattr(feature, "names", None):
        names = list(feature.names)
        return lambda value: names[value] if isinstance(value, int) and 0 <= value < len(names) else None
    if isinstance(feature, dict):
        return _dict_decoder(feature)
    # a plain list is an older way to write a list of something
    feature = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    inner = _decoder(feature) if feature is not None else None
    if inner is None:
        return None
    return lambda value: None if value is None else [inner(item) for item in value]


def _dict_decoder(features: dict[str, Any]) -> Decoder | None:
    inner = {key: decode for key, feature in features.items() if (decode := _decoder(feature))}
    if not inner:
        return None

    def decode_each(value: Any) -> Any:
        if value is None:
            return None
        return {key: inner[key](item) if key in inner else item for key, item in value.items()}

    return decode_each


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of `datasets` inside the block."""
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _explain(source: str, name: str, error: Exception) -> DataError:
    reason = _first_line(error)
    kind = type(error).__name__
    if "Config name is missing" in str(error) or ("BuilderConfig" in str(error) and "not found" in str(error)):
        return DataError(f"{source!r} needs a configuration: {reason}", f"write hub:{name}:CONFIG")
    if kind in {"DatasetNotFoundError", "RepositoryNotFoundError"}:
        return DataError(f"there is no data set {name!r} on the hub: {reason}", "check the name: hub:OWNER/NAME")
    if isinstance(error, (ConnectionError, OSError)) or "onnect" in kind or "ffline" in kind:
        return DataError(
            f"{source!r} could not be fetched from the hub: {reason}",
            "check the name and the network, or give a local file or folder",
        )
    return DataError(f"{source!r} cannot be loaded: {kind}: {reason}", "load it with datasets, and give the Dataset")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
