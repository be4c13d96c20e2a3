"""Text files with one text a line, and its label in front of it or behind a tab."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbtune.data.tables import Table
from nbtune.errors import DataError

_MARK = "__label__"
_LABEL = re.compile(r"[^\s.,;!?\"'()]{1,60}[:;,]?")


def read_lines(text: str, name: str, *, labelled: bool = True) -> Table:
    """The table of a file of lines: `text`, and `label` (or `labels`, lists, where a line has several).

    Read are fastText's `__label__x __label__y text`, `label<TAB>text`, `text<TAB>label` and `label text`.
    Without `labelled` (texts to predict), lines without a label are texts.

    Raises:
        DataError: a line has no label, or no text.
    """
    numbered = [(number, line.strip()) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()]
    if not numbered:
        raise DataError(f"{name} is empty", "give a file with rows")
    lines = [line for _, line in numbered]
    numbers = [number for number, _ in numbered]
    if any(line.startswith(_MARK) for line in lines[:100]):
        return _marked(lines, numbers, name)
    if all(line.count("\t") == 1 for line in lines):
        return _tabbed(lines, numbers, name)
    if begin_with_labels(lines):
        return _spaced(lines, numbers, name)
    if not labelled:
        return _table({"text": lines}, numbers, name)
    raise DataError(
        f"{name}: the lines do not begin with a label (line {numbers[0]} begins {lines[0][:30]!r})",
        "write each line as label<TAB>text, or give a CSV with a header",
    )


def _marked(lines: Sequence[str], numbers: Sequence[int], name: str) -> Table:
    texts, labels = [], []
    for line, number in zip(lines, numbers, strict=True):
        words = line.split(" ")
        count = next((position for position, word in enumerate(words) if not word.startswith(_MARK)), len(words))
        if count == 0:
            raise DataError(
                f"{name}: line {number} has no {_MARK}, other lines have", f"write {_MARK}name before the text"
            )
        labels.append([word.removeprefix(_MARK).strip(",") for word in words[:count]])
        texts.append(" ".join(words[count:]).strip())
    if any(len(several) > 1 for several in labels):
        return _table({"text": texts, "labels": labels}, numbers, name)
    return _table({"text": texts, "label": [only[0] for only in labels]}, numbers, name)


def _tabbed(lines: Sequence[str], numbers: Sequence[int], name: str) -> Table:
    pairs = [line.split("\t") for line in lines]
    left, right = [pair[0].strip() for pair in pairs], [pair[1].strip() for pair in pairs]
    # the label is what repeats; with nothing to tell them apart, it stands first
    label_first = (len(set(left)), sum(map(len, left))) <= (len(set(right)), sum(map(len, right)))
    labels, texts = (left, right) if label_first else (right, left)
    return _table({"text": texts, "label": labels}, numbers, name)


def _spaced(lines: Sequence[str], numbers: Sequence[int], name: str) -> Table:
    parts = [line.split(None, 1) for line in lines]
    for part, number in zip(parts, numbers, strict=True):
        if len(part) < 2:
            raise DataError(f"{name}: line {number} has no text after {part[0]!r}", "write each line as label text")
    labels = [part[0].rstrip(":;,") or part[0] for part in parts]
    return _table({"text": [part[1] for part in parts], "label": labels}, numbers, name)


def begin_with_labels(lines: Sequence[str]) -> bool:
    """Whether the first words of lines are labels: they look like names, and few of them stand before many lines."""
    firsts = [line.split(None, 1)[0] for line in lines]
    different = set(firsts)
    allowed = max(2, len(firsts) // 2 if len(firsts) < 100 else len(firsts) // 8)
    return len(different) <= min(allowed, len(firsts) - 1) and all(_LABEL.fullmatch(word) for word in different)


def _table(columns: Mapping[str, Sequence[Any]], numbers: Sequence[int], name: str) -> Table:
    import pandas as pd

    frame = pd.DataFrame({column: pd.Series(cells) for column, cells in columns.items()})
    return Table(frame, name, lambda: numbers)
