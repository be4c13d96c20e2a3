"""A report as HTML, Markdown and plain text. Everything that came from data is escaped by `nbtune.drawing`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nbtune import drawing
from nbtune.drawing import markdown_safe
from nbtune.evaluation import report_plots
from nbtune.evaluation.calibration import CONVENTION, Calibration
from nbtune.evaluation.intervals import Score

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.evaluation.report import Report

_MOST_ROWS = 60
_MOST_PREFORMATTED = 20_000
_CLOSE = 0.02
"""A gap between confidence and right answers that is not worth a word."""


def html(report: Report) -> str:
    """The report as one static element."""
    return drawing.panel(*parts(report))


def parts(report: Report) -> list[drawing.Markup]:
    """The pieces of the report, to be put into a panel of the caller's."""
    columns, rows = _score_table(report)
    folded = [_folded(title, table) for title, table in report.tables.items()]
    conventions = [f"{name}: {words}" for name, words in report.conventions.items()]
    pieces = [
        drawing.tag("div", _title(report), css="nbtune-title"),
        drawing.table(columns, rows, align=_sides(columns)),
        *[drawing.callout(sentence) for sentence in verdicts(report)],
        *[drawing.callout(note, tone="warning") for note in report.notes],
    ]
    if report.seeds:
        pieces.insert(2, drawing.table(*_seeds(report), caption="over seeds"))
    if report.slices:
        pieces.append(drawing.fold("slices", drawing.table(*_slices(report)), *report_plots.slice_charts(report)))
    if report.calibration is not None:
        facts, curve = drawing.tag("div", calibrated(report.calibration)), report_plots.reliability(report.calibration)
        pieces.append(drawing.fold("calibration", facts, curve))
        conventions.append(f"calibration: {CONVENTION}")
    pieces += folded
    if conventions:
        pieces.append(drawing.fold("conventions", *[drawing.tag("div", line) for line in conventions]))
    return pieces


def markdown(report: Report) -> str:
    """The report for a model card or a page on GitHub."""
    columns, rows = _score_table(report)
    blocks = [f"**{markdown_safe(_title(report))}**", drawing.markdown_table(columns, rows)]
    blocks += [markdown_safe(sentence) for sentence in (*verdicts(report), *report.notes)]
    if report.seeds:
        blocks += ["over seeds", drawing.markdown_table(*_seeds(report))]
    if report.slices:
        blocks += ["slices", drawing.markdown_table(*_slices(report))]
    if report.calibration is not None:
        blocks.append(markdown_safe(calibrated(report.calibration)))
    for title, table in report.tables.items():
        blocks.append(f"{markdown_safe(title)}\n")
        blocks.append(
            f"```text\n{_fenced(table)}\n```" if isinstance(table, str) else drawing.markdown_table(*_frame(table))
        )
    if report.conventions:
        blocks.append("\n".join(f"- {markdown_safe(f'{name}: {words}')}" for name, words in report.conventions.items()))
    return "\n\n".join(blocks) + "\n"


def text(report: Report) -> str:
    """The report for a terminal."""
    columns, rows = _score_table(report)
    lines = [drawing.visible(_title(report)), "", drawing.text_table(columns, rows, align=["left"] * len(columns)), ""]
    lines += [drawing.visible(sentence) for sentence in (*verdicts(report), *report.notes)]
    if report.calibration is not None:
        lines.append(calibrated(report.calibration))
    if report.seeds:
        lines += ["", "over seeds:", drawing.text_table(*_seeds(report))]
    if report.slices:
        lines += ["", "slices:", drawing.text_table(*_slices(report))]
    return "\n".join(lines)


def calibrated(found: Calibration) -> str:
    """In words, how sure the model is and how right."""
    gap = found.confidence - found.right
    judged = (
        "as sure as it is right"
        if abs(gap) < _CLOSE
        else "surer than it is right"
        if gap > 0
        else "righter than it is sure"
    )
    return (
        f"on average it is {judged}: confidence {found.confidence:.3f}, right {found.right:.3f} of {found.answers:,} "
        f"answers; calibration error {found.error:.3f}, Brier score {found.brier:.3f}"
    )


