"""A chart as an image, for outputs that stay."""

from __future__ import annotations

import base64
import re

from nbtune.drawing.text import Markup

# an image does not know the page's colours: this one can be read on white and on black (4.5 and 4.6 to 1)
_GREY = "#767676"
_SHAPE = re.compile(r'aria-label="([^"]*)" viewBox="[^"]*" width="(\d+)" height="(\d+)"')


def still(chart: Markup) -> Markup:
    """A chart of ours as an `img` that holds it whole; "" stays "".

    Sites that show notebooks of others, and JupyterLab before it trusts one, take SVG out of an output and leave its
    texts behind: rows of loose numbers. An image they let through, or they show its alternative text.
    """
    found = _SHAPE.search(chart)
    if found is None:
        return chart
    spoken, width, height = found.groups()
    coloured = chart.replace("<svg ", f'<svg color="{_GREY}" ', 1)
    content = base64.b64encode(coloured.encode()).decode("ascii")
    source = f"data:image/svg+xml;base64,{content}"
    return Markup(f'<img class="nbtune-chart" alt="{spoken}" width="{width}" height="{height}" src="{source}">')
