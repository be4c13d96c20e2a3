"""Outputs one below the other: each is redrawn when its content changes, and only then."""

from __future__ import annotations

from typing import Any

from nbtune.notebook.outputs import BLANK, Outputs


def html(words: str) -> dict[str, str]:
    return {"text/html": words, "text/plain": words}


def test_what_did_not_change_is_left_alone(published: Any) -> None:
    outputs = Outputs()
    assert not outputs
    outputs.show([html("step 1"), html("data")])
    assert outputs
    assert published.new == [html("step 1"), html("data")]
    outputs.show([html("step 2"), html("data")])
    assert published.updates == [html("step 2")]


def test_one_stays_in_the_end_and_the_others_are_blank(published: Any) -> None:
    outputs = Outputs()
    outputs.show([html("step 1"), BLANK, html("data")])
    outputs.show([html("report")])
    assert published.updates == [html("report"), BLANK]
    outputs.show([html("report, and why")])
    assert len(published.updates) == 3
