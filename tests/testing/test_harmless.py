"""The judge of what is shown finds what it must, and is content with what is well made."""

from __future__ import annotations

import base64

import pytest

from nbtune.drawing import Markup, Picture, escape, panel, tag
from nbtune.testing.harmless import NASTY, faults

OBEYED = ("script", "attribute", "closing", "comment", "markdown", "megabyte")
"""Nasty texts that break a page if they get into it as they are."""


@pytest.mark.parametrize("name", OBEYED)
def test_a_text_that_got_in_as_it_is_is_found_in_html(name: str) -> None:
    assert faults(f'<div class="x">{NASTY[name]}</div>', "html") or faults(f'<p title="{NASTY[name]}">x</p>', "html")


@pytest.mark.parametrize("name", ["script", "closing", "comment", "markdown", "fence", "megabyte"])
def test_a_text_that_got_in_as_it_is_is_found_in_markdown(name: str) -> None:
    assert faults(f"words\n\n{NASTY[name]}\n", "markdown") or faults(f"```\n{NASTY[name]}\n```\n", "markdown")


@pytest.mark.parametrize("name", ["terminal", "direction", "controls", "half a pair", "megabyte"])
@pytest.mark.parametrize("form", ["html", "markdown", "text"])
def test_hidden_characters_are_found_in_every_form(name: str, form: str) -> None:
    assert faults(NASTY[name], form)  # type: ignore[arg-type]


def test_a_foreign_style_sheet_and_an_odd_style_are_found() -> None:
    assert faults("<style>body{display:none}</style>", "html") == ["html: a style sheet that is not nbtune's"]
    assert faults('<p style="background:url(&quot;//x&quot;)">x</p>', "html")
    assert faults('<h1 class="x">title</h1>', "html") == ["html: an element <h1>"]
    assert faults('<h1 class="x">title</h1>', "html", also=("h1",)) == []


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_what_is_escaped_is_harmless(nasty: str) -> None:
    words = tag("p", nasty)
    assert faults(Picture(html=panel(words), markdown="well", text="well")) == []


def test_an_object_is_judged_by_all_its_forms_and_by_its_repr() -> None:
    shown = Picture(html=Markup("<script>x</script>"), markdown="[x](http://example.invalid)", text="\x1b")
    found = faults(shown)
    assert {fault.split(":")[0] for fault in found} == {"html", "markdown", "text"}
    assert found.count("text: holds U+001B as such") == 2
    assert faults({"text/html": escape("<b>"), "image/png": "<b>"}) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("x.png", "no chart of ours"),
        ("data:image/png;base64,AAAA", "no chart of ours"),
        (f"data:image/svg+xml;base64,{base64.b64encode(b'<svg><text>').decode()}", "not well-formed"),
        (f"data:image/svg+xml;base64,{base64.b64encode(b'<svg><script>1</script></svg>').decode()}", "<script>"),
    ],
)
def test_an_image_is_looked_into(source: str, fault: str) -> None:
    assert any(fault in each for each in faults(f'<img src="{source}">', "html"))
