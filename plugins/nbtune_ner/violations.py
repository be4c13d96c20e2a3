"""Tag sequences that break the scheme of their column, such as an I-PER that continues nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nbtune.api import Finding, Part
from nbtune_ner.reading import read_tag_names
from nbtune_ner.schemes import Scheme, Tag, parse

_SHOWN, _KEPT = 5, 100
_ENDS = frozenset("ESLUW")
_OUTSIDE: set[Tag] = {("O", "")}


def violations(cells: Iterable[Any], part: Part, scheme: Scheme, names: Sequence[str] | None) -> Iterator[Finding]:
    """One finding about the rows whose tags break the scheme; rows that cannot be read are told of elsewhere."""
    broken: dict[int, str] = {}
    unclosed: dict[int, str] = {}
    seen: set[str] = set()
    begun: Counter[str] = Counter()
    for row, cell in enumerate(cells):
        try:
            tags = [parse(tag, scheme) for tag in read_tag_names(cell, names)]
        except ValueError:
            continue
        kinds = set(tags)
        if kinds == _OUTSIDE:
            continue
        seen.update(prefix for prefix, _ in kinds)
        before: Tag = ("O", "")
        for tag in tags:
            if tag[0] == before[0] == "O":
                continue
            fresh = before[0] == "O" or before[1] != tag[1]
            if fresh:
                begun[tag[0]] += 1
            if tag[0] in "IMEL" and (fresh or before[0] in _ENDS):
                broken.setdefault(row, f"{_written(tag)} after {_written(before)}")
            if before[0] in "BIM" and (fresh or tag[0] not in "IMEL"):
                unclosed.setdefault(row, f"{_written(before)} before {_written(tag)}")
            before = tag
        if before[0] in "BIM":
            unclosed.setdefault(row, f"{_written(before)} at the end")
    style = _style(seen, begun, scheme)
    rows = {"BIO": broken, "BIOES": {**unclosed, **broken}, "BILOU": {**unclosed, **broken}}.get(style, {})
    if rows:
        numbers = sorted(rows)
        shown = ", ".join(map(str, numbers[:_SHOWN])) + (", ..." if len(numbers) > _SHOWN else "")
        called = "training" if part == "train" else part
        subject = f"1 {called} row has" if len(rows) == 1 else f"{len(rows):,} {called} rows have"
        yield Finding(
            "warning",
            f"{subject} tags that break {style}, such as {rows[numbers[0]]} (row{'s'[: len(rows) > 1]} {shown});"
            " they are read by conlleval's rule",
            'correct them; or, if that reading is right, fix = ["repair_tags"]',
            tuple(numbers[:_KEPT]),
            len(rows),
            "repair_tags",
        )


def _style(seen: set[str], begun: Counter[str], scheme: Scheme) -> str:
    """The scheme of a column by the prefixes in it, told apart as by `nbtune.data.tags.detect_scheme`."""
    if scheme != "auto":
        return scheme.upper()
    if seen & {"U", "L"}:
        return "BILOU"
    if seen & {"E", "S", "M", "W"}:
        return "BIOES"
    return "IOB1" if begun["I"] and not begun["B"] else "BIO"


def _written(tag: Tag) -> str:
    return "O" if tag[0] == "O" else f"{tag[0]}-{tag[1]}"
