"""CSV and TSV: the delimiter and the quoting found out, rows of uneven length named by line.

pyarrow reads (a million rows in a second or two); Python's csv module finds the line when something is wrong.
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.data.cells import spelled_lists
from nbtune.data.files import FileSettings
from nbtune.data.tables import Table
from nbtune.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_CANDIDATES = (",", "\t", ";", "|")
_NUMBER = r"^(-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?)?$"  # no "007": that is a name


def read_delimited(text: str, name: str, settings: FileSettings, *, delimiter: str | None = None) -> Table:
    """The table in `text`; `delimiter` is what the file's name promises, settings go before it.

    Raises:
        DataError: no rows, columns of one name, a row of another length, a quote that is never closed.
    """
    delimiter = settings.delimiter or delimiter or guess_delimiter(text)
    quoted = _is_quoted(text, delimiter)
    first = next(_records(text, delimiter, quoted), None)
    if first is None:
        raise DataError(f"{name} is empty", "give a file with rows")
    header = first[1]
    names = [f"column_{number}" for number in range(1, len(header) + 1)] if settings.header is False else _names(header)
    refuse_repeats(names, name)
    arrow = _parse(text, name, delimiter, quoted, len(header))
    frame = _typed(arrow if settings.header is False else arrow.slice(1), names)
    if frame.empty:
        raise DataError(f"{name} has a header ({', '.join(names)}) but no rows", "give a file with rows")
    skip = 0 if settings.header is False else 1
    lines = functools.cache(lambda: [line for line, _ in _records(text, delimiter, quoted)][skip:])
    return Table(frame, name, lines)


def guess_delimiter(text: str) -> str:
    """The delimiter by which the first records have the same number of fields, and more than one; else a comma."""
    best, fields = ",", 1
    for delimiter in _CANDIDATES:
        try:
            widths = {len(record) for _, record in itertools.islice(_records(text, delimiter, True), 50)}
        except csv.Error:  # a null character
            continue
        if len(widths) == 1 and max(widths) > fields:
            best, fields = delimiter, max(widths)
    if fields == 1:  # nothing is consistent: believe the header
        header = text.lstrip("\r\n").split("\n", 1)[0]
        best = max(_CANDIDATES, key=lambda delimiter: (header.count(delimiter), delimiter == ","))
    return best


def _records(text: str, delimiter: str, quoted: bool, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the 1-based line on which it begins.

    Raises:
        csv.Error: with `strict`, a quote is not closed, or closed in the middle of a field.
    """
    lines = io.StringIO(text, newline="")
    if quoted:
        reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    else:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    begins = 1
    while True:
        limit = csv.field_size_limit(2**31 - 1)  # a setting of the whole process, 128 KB a cell by default
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise csv.Error(str(error), begins) from None
        finally:
            csv.field_size_limit(limit)
        if len(record) > 1 or (record and record[0].strip()):
            yield begins, record
        begins = reader.line_num + 1


def _is_quoted(text: str, delimiter: str) -> bool:
    """Whether quotation marks enclose cells (CSV) or belong to the text (most TSV)."""
    if '"' not in text:
        return False
    if delimiter != "\t":
        return True
    widths: set[int] = set()
    opened = enclosed = 0
    for _, record in _records(text, delimiter, False):
        widths.add(len(record))
        quotes = [field for field in record if field.startswith('"')]
        opened += len(quotes)
        enclosed += sum(map(_encloses, quotes))
    if (
        len(widths) == 1
    ):  # every line is a row by itself: quotes enclose cells if they do wherever a cell begins with one
        return opened == enclosed > 0
    try:
        return len({len(record) for _, record in _records(text, delimiter, True, strict=True)}) == 1
    except csv.Error:
        return False


def _encloses(field: str) -> bool:
    return len(field) > 1 and field.endswith('"') and '"' not in field[1:-1].replace('""', "")


def _parse(text: str, name: str, delimiter: str, quoted: bool, width: int) -> pa.Table:
    """All records, the header among them, as strings."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if quoted and text.count('"') % 2:
        _refuse_unclosed(text, name, delimiter)
    content = text.encode("utf-8", "surrogatepass")
    parsing = arrow_csv.ParseOptions(
        delimiter=delimiter,
        quote_char='"' if quoted else False,
        newlines_in_values=quoted,
        invalid_row_handler=lambda row: "error" if row.text.strip() else "skip",
    )
    types = arrow_csv.ConvertOptions(
        column_types={f"f{number}": pa.large_string() for number in range(width)}, strings_can_be_null=False
    )
    for block in (1 << 24, min(len(content) + 1, 2**31 - 1)):
        reading = arrow_csv.ReadOptions(autogenerate_column_names=True, block_size=block)
        try:
            return arrow_csv.read_csv(
                pa.BufferReader(content), read_options=reading, parse_options=parsing, convert_options=types
            )
        except pa.ArrowInvalid as error:
            problem = error
            if "straddling" not in str(error):  # that one is a cell larger than the block
                break
    raise _ragged(text, name, delimiter, quoted, width) or DataError(
        f"{name} cannot be read as a table: {problem}", "name its delimiter: ?delimiter=; behind the path"
    )


def _refuse_unclosed(text: str, name: str, delimiter: str) -> None:
    """An odd number of quotes may be inches (5" pipe), which is fine, or a cell that swallows the rest of the file."""
    try:
        for _ in _records(text, delimiter, True, strict=True):
            pass
    except csv.Error as error:
        if "end of data" in str(error.args[0]):
            raise DataError(
                f"{name}: the quotation mark opened in the row at line {error.args[1]} is never closed",
                'close it, or write a quotation mark inside a quoted cell twice ("")',
            ) from None


def _ragged(text: str, name: str, delimiter: str, quoted: bool, width: int) -> DataError | None:
    wrong = [(line, len(record)) for line, record in _records(text, delimiter, quoted) if len(record) != width]
    if not wrong:
        return None
    line, fields = wrong[0]
    more = f" (and {len(wrong) - 1:,} more such lines)" if len(wrong) > 1 else ""
    return DataError(
        f"{name}: line {line} has {fields} field{'' if fields == 1 else 's'}, the first line has {width}{more}",
        f"put cells that contain {delimiter!r} in quotation marks, or name the delimiter behind the path: ?delimiter=;",
    )


def _names(header: Sequence[str]) -> list[str]:
    return [field.strip() or f"column_{number}" for number, field in enumerate(header, 1)]


def refuse_repeats(names: Sequence[str], name: str) -> None:
    """Raise DataError where two columns have one name: nobody could say which is meant."""
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        columns = ", ".join(repr(column) for column in repeated)
        raise DataError(f"{name} has more than one column called {columns}", "rename or drop one of them")


def _typed(arrow: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    """The columns with numbers as numbers and spelled lists as lists; everything else stays the text it was."""
    import pandas as pd

    return pd.DataFrame({name: _column(arrow.column(position)) for position, name in enumerate(names)})


def _column(cells: pa.ChunkedArray) -> Any:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    head = [cell for cell in cells.slice(0, 100).to_pylist() if cell]
    if head and re.match(_NUMBER, head[0]) and pc.all(pc.match_substring_regex(cells, _NUMBER)).as_py():
        numbers = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
        whole = pc.all(pc.match_substring_regex(cells, r"^-?[0-9]*$")).as_py()
        return numbers.cast(pa.int64() if whole else pa.float64()).to_pandas()
    values = cells.to_pandas()
    lists = spelled_lists(values)
    return values if lists is None else pd.Series(lists, dtype=object)
