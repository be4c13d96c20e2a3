"""One prediction as HTML: the text with its entities marked, readable in a light and a dark theme."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from nbtune.api import Example, escape
from nbtune_ner.predictions import Prediction, found_spans
from nbtune_ner.reading import Span, gold

_BOX = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:2;max-height:24em;overflow:auto"
_MARK = (
    "color:inherit;background:hsl({hue} 75% 50% / .22);border-bottom:2px solid hsl({hue} 65% 50%);"
    "border-radius:3px;padding:.1em .25em"
)
_LABEL = "font-size:.72em;font-weight:600;margin-inline-start:.35em;opacity:.85"


def render_entities(example: Example, prediction: Prediction) -> str:
    """The text with a mark and a written type on each entity; against a known target also right, wrong and missed."""
    text: str = example.inputs["text"]
    known = example.target is not None
    wanted = set(gold(example))
    parts: list[str] = []
    position = 0
    for entity, span in zip(prediction["entities"], found_spans(prediction), strict=True):
        start, end, kind = span
        verdict = ("" if span in wanted else "not in the gold answer") if known else ""
        parts += [
            escape(text[position:start]),
            _mark(text[start:end], kind, f"{kind}, confidence {entity['confidence']:.2f}", verdict),
        ]
        position = end
    parts.append(escape(text[position:]))
    body = f'<div dir="auto" tabindex="0" style="{_BOX}">{"".join(parts)}</div>'
    missed = sorted(wanted.difference(found_spans(prediction)))
    return body + (_missed(text, missed) if missed else "")


def _mark(text: str, kind: str, title: str, verdict: str) -> str:
    flag = f" ✗ {verdict}" if verdict else ""
    return (
        f'<mark title="{escape(title)}" style="{_MARK.format(hue=_hue(kind))}">{escape(text)}'
        f'<bdi style="{_LABEL}">{escape(kind)}{flag}</bdi></mark>'
    )


def _missed(text: str, spans: Sequence[Span]) -> str:
    marks = " ".join(_mark(text[start:end], kind, f"{kind}, {start}:{end}", "") for start, end, kind in spans)
    return f'<div dir="auto" style="{_BOX}">missed: {marks}</div>'


def _hue(kind: str) -> int:
    """The same colour for a type in every run and session (Python's own hash changes with each)."""
    return zlib.crc32(kind.encode()) * 137 % 360
