"""Charts that stay in an output are images which hold all that the chart says."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ElementTree

import pytest

from nbtune.drawing import Interval, Series, interval_chart, line_chart, still
from nbtune.drawing.text import Markup
from nbtune.testing.harmless import NASTY


def inside(image: str) -> ElementTree.Element:
    """The SVG in an image, which must be well-formed to be drawn."""
    found = re.search(r'src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)"', image)
    assert found is not None
    return ElementTree.fromstring(base64.b64decode(found[1]).decode("utf-8"))


@pytest.mark.parametrize("name", NASTY)
def test_a_still_is_well_formed_and_has_no_text_of_its_own(name: str) -> None:
    text = NASTY[name]
    charts = [
        line_chart([Series(text, [(0, 1), (1, 2)]), Series(f"b{text}", [(0, 1)])], x_label=text, y_label=text),
        interval_chart([Interval(text, 0.5, 0.4, 0.6)], label=text),
    ]
    for chart in charts:
        image = still(chart)
        drawn = inside(image)
        assert drawn.tag.endswith("svg")
        assert drawn.get("color") == "#767676"
        assert not [each for each in drawn.iter() if each.tag.endswith(("script", "foreignObject", "image"))]
        # nothing is left behind where the element is taken out
        assert re.sub(r"<[^>]*>", "", image) == ""


def test_the_alternative_says_what_the_chart_says() -> None:
    image = still(line_chart([Series("loss", [(0, 1), (5, 0.25)])], x_label="step", y_label="loss"))
    assert 'alt="loss by step. loss: last 0.2500"' in image


def test_no_chart_stays_no_chart() -> None:
    assert still(Markup("")) == ""
