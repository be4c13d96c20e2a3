"""Explanations as HTML, Markdown and plain text: words shaded by what they speak for.

For and against differ in colour and in the line below the word, so that nobody must tell colours apart. Everything that
came from data is escaped by `nbtune.drawing`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nbtune import drawing
from nbtune.drawing import markdown_safe
from nbtune.evaluation.explanation import Explanation, Word

Method = Literal["gradients", "occlusion"]
_MOST_WORDS = 400
"""Of a text that are shown: the stretch with the most in it."""
_LONGEST = 60
_ROWS = 12
_FAINT = 0.08
"""Below this share of the largest, a word is not shaded."""
_STRONG = 0.3
"""From this share on, a word is marked for those who see no colours."""
_COLOURS = {"for": "30 110 230", "against": "235 115 10"}
_BOX = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:2.1;max-height:26em;overflow:auto;margin:.3em 0"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, or what stands between two (`word` is None)."""

    text: str
    word: Word | None = None


def html(parts: Sequence[Explanation], notes: Sequence[str]) -> str:
    """All of them as one static element."""
    pieces = [piece for part in parts for piece in _html(part)]
    legend = drawing.Markup(
        f'<div class="nbtune-soft">speaks <span style="{_style("for", 0.6)}">for</span> it, '
        f'<span style="{_style("against", 0.6)}">against</span> it. It is what the model goes by, right or wrong.</div>'
    )
    return drawing.panel(*pieces, *[drawing.callout(note) for note in notes], legend if parts else "")


def markdown(parts: Sequence[Explanation], notes: Sequence[str]) -> str:
    """For exports and sites that strip HTML: bold speaks for the target, italics against it."""
    blocks = []
    for part in parts:
        blocks.append(f"**{markdown_safe(_title(part))}**")
        for source, pieces in _texts(part, "gradients"):
            head = f"{markdown_safe(source)}: " if source else ""
            blocks.append("> " + head + "".join(_marked_down(piece, part) for piece in pieces).strip())
        blocks += [markdown_safe(sentence) for sentence in _said(part)]
        blocks.append(drawing.markdown_table(*_table(part), align=["left", "right", "right"]))
    if parts:
        blocks.append("**bold**: speaks for it; *italics*: against it")
    return "\n\n".join([*blocks, *map(markdown_safe, notes)]) + "\n"


def text(parts: Sequence[Explanation], notes: Sequence[str]) -> str:
    """For a terminal: `+word+` speaks for the target, `-word-` against it."""
    blocks = []
    for part in parts:
        lines = [drawing.visible(_title(part)), ""]
        for source, pieces in _texts(part, "gradients"):
            head = f"{drawing.visible(source)}: " if source else ""
            lines.append(head + "".join(_marked(piece, part) for piece in pieces))
        lines += ["", *(drawing.visible(sentence) for sentence in _said(part)), ""]
        lines.append(drawing.text_table(*_table(part), align=["left", "right", "right"]))
        blocks.append("\n".join(lines))
    if parts:
        blocks.append("+word+ speaks for it, -word- against it")
    return "\n\n".join([*blocks, *map(drawing.visible, notes)])


def _html(part: Explanation) -> Iterator[drawing.Markup]:
    yield drawing.tag("div", _title(part), css="nbtune-title")
    yield from _shaded(part, "gradients")
    yield drawing.join(drawing.callout(sentence, tone="warning") for sentence in part.warnings())
    yield drawing.join(drawing.callout(note) for note in part.notes)
    rows = drawing.table(*_table(part), align=["left", "right", "right"])
    sentences = (drawing.tag("div", sentence, css="nbtune-soft") for sentence in part.sentences())
    yield drawing.fold("by blanking one word at a time", *_shaded(part, "occlusion"), shown=part.is_doubtful)
    yield drawing.fold("the words in numbers", *sentences, rows)


def _shaded(part: Explanation, method: Method) -> Iterator[drawing.Markup]:
    for source, pieces in _texts(part, method):
        head = drawing.tag("span", f"{source}: ", css="nbtune-soft") if source else ""
        body = drawing.join(_shade(piece, part, method) for piece in pieces)
        yield drawing.Markup(f'<div dir="auto" tabindex="0" style="{_BOX}">{head}{body}</div>')


