"""Cells of a table to examples: tokens with tags, or a text with character spans.

An example's inputs are `text`, `words` ([start, end] of each, in characters) and, where the words are the user's own
and were not found in the text, `tokens`: the words themselves. Its target is a list of [start, end, type], in
characters, in order.
"""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from nbtune.api import Example, clean_label, clean_text
from nbtune_ner.schemes import Scheme, name_tags, read_tags
from nbtune_ner.words import find_words, join_words, trim

Span: TypeAlias = tuple[int, int, str]
"""Start, end (characters) and type."""

_START = ("start", "start_offset", "begin", "from")
_END = ("end", "end_offset", "stop", "to")
_TYPE = ("type", "label", "labels", "entity_type", "entity_group", "entity", "tag")
_TEXT = ("text", "word", "value")


def read_tokens(cell: Any) -> dict[str, Any]:
    """The inputs of a row of tokens.

    Raises:
        ValueError: the cell is missing, is no list, or holds a token that is missing or empty.
    """
    tokens = _sequence(cell, "tokens")
    if not tokens:
        raise ValueError("is empty")
    if set(map(type, tokens)) != {str} or "" in tokens:  # millions of them: the usual case has a short way
        tokens = [_token(item, place) for place, item in enumerate(tokens, start=1)]
    joined, words = join_words(tokens)
    text = clean_text(joined)
    if text != joined:
        tokens = [text[start:end] for start, end in words]
    return {"text": text, "words": words, "tokens": tokens}


def read_text(cell: Any) -> dict[str, Any]:
    """The inputs of a row of raw text.

    Raises:
        ValueError: the cell is missing, blank or not a text.
    """
    text = clean_text(cell)
    return {"text": text, "words": find_words(text)}


def tag_spans(cell: Any, inputs: Mapping[str, Any], scheme: Scheme, names: Sequence[str] | None) -> list[list[Any]]:
    """The target of a row of tags.

    Raises:
        ValueError: there are more or fewer tags than tokens, or one belongs to no scheme.
    """
    tags = read_tag_names(cell, names)
    words = inputs["words"]
    if len(tags) != len(words):
        raise ValueError(f"has {len(tags)} tags for {len(words)} tokens")
    spans = read_tags(tags, scheme)
    return [[words[first][0], words[stop - 1][1], kind] for first, stop, kind in spans]


def read_tag_names(cell: Any, names: Sequence[str] | None) -> list[str]:
    """The tags of a cell, as text.

    Raises:
        ValueError: the cell is missing or no list, or a tag is a number without a name.
    """
    return name_tags(_sequence(cell, "tags"), names)


def with_tokens(example: Example, change: Callable[[str], str]) -> Example:
    """The example of a row of tokens with each of them changed, and its spans moved along with them. A token that would
    become empty, or two, stays as it is."""
    tokens = []
    for token in example.inputs["tokens"]:
        changed = change(token)
        tokens.append(changed if changed and not any(map(str.isspace, changed)) else token)
    text, words = join_words(tokens)
    moved = {
        place: after[side]
        for before, after in zip(example.inputs["words"], words, strict=True)
        for side, place in ((0, (0, before[0])), (1, (1, before[1])))
    }
    target = example.target and [[moved[0, start], moved[1, end], kind] for start, end, kind in example.target]
    inputs = {**example.inputs, "text": text, "words": words, "tokens": tokens}
    return Example(inputs, target, example.row, example.group)


def entity_spans(cell: Any, inputs: Mapping[str, Any]) -> list[list[Any]]:
    """The target of a row of character spans, without the white space around them.

    Raises:
        ValueError: a span is empty, overlaps another, lies outside the text or quotes other words than lie there.
    """
    text: str = inputs["text"]
    items = _entities(cell)
    spans = sorted({_span(item, place, text) for place, item in enumerate(items, start=1)})
    for (start, end, kind), (after, after_end, after_kind) in itertools.pairwise(spans):
        if after < end:
            raise ValueError(f"has overlapping entities: {start}:{end} {kind} and {after}:{after_end} {after_kind}")
    return [list(span) for span in spans]


def gold(example: Example) -> list[Span]:
    """The target of an example, as tuples; empty if it is unknown."""
    return [(start, end, kind) for start, end, kind in example.target or ()]


