"""Tag schemes: which one a corpus uses, and its tags as BIO (IOB2).

Every chunk begins with B-TYPE and goes on with I-TYPE; O is outside. Reading follows conlleval (Tjong Kim Sang and
Buchholz, 2000): a tag that cannot continue the chunk before it begins a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

Scheme = Literal["BIO", "IOB1", "IO", "BIOES", "BILOU", "BMES"]

SCHEMES = "BIO (IOB2), IOB1, IO, BIOES (IOBES), BILOU and BMES, as in B-PER"
_BEGINS = frozenset("BSUW")
_ENDS = frozenset("ESULW")
_PREFIXES = frozenset("BIOESULMW")
_UNNAMED = "ENTITY"


def split_tag(tag: str) -> tuple[str, str]:
    """The prefix and the type of a tag: "B-PER" -> ("B", "PER"); "O" -> ("O", ""); a bare "B" has the type ENTITY.

    Raises:
        ValueError: it is not a tag of a known scheme.
    """
    if tag == "O":
        return "O", ""
    prefix, separator, kind = tag[:1], tag[1:2], tag[2:]
    if prefix not in _PREFIXES or prefix == "O" or (separator and separator not in "-_") or (separator and not kind):
        raise ValueError(f"{tag!r} is not a tag of a known scheme")
    return prefix, kind or _UNNAMED


def detect_scheme(sequences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme that the tags of a corpus follow, judged by all of its prefixes.

    A corpus without entities is BIO. I- that begins a chunk makes it IOB1 where B- only parts neighbours of one type,
    IO where there is no B-; otherwise it is BIO with mistakes.

    Raises:
        ValueError: a tag is of no known scheme.
    """
    prefixes: set[str] = set()
    begun_by_inside = begun_by_begin = 0
    for sequence in sequences:
        before = ("O", "")
        for tag in sequence:
            prefix, kind = split_tag(tag)
            prefixes.add(prefix)
            fresh = before[0] == "O" or before[1] != kind
            begun_by_inside += prefix == "I" and fresh
            begun_by_begin += prefix == "B" and fresh
            before = (prefix, kind)
    if prefixes & {"U", "L"}:
        return "BILOU"
    if prefixes & {"M", "W"}:
        return "BMES"
    if prefixes & {"E", "S"}:
        return "BIOES"
    if begun_by_inside and not begun_by_begin:
        return "IOB1" if "B" in prefixes else "IO"
    return "BIO"


def to_bio(tags: Sequence[str]) -> list[str]:
    """The tags of one sentence, of any known scheme, as BIO.

    Raises:
        ValueError: a tag is of no known scheme.
    """
    result: list[str] = []
    open_kind = ""  # the type of the chunk that the next tag may continue
    for tag in tags:
        prefix, kind = split_tag(tag)
        if prefix == "O":
            result.append("O")
            open_kind = ""
            continue
        begins = prefix in _BEGINS or kind != open_kind
        result.append(f"{'B' if begins else 'I'}-{kind}")
        open_kind = "" if prefix in _ENDS else kind
    return result
