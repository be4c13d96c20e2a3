"""Whatever data hold, every piece that drawing makes of them is harmless, in HTML, Markdown, SVG and text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from nbtune.drawing import (
    Interval,
    Series,
    badge,
    callout,
    escape,
    facts,
    fold,
    interval_chart,
    line_chart,
    markdown_safe,
    markdown_table,
    panel,
    progress,
    table,
    tag,
    text_table,
    visible,
)
from nbtune.errors import DataError, Interrupted, PluginError
from nbtune.testing.harmless import NASTY, faults

each_nasty_text = pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)

HTML: dict[str, Callable[[str], str]] = {
    "panel": lambda nasty: panel(nasty, nasty),
    "tag": lambda nasty: tag("div", nasty, css="nbtune-title"),
    "fold": lambda nasty: fold(nasty, nasty),
    "badge": badge,
    "callout": lambda nasty: callout(nasty, tone="warning"),
    "progress": lambda nasty: progress(1, 2, nasty),
    "facts": lambda nasty: facts([(nasty, nasty)]),
    "table": lambda nasty: table([nasty, "n"], [(nasty, 1.0), ([nasty], 2.0)], caption=nasty),
    "attribute": lambda nasty: f'<mark title="{escape(nasty)}">x</mark>',
}
CHARTS: dict[str, Callable[[str], str]] = {
    "curves": lambda nasty: line_chart(
        [Series(nasty, [(0.0, 1.0), (1.0, 2.0)]), Series(nasty * 2, [(0.0, 2.0)])], x_label=nasty, y_label=nasty
    ),
    "one curve": lambda nasty: line_chart([Series(nasty, [(0.0, 1.0)])]),
    "intervals": lambda nasty: interval_chart([Interval(nasty, 0.5, 0.4, 0.6)], label=nasty),
}


@each_nasty_text
@pytest.mark.parametrize("piece", HTML)
def test_html(piece: str, nasty: str) -> None:
    assert faults(HTML[piece](nasty), "html", longest=100_000) == []


@each_nasty_text
@pytest.mark.parametrize("chart", CHARTS)
def test_svg_is_well_formed_too(chart: str, nasty: str) -> None:
    drawn = CHARTS[chart](nasty)
    assert faults(drawn, "html", longest=10_000) == []
    ElementTree.fromstring(drawn)


@each_nasty_text
def test_markdown(nasty: str) -> None:
    drawn = markdown_table([nasty, nasty], [(nasty, [nasty])])
    assert faults(drawn, "markdown", longest=20_000) == []
    assert len(drawn.splitlines()) == 3
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in drawn.splitlines()]
    assert cells == [3, 3, 3]
    assert faults(f"{markdown_safe(nasty)}\n\n- {markdown_safe(nasty)}", "markdown") == []


@each_nasty_text
def test_text(nasty: str) -> None:
    drawn = text_table([nasty, "b"], [(nasty, nasty), ("x", "y")])
    assert faults(drawn, "text", longest=5_000) == []
    assert len(drawn.splitlines()) == 4
    assert faults(visible(nasty), "text", longest=50_000) == []


@each_nasty_text
@pytest.mark.parametrize("kind", [DataError, PluginError, Interrupted])
def test_errors(kind: type[DataError | PluginError | Interrupted], nasty: str) -> None:
    error = kind(f"the column {nasty} is missing", f"did you mean {nasty}?")
    for shown in (str(error), error.message, error.hint, *error._render_traceback_(), *map(str, error.args)):
        assert faults(shown, "text", longest=40_000) == []
    assert error.message.startswith("the column ")
    assert error.message.endswith(" is missing")


def test_what_is_shown_still_says_what_the_data_say() -> None:
    for name in ("script", "attribute", "closing", "comment", "entities", "format"):
        assert html.unescape(escape(NASTY[name])) == NASTY[name]
    assert markdown_safe("macro_f1 rose by 5 (a*b)") == "macro_f1 rose by 5 (a\\*b)"
    assert markdown_safe("# 1. first") == "\\# 1. first"
    assert markdown_safe("12. twelfth") == "12\\. twelfth"
    assert markdown_table(["a"], [(-0.5,)]).splitlines()[-1] == "| -0.5000 |"
    assert markdown_safe("Wilson's < Student's") == "Wilson's &lt; Student's"


def test_a_long_text_shows_its_beginning_its_end_and_how_much_is_missing() -> None:
    shown = visible("a" * 600_000 + "z" * 400_000)
    assert shown.startswith("aaa")
    assert shown.endswith("zzz")
    assert "(995,000 characters left out)" in shown
    assert visible("b" * 5000) == "b" * 5000


def test_prices_are_no_formulas() -> None:
    assert 'class="nbtune tex2jax_ignore mathjax_ignore"' in panel("between $5 and $6")
    assert markdown_safe("between $5 and $6") == "between \\$5 and \\$6"