def _token(item: Any, place: int) -> str:
    if item is None or item != item:
        raise ValueError(f"has a missing token in place {place}")
    if isinstance(item, (dict, list, tuple)):
        raise ValueError(f"has a {type(item).__name__} in place {place}, not a token")
    token = str(item)
    if not token:
        raise ValueError(f"has an empty token in place {place}")
    return token


def _sequence(cell: Any, what: str) -> list[Any]:
    """The items of a cell: a list, an array, the text of a list, or words between spaces."""
    if type(cell) is list:
        return list(cell)
    if isinstance(cell, str):
        spelled = _spelled(cell)
        return spelled if isinstance(spelled, list) else cell.split()
    _refuse_missing(cell)
    if isinstance(cell, Mapping) or not isinstance(cell, Iterable):
        raise ValueError(f"is a {type(cell).__name__}, not a list of {what}")
    return list(cell)


def _entities(cell: Any) -> list[Any]:
    _refuse_missing(cell, "; write [] where a text has no entities")
    value = _spelled(cell) if isinstance(cell, str) else cell
    if isinstance(value, Mapping):
        if len(value) == 1:  # {"entities": [...]}
            value = next(iter(value.values()))
        elif value and all(_is_list(item) for item in value.values()):  # a list of each field
            if len({len(item) for item in value.values()}) > 1:
                raise ValueError(f"has lists of different lengths for {', '.join(map(str, value))}")
            value = [dict(zip(value, fields, strict=True)) for fields in zip(*value.values(), strict=True)]
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise ValueError("is not a list of entities such as [{'start': 0, 'end': 6, 'type': 'PER'}]")
    return list(value)


def _span(item: Any, place: int, text: str) -> Span:
    """One checked entity; `place` is counted from 1 for messages."""
    try:
        start_cell, end_cell, kind_cell, quoted = _fields(item)
        start, end = _offset(start_cell), _offset(end_cell)
        kind = clean_label(kind_cell[0] if _is_list(kind_cell) and len(kind_cell) == 1 else kind_cell)
    except ValueError as error:
        raise ValueError(f"has an entity {error} (entity {place})") from None
    if not 0 <= start <= end <= len(text):
        raise ValueError(f"has an entity outside the text: {start}:{end} {kind}, the text has {len(text)} characters")
    first, last = trim(text, start, end)
    if first == last:
        raise ValueError(f"has an empty entity: {start}:{end} {kind}")
    if isinstance(quoted, str) and quoted.split() != text[start:end].split():
        raise ValueError(
            f"has an entity {quoted[:40]!r} where the text says {text[start:end][:40]!r} ({start}:{end} {kind}); "
            "are the offsets counted in characters, and `end` exclusive?"
        )
    return first, last, kind


def _fields(item: Any) -> tuple[Any, Any, Any, Any]:
    if isinstance(item, Mapping):
        start, end, kind = (_field(item, names) for names in (_START, _END, _TYPE))
        return start, end, kind, next((item[name] for name in _TEXT if name in item), None)
    if not isinstance(item, str) and _is_list(item) and len(item) == 3:
        return item[0], item[1], item[2], None
    raise ValueError(f"that is not {{'start', 'end', 'type'}} or [start, end, type] but {str(item)[:40]!r}")


def _field(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in item:
            return item[name]
    raise ValueError(f"without {names[0]!r}: it has {', '.join(map(str, item)) or 'nothing'}")


def _offset(value: Any) -> int:
    if not isinstance(value, bool):
        try:
            number = int(value)
            if number == float(value):
                return number
        except (TypeError, ValueError, OverflowError):
            pass
    raise ValueError(f"whose offset is {str(value)[:40]!r}, not a whole number")


def _spelled(text: str) -> Any:
    """What a text spells in JSON or as a Python literal; None if it is neither."""
    trimmed = text.strip()
    if trimmed[:1] not in {"[", "{"} or trimmed[-1:] not in {"]", "}"}:
        return None
    try:
        return json.loads(trimmed)
    except (ValueError, RecursionError):
        try:
            return ast.literal_eval(trimmed)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None


def _is_list(value: Any) -> bool:
    return (isinstance(value, Sequence) and not isinstance(value, str)) or type(value).__name__ == "ndarray"


def _refuse_missing(cell: Any, remedy: str = "") -> None:
    if cell is None or (isinstance(cell, float) and cell != cell) or type(cell).__name__ == "NAType":
        raise ValueError(f"is missing ({'None' if cell is None else 'NaN'}){remedy}")
