from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from nbtune.data.files import FileSettings, decode, load, locate
from nbtune.errors import DataError

Write = Callable[[str, str | bytes], str]


def test_a_missing_file_offers_its_neighbour(write: Write) -> None:
    path = write("reviews.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match=r"there is no file '.*review\.csv'") as caught:
        locate(path.replace("reviews", "review"))
    assert caught.value.hint == "did you mean 'reviews.csv'?"


def test_a_missing_file_with_no_like_lists_the_folder(write: Write, tmp_path: Path) -> None:
    write("reviews.csv", "a,b\n1,2\n")
    with pytest.raises(DataError) as caught:
        locate(str(tmp_path / "zzz.parquet"))
    assert caught.value.hint == f"the folder '{tmp_path}' has: reviews.csv"
    with pytest.raises(DataError) as caught:
        locate(str(tmp_path / "nowhere" / "train.csv"))
    assert caught.value.hint == f"there is no folder '{tmp_path / 'nowhere'}' either"


def test_settings_stand_behind_a_question_mark(write: Write) -> None:
    path = write("a.csv", "x")
    assert locate(f"{path}?encoding=cp1252&delimiter=;&header=no")[1] == FileSettings("cp1252", ";", False)
    assert locate(f"{path}?delimiter=tab")[1] == FileSettings(delimiter="\t")


def test_a_file_whose_name_has_a_question_mark_is_found(write: Write) -> None:
    path = write("why?encoding=x.csv", "x")
    assert locate(path) == (Path(path), FileSettings())


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ("encodin=cp1252", "there is no setting 'encodin'", "did you mean 'encoding'?"),
        ("header=maybe", "header is 'maybe'", "write header=yes or header=no"),
        ("delimiter=||", "is not one character", "write delimiter=; or delimiter=tab"),
        ("encoding=", "has no value", "write ?encoding=cp1252"),
    ],
)
def test_a_wrong_setting_is_named(write: Write, query: str, message: str, hint: str) -> None:
    path = write("a.csv", "x")
    with pytest.raises(DataError, match=message) as caught:
        locate(f"{path}?{query}")
    assert caught.value.hint == hint


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_byte_order_marks_are_understood_and_removed(encoding: str) -> None:
    content = "text,label\nGrüße,de\n".encode(encoding)
    if encoding == "utf-16-le":
        content = b"\xff\xfe" + content
    assert decode(content, "a.csv") == "text,label\nGrüße,de\n"


def test_a_wrong_encoding_names_line_and_byte_and_the_remedy() -> None:
    content = "text,label\nfine,a\ncafé,b\n".encode("cp1252")
    with pytest.raises(DataError) as caught:
        decode(content, "menu.csv")
    assert caught.value.message == "menu.csv is not UTF-8: line 3 has the byte 0xe9 at position 21"
    assert caught.value.hint == "save it as UTF-8, or name its encoding: data = 'menu.csv?encoding=cp1252'"
    assert decode(content, "menu.csv", "cp1252").endswith("café,b\n")


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(DataError, match="there is no encoding 'utf-9'"):
        decode(b"x", "a.csv", "utf-9")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x7fELF\x00\x01\x02", "a.csv is a binary file, not a table"),
        (b"PK\x03\x04rest", "a.csv is a zip archive or an Excel workbook"),
        ("text,label\nx,y\n".encode("utf-16-le"), "a.csv is a binary file, not a table"),
    ],
)
def test_a_binary_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode(content, "a.csv")


@pytest.mark.parametrize("content", [b"", b"\n\n  \r\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_refused(write: Write, content: bytes) -> None:
    with pytest.raises(DataError, match=r"^a\.csv is empty"):
        load(Path(write("a.csv", content)))


def test_gzip_is_unpacked_and_a_cut_one_refused(write: Write) -> None:
    packed = gzip.compress(b"text,label\nx,y\n" * 50)
    assert load(Path(write("a.csv.gz", packed))).startswith(b"text,label")
    with pytest.raises(DataError, match=r"b\.csv\.gz is a damaged gzip file"):
        load(Path(write("b.csv.gz", packed[:-12])))
