"""One file as a table (or several): the format by its ending, or by its first bytes."""

from __future__ import annotations

from pathlib import Path

from nbtune.data.conll import looks_like_conll, read_conll
from nbtune.data.delimited import guess_delimiter, read_delimited, refuse_repeats
from nbtune.data.files import FileSettings, decode, load
from nbtune.data.hub import from_arrow
from nbtune.data.lines import begin_with_labels, read_lines
from nbtune.data.objects import read_json, read_jsonl
from nbtune.data.tables import Table
from nbtune.errors import DataError

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".conll": "conll",
    ".conllu": "conll",
    ".conll2003": "conll",
    ".bio": "conll",
    ".bioes": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".ner": "conll",
}
READABLE = "CSV, TSV, JSONL, JSON, Parquet, CoNLL columns or lines of label and text"


def format_of(path: Path) -> str:
    """The format that a file's name promises, or "" where the content must tell."""
    name = path.name.casefold().removesuffix(".gz")
    return _ENDINGS.get(Path(name).suffix, "")


def read_file(path: Path, settings: FileSettings | None = None, *, labelled: bool = True) -> dict[str, Table]:
    """The table of a file under "whole", or the parts that it names.

    Raises:
        DataError: it is missing, empty, damaged, in another encoding, or in no format that can be told.
    """
    settings = settings or FileSettings()
    content = load(path)
    kind = format_of(path)
    if kind == "parquet" or content.startswith(b"PAR1"):
        return {"whole": _parquet(content, path.name)}
    text = decode(content, path.name, settings.encoding)
    del content
    kind = "csv" if settings.delimiter and kind in {"", "tsv"} else kind or sniff(text)
    match kind:
        case "csv":
            return {"whole": read_delimited(text, path.name, settings)}
        case "tsv":
            return {"whole": read_delimited(text, path.name, settings, delimiter="\t")}
        case "jsonl":
            return {"whole": read_jsonl(text, path.name)}
        case "json":
            return read_json(text, path.name)
        case "conll":
            return {"whole": read_conll(text, path.name)}
        case _:
            return {"whole": read_lines(text, path.name, labelled=labelled)}


def sniff(text: str) -> str:
    """The format of a text whose file's name does not tell: csv, jsonl, json, conll or lines."""
    start = text.lstrip()
    first = start.split("\n", 1)[0].rstrip()
    if start.startswith("{"):
        return "jsonl" if first.endswith("}") and start.rstrip() != first else "json"
    if start.startswith("[") and start.rstrip().endswith("]"):
        return "json"
    if start.startswith("__label__"):
        return "lines"
    if looks_like_conll(text):
        return "conll"
    lines = [line for line in start[:100_000].split("\n") if line.strip()]
    spaced = all(" " in line.split("\t")[0] for line in lines)
    if spaced and begin_with_labels(lines):
        return "lines"
    return "csv" if _has_header(start) else "lines"


def _has_header(text: str) -> bool:
    """Whether the first line names columns: several short names that no later line repeats."""
    delimiter = guess_delimiter(text[:100_000].rpartition("\n")[0] or text)
    lines = text[:100_000].split("\n")
    names = [name.strip().strip('"') for name in lines[0].split(delimiter)]
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        return False
    if not all(name.replace("_", " ").replace("-", " ").replace(" ", "").isalnum() for name in names):
        return False
    if any(len(name) > 30 or name.count(" ") > 2 or name.isdigit() for name in names):
        return False
    later = {field.strip().strip('"') for line in lines[1:] for field in line.split(delimiter)}
    return not later & set(names)


def _parquet(content: bytes, name: str) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(pa.BufferReader(content)).read()
        table.validate(full=True)  # a flipped bit must not crash what reads the table later
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, content, error) from error
    refuse_repeats(table.column_names, name)
    return from_arrow(table, name)


def _damaged(name: str, content: bytes, error: Exception) -> DataError:
    if content.startswith(b"PAR1") and not content.endswith(b"PAR1"):
        return DataError(f"{name} is a truncated Parquet file: its end is missing", "copy or download it again")
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(f"{name} is not a Parquet file, or a damaged one: {reason}", "copy or download it again")
