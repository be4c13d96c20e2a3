"""A comparison as HTML, Markdown and plain text. Everything that came from data is escaped by `nbtune.drawing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtune import drawing
from nbtune.drawing import markdown_safe

if TYPE_CHECKING:
    from nbtune.evaluation.comparison import Comparison, Pair

_MOST = 10
"""Examples shown for each way that a pair differs."""


def html(comparison: Comparison) -> str:
    """The comparison as one static element."""
    columns, rows = _scores(comparison)
    pieces = [
        drawing.tag("div", _title(comparison), css="nbtune-title"),
        drawing.table(columns, rows),
        *[drawing.callout(sentence) for sentence in comparison.verdicts()],
        *[drawing.callout(note, tone="warning") for note in comparison.notes],
    ]
    if len(comparison.pairs) > 1:
        pieces.append(drawing.tag("div", "p-values allow for the number of pairs (Holm)", css="nbtune-soft"))
    if comparison.curves:
        series = [drawing.Series(name, list(points), dots=True) for name, points in comparison.curves.items()]
        chart = drawing.line_chart(series, x_label="epoch", y_label=f"{comparison.headline} on validation")
        pieces.append(drawing.fold("while training", drawing.still(chart)))
    if len(comparison.settings):
        pieces.append(drawing.fold("settings that differ", drawing.table(*_settings(comparison))))
    pieces += [piece for pair in comparison.pairs for piece in _flips(comparison, pair)]
    return drawing.panel(*pieces)


def markdown(comparison: Comparison) -> str:
    """For exports and sites that strip HTML."""
    blocks = [f"**{markdown_safe(_title(comparison))}**", drawing.markdown_table(*_scores(comparison))]
    blocks += [markdown_safe(sentence) for sentence in (*comparison.verdicts(), *comparison.notes)]
    if len(comparison.settings):
        blocks.append(drawing.markdown_table(*_settings(comparison)))
    return "\n\n".join(blocks) + "\n"


def text(comparison: Comparison) -> str:
    """For a terminal."""
    columns, rows = _scores(comparison)
    lines = [drawing.visible(_title(comparison)), "", drawing.text_table(columns, rows), ""]
    lines += [drawing.visible(sentence) for sentence in (*comparison.verdicts(), *comparison.notes)]
    if len(comparison.settings):
        lines += ["", "settings that differ:", drawing.text_table(*_settings(comparison))]
    return "\n".join(lines)


def _title(comparison: Comparison) -> str:
    names = " and ".join(comparison.scores)
    return f"{names}: {comparison.task} on {comparison.data}, {len(comparison.examples):,} examples"


def _scores(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    runs = list(comparison.scores)
    names = dict.fromkeys(name for own in comparison.scores.values() for name in own)
    rows = []
    for name in names:
        mark = f"{name} *" if name == comparison.headline else name
        found = [comparison.scores[run].get(name) for run in runs]
        rows.append([mark, *("" if score is None else f"{score:.3f}" for score in found)])
    return ["metric", *runs], rows


def _settings(comparison: Comparison) -> tuple[list[str], list[tuple[object, ...]]]:
    table = comparison.settings.reset_index()
    return [str(column) for column in table.columns], list(table.itertuples(index=False, name=None))


def _flips(comparison: Comparison, pair: Pair) -> list[drawing.Markup]:
    """A fold for each run of the pair: the examples that it answers better."""
    flips = comparison.flips(pair.first, pair.second)
    folds = []
    for better, worse in ((pair.first, pair.second), (pair.second, pair.first)):
        own = flips[flips["better"] == better].drop(columns=["better", "gap"])
        if len(own):
            rows = [tuple(map(_short, row)) for row in own.head(_MOST).itertuples(index=False, name=None)]
            title = f"{len(own):,} examples that {better} answers better than {worse}"
            folds.append(drawing.fold(title, drawing.table([str(column) for column in own.columns], rows)))
    return folds


def _short(value: object) -> object:
    return drawing.shorten(value, 160) if isinstance(value, str) else value
