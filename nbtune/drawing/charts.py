"""Line charts as inline SVG, without a script or a font of their own, and sparklines for terminals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nbtune.drawing.text import Markup, escape, number, shorten

Points: TypeAlias = Sequence[tuple[float, float]]

# presentation attributes, so that the picture is right where a site strips the style sheet; the theme overrides them
COLOURS = ("#2f7fd1", "#d9730d", "#2e9b5b", "#a55cc9", "#c2413b", "#8a8a8a")
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 24, 34
_DIGIT = 7
"""About as wide as a character of a tick is."""


@dataclass(frozen=True, slots=True)
class Series:
    """A curve: (x, y) in the order of x. `faint` is drawn thin behind the others, `dots` marks each point."""

    name: str
    points: Points
    faint: bool = False
    dots: bool = False
    colour: int = -1  # position in the palette; by default, the position among the series


def line_chart(
    series: Iterable[Series],
    *,
    width: int = 420,
    height: int = 200,
    x_label: str = "",
    y_label: str = "",
    x_range: tuple[float, float] | None = None,
) -> Markup:
    """An SVG of at most 400 points a curve. Points that are not finite are left out; "" if none is left."""
    curves = [(each, position, _finite(each.points)) for position, each in enumerate(series)]
    everything = [point for _, _, points in curves for point in points]
    if not everything:
        return Markup("")
    x_low, x_high = x_range or _span([x for x, _ in everything])
    y_ticks = round_ticks(*_span([y for _, y in everything]))
    frame = _Frame(x_low, x_high, y_ticks[0], y_ticks[-1], width, height)
    spoken = "; ".join(
        f"{shorten(each.name, 60)}: last {number(points[-1][1])}" for each, _, points in curves if points
    )
    x_label, y_label = shorten(x_label), shorten(y_label)
    title = escape(f"{y_label or 'chart'} by {x_label or 'position'}. {spoken}")
    drawn = [
        f'<svg class="nbtune-chart" role="img" aria-label="{title}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" xmlns="http://www.w3.org/2000/svg" font-size="11"><title>{title}</title>',
        _grid(frame, y_ticks, x_label),
        *(_curve(each, position, points, frame) for each, position, points in curves if points and each.faint),
        *(_curve(each, position, points, frame) for each, position, points in curves if points and not each.faint),
        _legend([(each, position) for each, position, points in curves if points], y_label),
        "</svg>",
    ]
    return Markup("".join(drawn))


def thin(points: Points, most: int = 400) -> list[tuple[float, float]]:
    """At most `most` of the points: first, last, and the lowest and highest of each stretch between."""
    if len(points) <= most:
        return list(points)
    stretches = max(1, (most - 2) // 2)
    inner = len(points) - 2
    kept = {0, len(points) - 1}
    for stretch in range(stretches):
        start = 1 + stretch * inner // stretches
        stop = 1 + (stretch + 1) * inner // stretches
        positions = range(start, max(stop, start + 1))
        kept.add(min(positions, key=lambda at: points[at][1]))
        kept.add(max(positions, key=lambda at: points[at][1]))
    return [points[position] for position in sorted(kept)]


def smooth(points: Points, span: float = 20.0) -> list[tuple[float, float]]:
    """An exponential moving average over about `span` points, corrected for its start (Adam, section 3)."""
    keep = 1 - 1 / max(span, 1.0)
    total, weight, result = 0.0, 0.0, []
    for x, y in points:
        if math.isfinite(y):
            total, weight = keep * total + (1 - keep) * y, keep * weight + (1 - keep)
            result.append((x, total / weight))
    return result


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """The values as a line of block characters."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    size = min(width, len(finite))
    means = []
    for position in range(size):
        piece = finite[position * len(finite) // size : (position + 1) * len(finite) // size]
        means.append(sum(piece) / len(piece))
    low, high = min(means), max(means)
    scale = 7 / (high - low) if high > low else 0.0
    return "".join("▁▂▃▄▅▆▇█"[round((value - low) * scale)] for value in means)


@dataclass(frozen=True, slots=True)
class _Frame:
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    width: int
    height: int

    def x(self, value: float) -> float:
        share = (value - self.x_low) / ((self.x_high - self.x_low) or 1.0)
        return round(_LEFT + share * (self.width - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / ((self.y_high - self.y_low) or 1.0)
        return round(self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM), 1)


def _grid(frame: _Frame, ticks: Sequence[float], x_label: str) -> str:
    left, right = _LEFT, frame.width - _RIGHT
    parts = []
    for tick in ticks:
        height = frame.y(tick)
        parts.append(
            f'<line class="nbtune-grid" x1="{left}" x2="{right}" y1="{height}" y2="{height}" stroke="#888" '
            f'stroke-opacity="0.25"/><text class="nbtune-tick" x="{left - 6}" y="{height + 4}" text-anchor="end" '
            f'fill="#777">{escape(tick_words(tick))}</text>'
        )
    base = frame.height - _BOTTOM
    for tick in (tick for tick in round_ticks(frame.x_low, frame.x_high, 5) if frame.x_low <= tick <= frame.x_high):
        words = tick_words(tick)
        place = min(frame.x(tick), round(frame.width - _DIGIT * len(words) / 2, 1))  # a long one must not be cut off
        parts.append(
            f'<text class="nbtune-tick" x="{place}" y="{base + 15}" text-anchor="middle" '
            f'fill="#777">{escape(words)}</text>'
        )
    parts.append(
        f'<text class="nbtune-tick" x="{(left + right) / 2}" y="{frame.height - 4}" text-anchor="middle" '
        f'fill="#777">{escape(x_label)}</text>'
    )
    return "".join(parts)


def _curve(series: Series, position: int, points: Points, frame: _Frame) -> str:
    colour = _colour(series, position)
    paint = f'class="nbtune-s{colour}" stroke="{COLOURS[colour]}"'
    shown = thin(points)
    path = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in shown)
    weight = 'stroke-opacity="0.3" stroke-width="1"' if series.faint else 'stroke-width="2"'
    drawn = f'<polyline {paint} points="{path}" fill="none" {weight} stroke-linejoin="round"/>'
    if series.dots or len(shown) == 1:
        drawn += "".join(f'<circle {paint} cx="{frame.x(x)}" cy="{frame.y(y)}" r="2.5" fill="none"/>' for x, y in shown)
    return drawn


def _legend(series: Sequence[tuple[Series, int]], y_label: str) -> str:
    named = [(each, position) for each, position in series if not each.faint]
    if len(named) == 1 and not y_label:
        y_label = shorten(named[0][0].name)
    if len(named) <= 1:
        return f'<text x="2" y="13" fill="currentColor">{escape(y_label)}</text>'
    parts, at = [], 2
    for each, position in named:
        name, colour = shorten(each.name, 24), _colour(each, position)
        parts.append(
            f'<line class="nbtune-s{colour}" stroke="{COLOURS[colour]}" stroke-width="2" x1="{at}" x2="{at + 14}" '
            f'y1="9" y2="9"/><text x="{at + 18}" y="13" fill="currentColor">{escape(name)}</text>'
        )
        at += 32 + 6 * len(name)
    return "".join(parts)


def _colour(series: Series, position: int) -> int:
    return (series.colour if series.colour >= 0 else position) % len(COLOURS)


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if x is not None and y is not None and math.isfinite(x) and math.isfinite(y)]


def _span(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def round_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round values from at most `low` to at least `high`."""
    if high <= low:
        room = abs(low) * 0.1 or 0.5
        low, high = low - room, high + room
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(position * step, 12) for position in range(first, last + 1)]


def tick_words(value: float) -> str:
    # with four digits the steps from 1.605 to 1.615 would look uneven
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.6g}"
