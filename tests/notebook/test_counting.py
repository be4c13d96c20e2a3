"""A long prediction counts in one line; a short one says nothing."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from nbtune.notebook.counting import counting

Clock = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time that passes only when told to."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def test_what_is_soon_done_is_not_drawn(published: Any, clock: Clock) -> None:
    with counting("predicted", terminal=False) as told:
        clock(1.0)
        told(10, 10)
    assert not published.new


def test_a_long_count_is_one_output_with_the_time_left(published: Any, clock: Clock) -> None:
    with counting("predicted", terminal=False) as told:
        for done in range(100, 1100, 100):
            clock(1.0)
            told(done, 1000)
    assert len(published.new) == 1
    assert published.new[0]["text/plain"] == "predicted 200 of 1,000, 8.0 s left"
    assert "<progress" in published.new[0]["text/html"]
    assert published.last["text/plain"] == "predicted 1,000 of 1,000 in 10 s, 100 a second"
    assert "<progress" not in published.last["text/html"]  # what stays in the notebook is a sentence


def test_it_is_redrawn_at_most_twice_a_second(published: Any, clock: Clock) -> None:
    with counting("predicted", terminal=False) as told:
        for done in range(400):
            clock(0.01)
            told(done, 400)
    assert len(published.updates) <= 7


def test_a_failure_leaves_the_count_where_it_was(published: Any, clock: Clock) -> None:
    def interrupted() -> None:
        with counting("scored", terminal=False) as told:
            clock(2.0)
            told(30, 100)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert published.last["text/plain"].startswith("scored 30 of 100 in")


def test_a_terminal_rewrites_its_line(published: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with counting("predicted", terminal=True) as told:
        for done in (1000, 2000, 3000):
            clock(2.0)
            told(done, 3000)
    written = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert written.count("\r") == 4
    assert written.count("\n") == 1
    assert not published.new


def test_silence_is_kept(published: Any, clock: Clock) -> None:
    with counting("predicted", terminal=False, silent=True) as told:
        clock(9.0)
        told(1, 2)
    assert not published.new