def _shade(piece: _Piece, part: Explanation, method: Method) -> drawing.Markup:
    if piece.word is None:
        return drawing.escape(piece.text)
    share = _share(piece.word, part, method)
    frame = "outline:1px solid currentColor;outline-offset:1px;margin:0 2px;" if _is_about(piece.word, part) else ""
    shade = _style("for" if share > 0 else "against", abs(share)) if abs(share) >= _FAINT else ""
    title = f"{_amount(piece.word.gradients)} by gradients, {_amount(piece.word.occlusion)} by occlusion"
    return drawing.Markup(f'<span title="{title}" style="{frame}{shade}">{drawing.escape(piece.text)}</span>')


def _style(side: Literal["for", "against"], share: float) -> str:
    """The shade of a word; the text keeps the theme's colour, so it must stay readable on it."""
    colour = _COLOURS[side]
    shade = f"background:rgb({colour} / {0.05 + 0.4 * share:.2f});border-radius:3px 3px 0 0;padding:.1em 1px"
    line = "solid" if side == "for" else "dashed"
    return f"{shade};border-bottom:2px {line} rgb({colour})" if share >= _STRONG else shade


def _marked(piece: _Piece, part: Explanation) -> str:
    """`+word+` or `-word-` where it matters."""
    shown = drawing.visible(piece.text)
    share = _share(piece.word, part, "gradients") if piece.word else 0.0
    mark = "" if abs(share) < _STRONG else "+" if share > 0 else "-"
    return f"{mark}{shown}{mark}"


def _marked_down(piece: _Piece, part: Explanation) -> str:
    if piece.word is None:
        return " ".join(markdown_safe(between) for between in re.split(r"\s+", piece.text))
    share = _share(piece.word, part, "gradients")
    mark = "" if abs(share) < _STRONG else "**" if share > 0 else "*"
    return f"{mark}{markdown_safe(piece.text)}{mark}"


def _title(part: Explanation) -> str:
    sure = "" if part.probability is None else f" (probability {part.probability:.2f})"
    return f"{part.run}: what \u201c{drawing.shorten(part.target, 120)}\u201d rests on{sure}"


def _said(part: Explanation) -> Iterator[str]:
    yield from part.sentences()
    yield from part.warnings()
    yield from part.notes


def _table(part: Explanation) -> tuple[list[str], list[tuple[str, str, str]]]:
    columns = ["word", "integrated gradients", "occlusion"]
    return columns, [
        (drawing.shorten(word.text, _LONGEST), _amount(word.gradients), _amount(word.occlusion))
        for word in part.top(_ROWS)
    ]


def _amount(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.3f}"


def _share(word: Word, part: Explanation, method: Method) -> float:
    """The word's part against the largest of all, from -1 to 1."""
    largest = max(
        (abs(getattr(each, method)) for each in part.words if not math.isnan(getattr(each, method))), default=0
    )
    value = float(getattr(word, method))
    return 0.0 if math.isnan(value) or not largest else value / largest


def _is_about(word: Word, part: Explanation) -> bool:
    if part.about is None:
        return False
    source, start, end = part.about
    return word.source == source and word.start < end and word.end > start


def _texts(part: Explanation, method: Method) -> Iterator[tuple[str, list[_Piece]]]:
    """Each text in pieces, with the name of its input where there are several."""
    for source, whole in part.texts.items():
        words = [word for word in part.words if word.source == source]
        shown = _stretch(words, method)
        yield (source if len(part.texts) > 1 else ""), list(_pieces(whole, shown))


def _pieces(whole: str, words: Sequence[Word]) -> Iterator[_Piece]:
    position = words[0].start if words else 0
    if whole[:position].strip():
        yield _Piece("… ")
    for word in words:
        gap = whole[position : word.start]
        yield _Piece(gap if len(gap) <= _LONGEST else " … ")
        yield _Piece(drawing.shorten(word.text, _LONGEST), word)
        position = word.end
    if whole[position:].strip():
        yield _Piece(" …")


def _stretch(words: Sequence[Word], method: Method) -> Sequence[Word]:
    """The neighbouring words that are shown: all, or those among which the most is."""
    if len(words) <= _MOST_WORDS:
        return words
    sums = [0.0]
    for word in words:
        value = getattr(word, method)
        sums.append(sums[-1] + (0.0 if math.isnan(value) else abs(value)))
    first = max(range(len(words) - _MOST_WORDS + 1), key=lambda at: sums[at + _MOST_WORDS] - sums[at])
    return words[first : first + _MOST_WORDS]
