"""The file of corrections: what is written is read back, by several writers at once, and a bad line is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbtune.data.corrections import Correction, append, content_of, correction, entries_of, fingerprint, same
from nbtune.errors import DataError
from nbtune.tasks.registry import registry
from nbtune.values import Example

LINE = {"fingerprint": "ab", "old": "x", "new": "y"}


def entry(number: int = 0, **changes: Any) -> Correction:
    return Correction(fingerprint=f"{number:032x}", old="x", new="y", **changes)


def read(path: Path) -> list[Correction]:
    return [each for _, each in entries_of(path, content_of(path))]


def test_entries_come_back_whatever_they_say(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    strange = entry(1, who="Zoë", why="“quoted”\nover\u2028lines \ud800 <b>")
    spans = Correction(fingerprint="c", old=[[0, 4, "PER"]], new=[], when="2026-01-01T00:00:00+00:00")
    append(path, [strange])
    append(path, [spans, entry(2)])
    assert read(path) == [strange, spans, entry(2)]
    assert path.read_bytes().count(b"\n") == 3


def test_what_an_editor_leaves_behind_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "edited.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(LINE).encode() + b"\r\n\r\n" + json.dumps(LINE).encode())
    append(path, [entry()])  # the last line was left open
    assert [each.fingerprint for each in read(path)] == ["ab", "ab", entry().fingerprint]


WRITER = """
import sys
from pathlib import Path
from nbtune.data.corrections import Correction, append
for number in range(60):
    append(Path(sys.argv[1]), [Correction(fingerprint=sys.argv[2], old=number, new="y" * 3000)])
"""


def test_lines_of_writers_at_the_same_time_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "shared.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = read(path)
    assert len(found) == 180
    for name in "abc":
        assert [each.old for each in found if each.fingerprint == name] == list(range(60))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json", "this is not JSON"),
        ("[1, 2]", "this is not a JSON object"),
        (json.dumps({"fingerprint": "a", "old": "x"}), "it has no 'new'"),
        (json.dumps({**LINE, "wy": "because"}), "there is no field 'wy'; did you mean 'why'?"),
        (json.dumps({**LINE, "who": 3}), "'who' is not a text"),
        ("[" * 100_000, "this is not JSON"),
    ],
)
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(LINE) + "\n\n" + line + "\n")
    with pytest.raises(DataError, match=r"bad\.jsonl, line 3: ") as caught:
        read(path)
    assert words in caught.value.message


def test_a_file_that_is_not_there_or_is_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file of corrections") as caught:
        content_of(tmp_path / "none.jsonl")
    assert "correct(row, new)" in caught.value.hint
    with pytest.raises(DataError, match="cannot be read"):
        content_of(tmp_path)
    with pytest.raises(DataError, match="cannot be written"):
        append(tmp_path / "no" / "such.jsonl", [entry()])


def test_a_fingerprint_is_of_what_the_row_says_and_not_of_where_it_stands_or_its_label() -> None:
    inputs = {"text": "a card", "text_pair": "lost"}
    assert fingerprint(Example(inputs, "x", 3)) == fingerprint(Example(dict(reversed(inputs.items())), "y", 8, "me"))
    assert fingerprint(Example(inputs)) != fingerprint(Example({**inputs, "text": "A card"}))


def test_an_entry_is_signed_and_dated_and_must_change_something() -> None:
    task = registry().task("classification")
    example = Example({"text": "a card"}, "lost", 7)
    made = correction(task, example, "found", who="me", why="read it")
    assert (made.old, made.new, made.who, made.why) == ("lost", "found", "me", "read it")
    assert made.when.startswith("20")
    with pytest.raises(DataError, match="row 7 has this answer already"):
        correction(task, example, "lost", who="me", why="")
    with pytest.raises(DataError, match="row 7: the answer must be a label, as in the data"):
        correction(task, example, ["found"], who="me", why="")


def test_the_order_of_several_labels_or_entities_means_nothing() -> None:
    assert same(["a", "b"], ["b", "a"])
    assert same([[5, 9, "PER"], [0, 4, "LOC"]], [[0, 4, "LOC"], [5, 9, "PER"]])
    assert not same(["a"], ["a", "a"])
    assert not same("a", ["a"])
    assert same(4, 4.0)
