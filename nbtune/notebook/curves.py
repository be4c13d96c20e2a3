"""The curves of a run: its loss, and its score on validation."""

from __future__ import annotations

from nbtune.drawing import Markup, Series, line_chart, smooth, still, tag
from nbtune.notebook.state import RunState

_WIDTH = 380
"""Of a chart: two stand side by side in a window of 1,000 pixels, in a tab of the dashboard, too."""


def curves_row(state: RunState, *, loss: bool) -> Markup:
    """Side by side where there is room; without `loss`, that is drawn elsewhere."""
    reach = (0.0, _reach(state))
    span = max(5.0, len(state.losses) / 20)
    charts = []
    if loss and len(state.losses) > 1:
        curves = [
            Series("each step", state.losses, faint=True, colour=0),
            Series("training loss", smooth(state.losses, span), colour=0),
        ]
        charts.append(line_chart(curves, width=_WIDTH, x_label="step", y_label="training loss", x_range=reach))
    if state.evaluations:
        points = [(float(e.step), e.metrics.get(state.headline, float("nan"))) for e in state.evaluations]
        curve = Series(state.headline, points, dots=True, colour=2)
        charts.append(
            line_chart([curve], width=_WIDTH, x_label="step", y_label=f"{state.headline} on validation", x_range=reach)
        )
    if state.ended is not None:  # what is redrawn now and then would flicker as an image
        charts = [still(chart) for chart in charts]
    return tag("div", *charts, css="nbtune-row") if charts else Markup("")


def _reach(state: RunState) -> float:
    """Up to which step the charts reach. Of a run that goes on there is room for what comes, but the first steps of a
    long one are no line at its left edge: the room doubles as it fills."""
    if state.started is None or state.ended is not None or state.cut_off:
        return max(float(state.step), 1.0)
    reach = float(max(state.started.total_steps, state.step, 1))
    while reach / 2 > max(1.2 * state.step, 20):
        reach /= 2
    return reach
