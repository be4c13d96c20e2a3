"""The examples a run keeps are the examples it saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbtune.errors import RunError
from nbtune.running.snapshot import fingerprint, read_examples, write_examples
from nbtune.values import Example

TRAIN = [Example({"text": f"text {n} \ud83d é"}, ["a", None, 1.5], n, f"g{n % 3}" if n % 2 else None) for n in range(9)]
TEST = [Example({"text": "only one"}, None, 4)]


def test_kept_examples_read_back_equal_with_their_fingerprints(tmp_path: Path) -> None:
    facts = write_examples(tmp_path, {"train": TRAIN, "test": TEST})
    for part, examples in (("train", TRAIN), ("test", TEST)):
        kept = read_examples(tmp_path, part)  # type: ignore[arg-type]
        assert kept is not None
        assert list(kept) == examples
        assert facts[part] == {"examples": len(examples), "sha256": fingerprint(kept)}
    assert read_examples(tmp_path, "validation") is None
    assert not list((tmp_path / "data").glob(".*"))


def test_more_examples_than_a_row_group_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbtune.running.snapshot._AT_ONCE", 4)
    write_examples(tmp_path, {"train": TRAIN})
    kept = read_examples(tmp_path, "train")
    assert kept is not None
    assert list(kept) == TRAIN


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    write_examples(tmp_path, {"train": TRAIN})
    file = tmp_path / "data" / "train.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(RunError, match=r"the kept data train\.parquet .* is damaged"):
        read_examples(tmp_path, "train")
