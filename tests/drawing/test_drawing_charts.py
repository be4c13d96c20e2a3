"""Curves: bounded in size, honest about extremes, valid SVG."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from nbtune.drawing import Series, line_chart, smooth, sparkline, thin


def test_a_long_curve_is_thinned_to_400_points_and_keeps_its_extremes() -> None:
    points = [(float(i), math.sin(i / 50)) for i in range(100_000)]
    points[77_777] = (77_777.0, 9.0)
    points[33_333] = (33_333.0, -9.0)
    kept = thin(points)
    assert len(kept) <= 400
    assert {points[0], points[-1], points[77_777], points[33_333]} <= set(kept)
    assert kept == sorted(kept)


def test_the_chart_is_well_formed_and_bounded_for_any_number_of_points() -> None:
    svg = line_chart([Series("loss", [(float(i), float(i % 7)) for i in range(50_000)])], x_label="step")
    root = ElementTree.fromstring(svg)
    (line,) = [each for each in root.iter() if each.tag.endswith("polyline")]
    assert len(line.attrib["points"].split()) <= 400
    assert len(svg) < 20_000


def test_points_stay_inside_the_picture() -> None:
    svg = line_chart([Series("a", [(0.0, -5.0), (3.0, 1e6)])], width=300, height=100)
    for x, y in re.findall(r"([\d.-]+),([\d.-]+)", re.search(r'points="([^"]*)"', svg).group(1)):  # type: ignore[union-attr]
        assert 0 <= float(x) <= 300
        assert 0 <= float(y) <= 100


@pytest.mark.parametrize("points", [[(1.0, 2.0)], [(1.0, 0.0), (2.0, 0.0)], [(5.0, -1e-9), (5.0, 1e300)]])
def test_degenerate_curves_are_drawn(points: list[tuple[float, float]]) -> None:
    ElementTree.fromstring(line_chart([Series("a", points)]))


def test_values_that_are_not_finite_are_left_out() -> None:
    assert line_chart([Series("a", [(1.0, math.nan), (2.0, math.inf)])]) == ""
    assert "nan" not in line_chart([Series("a", [(1.0, math.nan), (2.0, 3.0), (3.0, 4.0)])])


def test_names_and_labels_are_escaped() -> None:
    svg = line_chart(
        [Series("<a onload=x>", [(0.0, 1.0)]), Series('"><b>', [(0.0, 1.0)])], x_label="<i>", y_label="<script>"
    )
    assert {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(svg).iter()} <= {
        "svg",
        "title",
        "line",
        "text",
        "polyline",
        "circle",
    }


def test_a_chart_says_its_last_values_to_those_who_do_not_see_it() -> None:
    assert 'aria-label="f1 by step. f1: last 0.7500"' in line_chart(
        [Series("f1", [(1.0, 0.5), (2.0, 0.75)])], x_label="step", y_label="f1"
    )


def test_smoothing_is_not_pulled_towards_zero_at_the_start() -> None:
    assert [y for _, y in smooth([(float(i), 2.0) for i in range(5)])] == pytest.approx([2.0] * 5)


def test_sparklines_rise_with_their_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1.0, math.nan]) == "▁"
    assert len(sparkline(list(range(1000)), width=40)) == 40
    assert sparkline([]) == ""
