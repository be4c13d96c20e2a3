"""Displays: one output, updated in place, not too often; lines in a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from nbtune.events import Ended, Event, Paused, Preparing
from nbtune.notebook.progress import RunDisplay, display_for
from nbtune.notebook.terminal import TerminalDisplay

Story = Callable[..., list[Event]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Time that passes only when told to."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def test_a_run_is_one_output_updated_at_most_twice_a_second(
    published: Any, story: Story, clock: Callable[[float], None]
) -> None:
    display = RunDisplay(refresh=0.5)
    for event in story(steps=400)[:-1]:
        clock(0.01)
        display.on_event(event)
    assert len(published.new) == 1
    assert 5 <= len(published.updates) <= 8  # 4 seconds
    display.on_event(story(steps=400)[-1])
    assert len(published.new) == 1
    assert "finished" in published.last["text/html"]


def test_steps_redraw_neither_the_scores_nor_the_data(published: Any, story: Story) -> None:
    display = RunDisplay(refresh=0.0, apart=True)
    events = story(steps=40)
    for event in events[:15]:
        display.on_event(event)
    moving, scores, data = published.new
    assert "<details" not in moving["text/html"]
    assert scores == {"text/plain": ""}
    assert "about the data: 1 warning, 1 note" in data["text/html"]
    assert "1 warning, 1 note, below" in moving["text/html"]
    assert all("<progress" in bundle["text/html"] for bundle in published.updates)
    for event in events[15:-2]:
        display.on_event(event)
    evaluated = [bundle for bundle in published.updates if "newest (step" in bundle["text/html"]]
    assert len(evaluated) == 2
    display.on_event(events[-1])
    assert len(published.new) == 3
    report, *blank = published.updates[-3:]
    assert "finished" in report["text/html"]
    assert "about the data" in report["text/html"]
    assert blank == [{"text/plain": ""}] * 2


def test_every_output_has_html_markdown_and_text(published: Any, story: Story) -> None:
    display = RunDisplay()
    for event in story():
        display.on_event(event)
    for bundle in (*published.new, *published.updates):
        assert set(bundle) == {"text/html", "text/markdown", "text/plain"}


def test_as_text_only_text_is_published(published: Any, story: Story) -> None:
    display = RunDisplay(kind="text")
    display.on_event(story()[0])
    assert set(published.last) == {"text/plain"}


@pytest.mark.usefixtures("clock")
def test_a_pause_is_drawn_at_once_because_silence_follows(published: Any, story: Story) -> None:
    display = RunDisplay()
    for event in (*story()[:4], Paused(step=2, time=0.0)):
        display.on_event(event)
    assert "paused" in published.last["text/html"]


@pytest.mark.usefixtures("clock")
def test_a_refusal_before_training_draws_nothing(published: Any) -> None:
    display = RunDisplay()
    display.on_event(Preparing(stage="reading the data", done=0, total=1))
    display.abandon(ValueError("bad row"))
    assert published.new == []


def test_long_preparation_is_shown(published: Any, clock: Callable[[float], None]) -> None:
    display = RunDisplay()
    display.on_event(Preparing(stage="reading the data", done=0, total=1))
    clock(2.0)
    display.on_event(Preparing(stage="encoding", done=10, total=100))
    assert "encoding 10 of 100" in published.last["text/html"]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [(ZeroDivisionError("oops"), "failed", "oops"), (KeyboardInterrupt(), "stopped", "interrupted")],
)
def test_a_run_cut_off_does_not_look_as_if_it_still_trained(
    published: Any, story: Story, error: BaseException, status: str, words: str
) -> None:
    display = RunDisplay()
    for event in story()[:4]:
        display.on_event(event)
    display.abandon(error)
    assert status in published.last["text/html"]
    assert words in published.last["text/html"]
    assert "<progress" not in published.last["text/html"]


def test_an_end_that_was_told_is_not_told_again(published: Any, story: Story) -> None:
    display = RunDisplay()
    for event in (*story()[:4], Ended(status="failed", step=2, reason="the loss became nan", seconds=1.0)):
        display.on_event(event)
    count = len(published.updates)
    display.abandon(ValueError("the loss became nan"))
    assert len(published.updates) == count


def test_a_resumed_run_is_drawn_with_its_past(published: Any, story: Story) -> None:
    display = RunDisplay(past=story(steps=6)[:5])
    display.on_event(story(steps=6)[5])
    assert "training loss" in published.last["text/html"]


def test_a_terminal_rewrites_one_line_and_keeps_the_scores(story: Story) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    display = TerminalDisplay(refresh=0.0, stream=screen)
    for event in story():
        display.on_event(event)
    written = screen.getvalue()
    assert "\r" in written
    lasting = [line.rpartition("\r")[2] for line in written.split("\n")]
    assert any("entity_f1 0.5000" in line for line in lasting)
    assert any("finished" in line for line in lasting)
    assert not any("step 2/6" in line for line in lasting)


def test_a_log_file_gets_no_carriage_returns_and_few_lines(story: Story) -> None:
    stream = io.StringIO()
    display = TerminalDisplay(stream=stream)
    for event in story(steps=300):
        display.on_event(event)
    assert "\r" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) < 25


def test_the_shell_decides_between_output_and_terminal(bare_shell: Any) -> None:
    class TerminalInteractiveShell:
        pass

    assert isinstance(display_for(bare_shell), RunDisplay)
    assert isinstance(display_for(TerminalInteractiveShell()), TerminalDisplay)
    assert isinstance(display_for(TerminalInteractiveShell(), kind="html"), RunDisplay)
