"""A file found, read and decoded, with messages that name what is wrong and where.

What a path alone cannot say is written behind it as in a web address: `reviews.csv?encoding=cp1252`,
`export.csv?delimiter=;&header=no`.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from nbtune.errors import DataError, did_you_mean

SETTINGS = ("encoding", "delimiter", "header")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ARCHIVES = {b"PK\x03\x04": "a zip archive or an Excel workbook", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}


@dataclass(frozen=True, slots=True)
class FileSettings:
    """How to read a file, where the user had to say it. `header` None: found out."""

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None


def locate(source: str) -> tuple[Path, FileSettings]:
    """The path that `source` names, and the settings behind its question mark.

    Raises:
        DataError: there is no such path, or a setting is unknown.
    """
    path = Path(source).expanduser()
    settings = FileSettings()
    if "?" in source and not path.exists():
        name, _, query = source.partition("?")
        path, settings = Path(name).expanduser(), _settings(query)
    if not _exists(path):
        raise DataError(f"there is no file {str(path)!r}", _near(path))
    return path, settings


def load(path: Path) -> bytes:
    """The bytes of a file, unpacked if it is gzip.

    Raises:
        DataError: it cannot be read, is empty, or is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}", "check its permissions") from error
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path.name} is a damaged gzip file: {error}", "copy or download it again") from error
    if not content.strip(b"\x00\t\n\r \xef\xbb\xbf\xff\xfe"):
        raise DataError(f"{path.name} is empty", "give a file with rows")
    return content


def decode(content: bytes, name: str, encoding: str | None = None) -> str:
    """The text of a file, without its byte order mark.

    Raises:
        DataError: it is binary, or a byte does not fit the encoding; the line is named.
    """
    if encoding is None:
        encoding = next((codec for mark, codec in _BOMS if content.startswith(mark)), "utf-8")
        if encoding in {"utf-8", "utf-8-sig"}:
            _refuse_binary(content, name)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _misfit(content, name, error) from error
    except LookupError:
        raise DataError(f"there is no encoding {encoding!r}", "usual ones: utf-8, cp1252, latin-1, utf-16") from None
    return text.removeprefix("\ufeff")


def _settings(query: str) -> FileSettings:
    found = dict(parse_qsl(query, keep_blank_values=True, separator="&"))
    for setting, value in found.items():
        if setting not in SETTINGS:
            raise DataError(
                f"there is no setting {setting!r} for a file (in {'?' + query!r})", did_you_mean(setting, SETTINGS)
            )
        if not value:
            raise DataError(f"the setting {setting!r} has no value (in {'?' + query!r})", "write ?encoding=cp1252")
    header = found.get("header")
    if header not in {None, "yes", "no"}:
        raise DataError(f"header is {header!r}", "write header=yes or header=no")
    delimiter = {"tab": "\t", "\\t": "\t", "space": " "}.get(found.get("delimiter", ""), found.get("delimiter"))
    if delimiter is not None and len(delimiter) != 1:
        raise DataError(f"the delimiter {delimiter!r} is not one character", "write delimiter=; or delimiter=tab")
    return FileSettings(found.get("encoding"), delimiter, None if header is None else header == "yes")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a text far too long for a name, or with a null character
        return False


def _near(path: Path) -> str:
    """The neighbour that was probably meant, or where we looked."""
    folder = path.parent
    try:
        neighbours = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return f"there is no folder {str(folder)!r} either"
    if not neighbours:
        return f"the folder {str(folder.resolve())!r} is empty"
    hint = did_you_mean(path.name, neighbours)
    if hint.startswith("did you mean"):
        return hint
    listed = ", ".join(neighbours[:8]) + (", ..." if len(neighbours) > 8 else "")
    return f"the folder {str(folder.resolve())!r} has: {listed}"


def _refuse_binary(content: bytes, name: str) -> None:
    for magic, kind in _ARCHIVES.items():
        if content.startswith(magic):
            raise DataError(
                f"{name} is {kind}, not a table in text",
                "unpack it, or read it with pandas (read_excel) and give the DataFrame",
            )
    if b"\x00" in content[:65536]:
        raise DataError(
            f"{name} is a binary file, not a table",
            "give CSV, TSV, JSONL, JSON, Parquet or CoNLL; if it is UTF-16 write ?encoding=utf-16-le behind the path",
        )


def _misfit(content: bytes, name: str, error: UnicodeDecodeError) -> DataError:
    line = content.count(b"\n", 0, error.start) + 1
    byte = content[error.start] if error.start < len(content) else 0
    return DataError(
        f"{name} is not {error.encoding.upper()}: line {line} has the byte 0x{byte:02x} at position {error.start:,}",
        f"save it as UTF-8, or name its encoding: data = {name + '?encoding=cp1252'!r}",
    )
