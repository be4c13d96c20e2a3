"""Values with their intervals, one under the other, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nbtune.drawing.charts import COLOURS, round_ticks, tick_words
from nbtune.drawing.text import Markup, escape, number, shorten

_NAMES, _ROW, _TOP, _BOTTOM, _RIGHT = 190, 20, 22, 30, 16


@dataclass(frozen=True, slots=True)
class Interval:
    """A value between its bounds, which may be NaN. `faint` is drawn in grey: there is too little behind it."""

    name: str
    value: float
    low: float
    high: float
    faint: bool = False
    colour: int = 0


def interval_chart(rows: Sequence[Interval], *, width: int = 560, label: str = "") -> Markup:
    """An SVG with one line a row; "" where no value is finite."""
    shown = [row for row in rows if math.isfinite(row.value)]
    ends = [end for row in shown for end in (row.low, row.high, row.value) if math.isfinite(end)]
    if not ends:
        return Markup("")
    ticks = round_ticks(min(ends), max(ends))
    label = shorten(label)
    height = _TOP + _ROW * len(shown) + _BOTTOM
    spoken = escape(f"{label}. " + "; ".join(f"{shorten(row.name, 60)}: {number(row.value)}" for row in shown))

    def x(value: float) -> float:
        return round(_NAMES + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (width - _NAMES - _RIGHT), 1)

    parts = [
        f'<svg class="nbtune-chart" role="img" aria-label="{spoken}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" xmlns="http://www.w3.org/2000/svg" font-size="11"><title>{spoken}</title>',
        f'<text x="2" y="13" fill="currentColor">{escape(label)}</text>',
    ]
    for tick in ticks:
        parts.append(
            f'<line class="nbtune-grid" x1="{x(tick)}" x2="{x(tick)}" y1="{_TOP}" y2="{height - _BOTTOM}" '
            f'stroke="#888" stroke-opacity="0.25"/><text class="nbtune-tick" x="{x(tick)}" y="{height - _BOTTOM + 14}" '
            f'text-anchor="middle" fill="#777">{escape(tick_words(tick))}</text>'
        )
    parts += [_line(row, _TOP + _ROW * place + _ROW // 2, x) for place, row in enumerate(shown)]
    return Markup("".join([*parts, "</svg>"]))


def _line(row: Interval, y: int, x: Callable[[float], float]) -> str:
    colour = 5 if row.faint else row.colour
    paint = f'class="nbtune-s{colour}" stroke="{COLOURS[colour]}"'
    name = escape(shorten(row.name, 32))
    drawn = f'<text x="{_NAMES - 8}" y="{y + 4}" text-anchor="end" fill="currentColor">{name}</text>'
    if math.isfinite(row.low) and math.isfinite(row.high):
        drawn += f'<line {paint} stroke-width="2" x1="{x(row.low)}" x2="{x(row.high)}" y1="{y}" y2="{y}"/>'
    return drawn + f'<circle {paint} cx="{x(row.value)}" cy="{y}" r="3.5" stroke-width="2" fill="none"/>'
