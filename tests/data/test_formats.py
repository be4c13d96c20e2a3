from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nbtune.data.files import FileSettings
from nbtune.data.formats import read_file, sniff
from nbtune.errors import DataError

Write = Callable[[str, str | bytes], str]
FRAME = pd.DataFrame({"text": ["a fine day", "never again, no"], "label": ["good", "bad"]})
CONTENT = FRAME.to_dict("list")


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


FILES: dict[str, bytes] = {
    "a.csv": FRAME.to_csv(index=False).encode(),
    "a.tsv": FRAME.to_csv(index=False, sep="\t").encode(),
    "a.jsonl": FRAME.to_json(orient="records", lines=True).encode(),
    "a.json": FRAME.to_json(orient="records", indent=2).encode(),
    "a.parquet": parquet(FRAME),
    "a.csv.gz": gzip.compress(FRAME.to_csv(index=False).encode()),
    "a.txt": b"__label__good a fine day\n__label__bad never again, no\n",
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_table(write: Write, name: str) -> None:
    table = read_file(Path(write(name, FILES[name])))["whole"]
    assert table.frame.to_dict("list") == CONTENT
    assert table.description == f"{name} (2 rows)"


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_an_unknown_ending_is_known_by_its_content(write: Write, name: str) -> None:
    assert read_file(Path(write("data.annotated", FILES[name])))["whole"].frame.to_dict("list") == CONTENT


def test_conll_is_known_by_ending_or_content(write: Write) -> None:
    for name in ("a.conll", "a.bio", "a.txt", "a.annotated"):
        table = read_file(Path(write(name, "EU\tB-ORG\nsays\tO\n\nPeter\tB-PER\n")))["whole"]
        assert table.frame["tags"].tolist() == [["B-ORG", "O"], ["B-PER"]]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"a": 1}\n{"a": 2}\n', "jsonl"),
        ('{"a": 1}\n', "json"),
        ('[{"a": 1}]', "json"),
        ("text\tlabel\nx y\t1\n", "csv"),
        ("good\tx y\nbad\tz\ngood\tw\n", "lines"),
        ("good what, a day\nbad no, never\ngood oh, yes\n", "lines"),
        ("__label__a x, y\n", "lines"),
    ],
)
def test_the_format_is_told_by_the_first_lines(text: str, kind: str) -> None:
    assert sniff(text) == kind


def test_the_index_that_pandas_keeps_in_parquet_is_no_column(write: Write) -> None:
    content = parquet(FRAME.set_index(pd.Index([5, 7])))
    assert read_file(Path(write("a.parquet", content)))["whole"].frame.columns.tolist() == ["text", "label"]


def test_parquet_lists_are_lists(write: Write) -> None:
    content = parquet(pd.DataFrame({"tokens": [["a", "b"], ["c"]], "spans": [[{"start": 0, "end": 1}], []]}))
    frame = read_file(Path(write("a.parquet", content)))["whole"].frame
    assert frame.to_dict("list") == {"tokens": [["a", "b"], ["c"]], "spans": [[{"start": 0, "end": 1}], []]}


def test_a_truncated_parquet_file_is_refused(write: Write) -> None:
    with pytest.raises(DataError) as caught:
        read_file(Path(write("a.parquet", parquet(FRAME)[:-20])))
    assert caught.value.message == "a.parquet is a truncated Parquet file: its end is missing"
    assert caught.value.hint == "copy or download it again"


def test_something_else_called_parquet_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"a\.parquet is not a Parquet file, or a damaged one"):
        read_file(Path(write("a.parquet", "text,label\nx,y\n")))


def test_a_parquet_file_with_a_flipped_byte_is_read_or_refused(write: Write) -> None:
    content = parquet(FRAME)
    outcomes = set()
    for position in range(4, len(content) - 4, 7):
        broken = content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :]
        try:
            outcomes.add(len(read_file(Path(write("a.parquet", broken)))["whole"]))
        except DataError as error:
            outcomes.add(error.hint)
    assert "copy or download it again" in outcomes


def test_an_encoding_may_be_said(write: Write) -> None:
    path = Path(write("a.csv", "text,label\ncafé,x\n".encode("cp1252")))
    with pytest.raises(DataError, match=r"a\.csv is not UTF-8: line 2 has the byte 0xe9"):
        read_file(path)
    assert read_file(path, FileSettings("cp1252"))["whole"].frame["text"].tolist() == ["café"]


def test_utf_16_from_a_spreadsheet_is_read(write: Write) -> None:
    path = Path(write("a.csv", "text;label\r\nGrüße, alle;x\r\n".encode("utf-16")))
    assert read_file(path)["whole"].frame.to_dict("list") == {"text": ["Grüße, alle"], "label": ["x"]}


def test_a_delimiter_may_be_said(write: Write) -> None:
    path = Path(write("a.txt", "text^label\nx, y^z\n"))
    assert read_file(path, FileSettings(delimiter="^"))["whole"].frame.to_dict("list") == {
        "text": ["x, y"],
        "label": ["z"],
    }
