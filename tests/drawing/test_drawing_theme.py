"""The style: scoped, self-contained, readable in both themes."""

from __future__ import annotations

import re

from nbtune.drawing import badge, callout, facts, fold, panel, progress, style, tag

HOSTILE = '"><script>alert(1)</script>'


def test_every_rule_is_scoped_to_our_class() -> None:
    css = style().removeprefix("<style>").removesuffix("</style>")
    css = re.sub(r"@keyframes nbtune-[a-z]+\{from\{[^{}]*\}\}", "", css)
    selectors = [each for rule in re.findall(r"([^{}]+)\{", css) for each in rule.split(",")]
    assert selectors
    # one is about what stands before an output of ours
    assert all(".nbtune" in selector for selector in selectors)


def test_nothing_is_fetched_and_nothing_is_scripted() -> None:
    css = style()
    assert "url(" not in css
    assert "@import" not in css
    assert "http" not in css
    assert "<script" not in panel("text")


def test_every_theme_variable_has_a_fallback() -> None:
    assert not re.findall(r"var\(--(?:jp|vscode)[\w-]+\)", style())


def test_every_piece_escapes_what_is_not_markup() -> None:
    drawn = panel(
        HOSTILE,
        tag("p", HOSTILE, css=HOSTILE),
        fold(HOSTILE, HOSTILE),
        badge(HOSTILE),
        callout(HOSTILE),
        progress(1, 2, HOSTILE),
        facts([(HOSTILE, HOSTILE)]),
    )
    assert "<script" not in drawn
    assert drawn.count("&lt;script&gt;") == 11


def test_progress_never_passes_its_end() -> None:
    assert 'value="3" max="3"' in progress(5, 3, "step")
    assert "value" not in progress(0, 0, "reading")