def verdicts(report: Report) -> Iterator[str]:
    """Whether the model is better than each baseline on the headline metric, in words."""
    lower = report.headline in report.lower_is_better
    for name, gap in report.differences.items():
        gain = Score(-gap.value, -gap.high, -gap.low) if lower else gap
        amount = f"{abs(gain.value):.3f} {report.headline}"
        interval = f"95% interval of the difference {gap.low:+.3f} to {gap.high:+.3f}"
        if gain.low > 0:
            yield f"better than {name} by {amount} ({interval})"
        elif gain.high < 0:
            yield f"worse than {name} by {amount} ({interval})"
        else:
            yield f"not clearly different from {name} ({interval})"


def _title(report: Report) -> str:
    return f"{report.run}: {report.task} on {report.data}, {report.examples:,} examples"


def _score_table(report: Report) -> tuple[list[str], list[list[str]]]:
    others = {**({"without training texts": report.unseen} if report.unseen else {}), **report.baselines}
    columns = ["metric", report.run, "95% interval", *others]
    rows = []
    for name, ours in report.metrics.items():
        mark = f"{name} *" if name == report.headline else name
        theirs = [_number(scores[name].value) if name in scores else "" for scores in others.values()]
        rows.append([mark, _number(ours.value), _interval(ours), *theirs])
    return columns, rows


def _slices(report: Report) -> tuple[list[str], list[list[str]]]:
    columns = ["by", "slice", "metric", "score", "95% interval", "of", ""]
    rows = [
        [
            each.by,
            each.value,
            each.metric,
            _number(each.score.value),
            _interval(each.score),
            f"{each.count:,} {each.unit}",
            "too few to say much" if each.few else "",
        ]
        for each in report.slices
    ]
    return columns, rows


def _seeds(report: Report) -> tuple[list[str], list[list[str]]]:
    count = len(next(iter(report.seeds.values())).values)
    columns = ["metric", f"mean of {count} seeds", "95% interval, seeds included", "deviation", "each seed"]
    rows = [
        [
            f"{name} *" if name == report.headline else name,
            _number(each.mean.value),
            _interval(each.mean),
            _number(each.deviation),
            ", ".join(_number(value) for value in each.values),
        ]
        for name, each in report.seeds.items()
    ]
    return columns, rows


def _sides(columns: Sequence[str]) -> list[Literal["left", "right"]]:
    return ["left", *["right" for _ in columns[1:]]]  # type: ignore[list-item]


def _interval(score: Score) -> str:
    return "" if np.isnan(score.low) else f"{_number(score.low)} to {_number(score.high)}"


def _number(value: float) -> str:
    return "undefined" if np.isnan(value) else f"{value:.3f}"


def _folded(title: str, table: pd.DataFrame | str) -> drawing.Markup:
    body = (
        drawing.tag("pre", drawing.escape(table, _MOST_PREFORMATTED))
        if isinstance(table, str)
        else drawing.table(*_frame(table))
    )
    return drawing.fold(title, body)


def _frame(table: pd.DataFrame) -> tuple[Sequence[Any], list[tuple[Any, ...]]]:
    """Columns and the first rows of a table, its index as the first column where it is named."""
    if table.index.name is not None:
        table = table.reset_index()
    # what nothing could be said of is not 0, and not 1: a label without a gold row has no recall
    rows = [
        tuple("absent" if isinstance(cell, float) and np.isnan(cell) else cell for cell in row)
        for row in table.head(_MOST_ROWS).itertuples(index=False, name=None)
    ]
    if len(table) > _MOST_ROWS:
        rows.append((f"... {len(table) - _MOST_ROWS} more rows", *[""] * (len(table.columns) - 1)))
    return [str(column) for column in table.columns], rows


def _fenced(text: str) -> str:
    return drawing.visible(text, _MOST_PREFORMATTED).replace("```", "'''")
