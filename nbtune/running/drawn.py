"""What a run and what it was asked look like where a cell ends with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbtune.drawing import Picture, markdown_safe, markdown_table, panel, table, tag, visible
from nbtune.evaluation.intervals import Score

if TYPE_CHECKING:
    from nbtune.running.run import Run


def run_card(run: Run) -> Picture:
    """A run in a few lines: what it learned, how it stands, how good it is and where it lies."""
    report = run.report
    title = f"{run.name}: {run.task}, {run.status}"
    rows: list[tuple[str, str]] = []
    if report is not None:
        rows.append((f"{report.headline} on {report.data}", _interval(report.metrics[report.headline])))
    rows += [("model", run.spec.model), ("data", run.spec.data), ("folder", str(run.folder))]
    rows.append(("what next", f"%evaluate {run.name}, %predict {run.name}, %nbtune show {run.name}"))
    return Picture(
        html=panel(tag("div", title, css="nbtune-title"), table(("", ""), rows)),
        markdown=f"**{markdown_safe(title)}**\n\n{markdown_table(('', ''), rows)}",
        text=visible(repr(run)),
    )


def in_words(said: str, notes: Sequence[str] = ()) -> Picture:
    """A sentence, and what to bear in mind of it."""
    lines = [said, *notes]
    return Picture(
        html=panel(*(tag("div", line) for line in lines)),
        markdown="\n\n".join(markdown_safe(line) for line in lines),
        text="\n".join(visible(line) for line in lines),
    )


def _interval(score: Score) -> str:
    if score.low != score.low:
        return f"{score.value:.4f}"
    return f"{score.value:.4f} (95% interval {score.low:.4f} to {score.high:.4f})"
