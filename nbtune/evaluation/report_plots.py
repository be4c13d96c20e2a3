"""The pictures of a report: intervals one under the other, and the reliability curve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nbtune import drawing
from nbtune.evaluation.calibration import Calibration
from nbtune.evaluation.intervals import Score

if TYPE_CHECKING:
    from nbtune.evaluation.report import Report


def picture(report: Report) -> drawing.Picture:
    """All of them; as text, the same numbers."""
    pieces = [*charts(report)]
    title = f"{report.run}: {report.task} on {report.data}"
    rows = [(name, f"{score:.3f}") for name, score in _contenders(report)]
    rows += [(f"{each.by}: {each.value}", f"{each.score:.3f}") for each in report.slices]
    columns = ("", report.headline)
    return drawing.Picture(
        html=drawing.panel(
            drawing.tag("div", title, css="nbtune-title"), *(drawing.tag("div", piece) for piece in pieces)
        ),
        markdown=drawing.markdown_table(columns, rows),
        text=drawing.text_table(columns, rows),
    )


def charts(report: Report) -> Iterator[drawing.Markup]:
    """The contenders, the slices (a chart for each metric they are scored by), and the reliability curve."""
    contenders = [
        drawing.Interval(name, score.value, score.low, score.high, colour=0 if name == report.run else 1)
        for name, score in _contenders(report)
    ]
    yield drawing.still(drawing.interval_chart(contenders, label=report.headline))
    yield from slice_charts(report)
    if report.calibration is not None:
        yield reliability(report.calibration)


def slice_charts(report: Report) -> Iterator[drawing.Markup]:
    """One for each metric that slices are scored by."""
    for metric in dict.fromkeys(each.metric for each in report.slices):
        rows = [
            drawing.Interval(f"{each.value}", each.score.value, each.score.low, each.score.high, faint=each.few)
            for each in report.slices
            if each.metric == metric
        ]
        yield drawing.still(drawing.interval_chart(rows, label=f"{metric} of slices"))


def reliability(found: Calibration) -> drawing.Markup:
    """The share of right answers by how sure the model was; on the diagonal it is as right as it is sure."""
    chart = drawing.line_chart(
        [
            drawing.Series("as right as sure", [(0.0, 0.0), (1.0, 1.0)], faint=True),
            drawing.Series("share right", [(each.confidence, each.right) for each in found.bins], dots=True, colour=0),
        ],
        width=300,
        height=240,
        x_label="confidence",
        y_label="share right",
        x_range=(0.0, 1.0),
    )
    return drawing.still(chart)


def _contenders(report: Report) -> Iterator[tuple[str, Score]]:
    yield report.run, report.metrics[report.headline]
    for name, scores in report.baselines.items():
        if report.headline in scores:
            yield name, scores[report.headline]
