"""Tag sequences of any common scheme, read as spans of words, and written as BIO."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

Scheme: TypeAlias = Literal["auto", "bio", "iob1", "bioes", "bilou", "io"]
WordSpan: TypeAlias = tuple[int, int, str]
"""First word, the word after the last, type."""
Tag: TypeAlias = tuple[str, str]
"""Prefix (O, B, I ...) and type."""

_PREFIXES: dict[Scheme, str] = {
    "auto": "BIESLUMW",
    "bio": "BI",
    "iob1": "BI",
    "bioes": "BIESMW",  # also written BMES and BMEWO
    "bilou": "BILU",
    "io": "I",
}
_TAG = re.compile(r"([BIESLUMWbieslumw])(?:[-_](.+))?", re.DOTALL)
_UNTYPED = "ENTITY"


def read_tags(tags: Iterable[str], scheme: Scheme = "auto") -> list[WordSpan]:
    """The entities of a tag sequence.

    A tag opens an entity if it says so (B, S, U, W), if its type differs from the tag before, or if the tag before
    is O or closes one (E, L, S, U, W); any other tag goes on with the entity. For BIO, IOB1, IOE, BIOES and BILOU
    this is the rule of conlleval (Tjong Kim Sang and De Meulder, 2003), so the schemes need not be told apart.

    Raises:
        ValueError: a tag is in none of the schemes, or not in the one that was asked for.
    """
    spans: list[WordSpan] = []
    open_type: str | None = None
    for position, tag in enumerate(tags):
        prefix, kind = parse(tag, scheme)
        if prefix == "O":
            open_type = None
            continue
        if prefix in "BSUW" or kind != open_type:
            spans.append((position, position + 1, kind))
        else:
            spans[-1] = (spans[-1][0], position + 1, kind)
        open_type = None if prefix in "ESLUW" else kind
    return spans


def write_tags(spans: Iterable[WordSpan], words: int) -> list[str]:
    """BIO tags of so many words."""
    tags = ["O"] * words
    for first, stop, kind in spans:
        tags[first] = f"B-{kind}"
        tags[first + 1 : stop] = [f"I-{kind}"] * (stop - first - 1)
    return tags


def name_tags(tags: Sequence[object], names: Sequence[str] | None) -> list[str]:
    """Tags as text; numbers are looked up in `names`.

    Raises:
        ValueError: a tag is missing, or a number without a name.
    """
    if not names and set(map(type, tags)) <= {str}:  # millions of them: the usual case has a short way
        return list(map(str.strip, tags))  # type: ignore[arg-type]
    return [_name(tag, position, names) for position, tag in enumerate(tags)]


def _name(tag: object, position: int, names: Sequence[str] | None) -> str:
    if isinstance(tag, str):
        text = tag.strip()
        if not (names and text.isdecimal()):
            return text
        number = int(text)
    elif tag is None or tag != tag or isinstance(tag, bool):
        raise ValueError(f"holds {tag} in place {position + 1}, not a tag")
    else:
        try:
            number = int(tag)  # type: ignore[call-overload]
        except (TypeError, ValueError):
            raise ValueError(f"holds a {type(tag).__name__} in place {position + 1}, not a tag") from None
    if not names:
        raise ValueError(f"holds the number {number} in place of a tag: name them, tag_names = ['O', 'B-PER', ...]")
    if not 0 <= number < len(names):
        raise ValueError(f"holds the tag number {number}, but tag_names has {len(names)} names (0 to {len(names) - 1})")
    return names[number]


@functools.lru_cache(maxsize=4096)
def parse(tag: str, scheme: Scheme) -> Tag:
    """The prefix, as a capital, and the type of a tag.

    Raises:
        ValueError: it is in none of the schemes, or not in the one that was asked for.
    """
    if tag in {"O", "o"}:
        return "O", ""
    match = _TAG.fullmatch(tag)
    if match and match[1].upper() in _PREFIXES[scheme]:
        return match[1].upper(), (match[2] or _UNTYPED).strip()
    if scheme == "io" and tag and not match:
        return "I", tag
    known = "BIO, IOB1, BIOES and BILOU" if scheme == "auto" else scheme.upper()
    hint = "did you mean 'O'?" if tag == "0" else f"tags of {known} look like B-PER, I-PER or O"
    raise ValueError(f"holds the unknown tag {tag!r}; {hint}")
