"""CoNLL columns: one token a line, a blank line between sentences, the tag in the last column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from nbtune.data.findings import finding_on
from nbtune.data.tables import Table
from nbtune.data.tags import SCHEMES, detect_scheme, split_tag, to_bio
from nbtune.errors import DataError
from nbtune.values import Finding

_SPACES = re.compile(r"[ \t]+")  # not \s: a token may be a no-break space


@dataclass(slots=True)
class _Sentence:
    document: int
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read_conll(text: str, name: str) -> Table:
    """A row for each sentence: `tokens`, and `tags` as BIO where there is more than one column.

    Columns between are `column_2` and so on; `document` counts DOCSTART lines, where there are any. A first column
    that only numbers the tokens is passed over. Lines that begin with "#" and are no token are comments.

    Raises:
        DataError: no sentences, a line with another number of columns, or tags of an unknown scheme.
    """
    import pandas as pd

    sentences = _sentences(text, name)
    if not sentences:
        raise DataError(f"{name} has no sentences", "give a file with one token a line")
    width = len(sentences[0].rows[0])
    columns = [[[row[position] for row in sentence.rows] for sentence in sentences] for position in range(width)]
    token = 1 if width > 2 and all(_counts(numbers) for numbers in columns[0]) else 0
    table: dict[str, list[list[str]] | list[int]] = {"tokens": columns[token]}
    findings: tuple[Finding, ...] = ()
    if width > 1:
        table["tags"], findings = _as_bio(columns[-1], sentences, name)
    for position in range(token + 1, width - 1):
        table[f"column_{position + 1}"] = columns[position]
    if sentences[-1].document:
        table["document"] = [sentence.document for sentence in sentences]
    frame = pd.DataFrame({column: pd.Series(cells, dtype=None) for column, cells in table.items()})
    return Table(frame, name, lambda: [sentence.lines[0] for sentence in sentences], findings)


def looks_like_conll(text: str) -> bool:
    """Whether the first lines are tokens with tags: few columns, blank lines between, a tag at the end of most."""
    lines = text[:20_000].split("\n")[:400]
    filled = [line for line in lines if line.strip() and not line.startswith(("-DOCSTART", "#"))]
    if not filled or len(filled) == len(lines):
        return False
    fields = [_SPACES.split(line.strip()) for line in filled]
    tagged = sum(len(row) > 1 and _is_tag(row[-1]) for row in fields)
    outside = sum(row[-1] == "O" for row in fields)
    # one column number throughout and many an O: tags too, if of a scheme we do not know and must complain about
    even = len({len(row) for row in fields}) == 1 and len(fields[0]) > 1
    return tagged >= 0.9 * len(filled) or (even and outside >= 0.3 * len(filled))


def _sentences(text: str, name: str) -> list[_Sentence]:
    lines = re.split(r"\r\n|\r|\n", text)
    tabs = _separated_by_tabs(lines)
    width = _usual_width(lines, tabs)
    sentences: list[_Sentence] = []
    document = 0
    inside = False
    for number, line in enumerate(lines, 1):
        if not line.strip(" \t"):
            inside = False
            continue
        fields = _fields(line, tabs)
        if fields[0] == "-DOCSTART-":
            document += 1
            inside = False
            continue
        if line.startswith("#") and (len(fields) != width or (width > 1 and not _is_tag(fields[-1]))):
            continue  # a comment; "#" with a tag behind it is a token
        if len(fields) != width:
            raise _uneven(name, number, fields, width, tabs)
        if not inside:
            sentences.append(_Sentence(document))
            inside = True
        sentences[-1].rows.append(fields)
        sentences[-1].lines.append(number)
    return sentences


def _fields(line: str, tabs: bool) -> list[str]:
    if not tabs:
        return _SPACES.split(line.strip(" \t"))
    fields = [part.strip(" ") for part in line.split("\t")]
    while len(fields) > 1 and not fields[-1]:  # a tab at the end of the line
        fields.pop()
    return fields


def _separated_by_tabs(lines: Sequence[str]) -> bool:
    filled = [line for line in lines[:1000] if line.strip() and not line.startswith(("#", "-DOCSTART"))]
    return 2 * sum("\t" in line.strip() for line in filled) > len(filled)


def _usual_width(lines: Sequence[str], tabs: bool) -> int:
    widths = Counter(
        len(_fields(line, tabs))
        for line in lines[:1000]
        if line.strip(" \t") and not line.startswith(("# ", "-DOCSTART"))
    )
    return widths.most_common(1)[0][0] if widths else 0


def _counts(numbers: Sequence[str]) -> bool:
    return list(numbers) == [str(position) for position in range(1, len(numbers) + 1)] or (
        list(numbers) == [str(position) for position in range(len(numbers))]
    )


def _as_bio(
    columns: list[list[str]], sentences: Sequence[_Sentence], name: str
) -> tuple[list[list[str]], tuple[Finding, ...]]:
    for tags, sentence in zip(columns, sentences, strict=True):
        for tag, line in zip(tags, sentence.lines, strict=True):
            if not _is_tag(tag):
                raise DataError(
                    f"{name}: line {line} has the tag {tag!r}, which is of no scheme that nbtune knows",
                    f"the last column must hold tags of one of {SCHEMES}",
                )
    scheme = detect_scheme(columns)
    bio = [to_bio(tags) for tags in columns]
    if scheme != "BIO":
        return bio, (Finding("note", f"{name}: the tags are in the scheme {scheme}, read as BIO"),)
    changed = [row for row, (old, new) in enumerate(zip(columns, bio, strict=True)) if _differ(old, new)]
    if not changed:
        return bio, ()
    message = f"{name}: an I- tag that continues nothing is read as B- (sentences with one: {len(changed):,})"
    return bio, (
        finding_on("note", message, "correct them, if the tags should begin elsewhere", changed, "repair_tags"),
    )


def _differ(old: Sequence[str], new: Sequence[str]) -> bool:
    return any(before[:1] != after[:1] for before, after in zip(old, new, strict=True))


def _is_tag(tag: str) -> bool:
    try:
        split_tag(tag)
    except ValueError:
        return False
    return True


def _uneven(name: str, number: int, fields: Sequence[str], width: int, tabs: bool) -> DataError:
    separator = "tabs" if tabs else "spaces"
    return DataError(
        f"{name}: line {number} has {len(fields)} column{'' if len(fields) == 1 else 's'}, most lines have {width}"
        f" (separated by {separator})",
        "write every token on a line of its own with the same columns, and a blank line between sentences",
    )
