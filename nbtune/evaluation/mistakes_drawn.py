"""Mistakes as HTML, Markdown and plain text. Everything that came from data is escaped by `nbtune.drawing`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nbtune import drawing
from nbtune.drawing import markdown_safe

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.evaluation.mistakes import Mistakes

_MOST = 20
_AROUND = 60
"""Characters shown before and after a place in a text."""
_LABELS = ("row", "text", "given", "suggested", "score")
_CONFIDENT = ("row", "text", "in the data", "the model says", "confidence")


def html(mistakes: Mistakes) -> str:
    """Both lists as one static element."""
    pieces = [drawing.tag("div", _title(mistakes), css="nbtune-title")]
    if len(mistakes.labels):
        pieces.append(drawing.table(_LABELS, _rows(mistakes.labels)))
    pieces += [drawing.callout(sentence) for sentence in _sentences(mistakes)]
    pieces += [drawing.callout(note, tone="warning") for note in mistakes.notes]
    if len(mistakes.confident):
        pieces.append(drawing.fold(_confident(mistakes), drawing.table(_CONFIDENT, _rows(mistakes.confident))))
    return drawing.panel(*pieces)


def markdown(mistakes: Mistakes) -> str:
    """For exports and sites that strip HTML."""
    blocks = [f"**{markdown_safe(_title(mistakes))}**"]
    if len(mistakes.labels):
        blocks.append(drawing.markdown_table(_LABELS, _rows(mistakes.labels)))
    blocks += [markdown_safe(sentence) for sentence in (*_sentences(mistakes), *mistakes.notes)]
    if len(mistakes.confident):
        blocks += [markdown_safe(_confident(mistakes)), drawing.markdown_table(_CONFIDENT, _rows(mistakes.confident))]
    return "\n\n".join(blocks) + "\n"


def text(mistakes: Mistakes) -> str:
    """For a terminal."""
    lines = [drawing.visible(_title(mistakes)), ""]
    if len(mistakes.labels):
        lines += [drawing.text_table(_LABELS, _rows(mistakes.labels)), ""]
    lines += [drawing.visible(sentence) for sentence in (*_sentences(mistakes), *mistakes.notes)]
    if len(mistakes.confident):
        shown = drawing.text_table(_CONFIDENT, _rows(mistakes.confident))
        lines += ["", drawing.visible(_confident(mistakes)), shown]
    return "\n".join(lines)


def _title(mistakes: Mistakes) -> str:
    return f"{mistakes.run}: labels that are likely wrong, {mistakes.judged}"


def _sentences(mistakes: Mistakes) -> Iterator[str]:
    labels = mistakes.labels
    doubted = int(labels["doubted"].sum())
    if not len(labels):
        yield f"the model agrees with all labels of {mistakes.examined:,} rows"
        return
    yield (
        f"it disagrees with {len(labels):,} labels of {mistakes.examined:,} rows; cleanlab takes {doubted:,} for "
        f"wrong, which come first{_first(labels)}. Score: how well the given label fits, from 0 to 1"
    )
    yield (
        f"look at them, then accept([rows]) or correct(row, answer) writes corrections to {mistakes.corrections}, and "
        f'corrections = "{mistakes.corrections}" trains with them; the data itself is not changed'
    )


def _confident(mistakes: Mistakes) -> str:
    count = len(mistakes.confident)
    return f"{count:,} confident mistakes of the model on {mistakes.confident_on}{_first(mistakes.confident)}"


def _first(frame: pd.DataFrame) -> str:
    return f" (shown: the first {_MOST})" if len(frame) > _MOST else ""


def _rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    places = (
        list(zip(frame["start"], frame["end"], strict=True))
        if "start" in frame.columns
        else [(None, None)] * len(frame)
    )
    return [
        (
            int(row),
            _excerpt(text, *place),
            drawing.shorten(given, 80) or "none",
            drawing.shorten(found, 80) or "none",
            score,
        )
        for row, text, given, found, score, place in zip(
            *(frame[name].head(_MOST) for name in ("row", "text", "given", "suggested", "score")), places, strict=False
        )
    ]


def _excerpt(text: str, start: int | None, end: int | None) -> str:
    """The text around a place, or its beginning."""
    if start is None or end is None:
        return drawing.shorten(text, 2 * _AROUND)
    first = max(0, start - _AROUND)
    before = "…" if first else ""
    return (
        before + drawing.shorten(text[first : end + _AROUND], 3 * _AROUND) + ("…" if end + _AROUND < len(text) else "")
    )
