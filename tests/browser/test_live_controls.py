"""The controls of a run in JupyterLab: they act while its cell runs, and while it trains behind the cell."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from nbtune.events import Adjusted, Event, Paused, Resumed, Stepped
from nbtune.running.log import EventLog

SETUP = '%load_ext nbtune\n%config Nbtune.runs_dir = "nbtune_runs"'
SLOW = 60_000.0


def finetune(name: str, *switches: str, epochs: int = 40) -> str:
    """A cell that trains the embedded model for minutes, unless it is stopped."""
    return (
        f"%finetune run << sentiment --data sample:sentiment --name {name} {' '.join(switches)} "
        f"epochs={epochs} batch_size=8 max_length=24 evaluate_every=25"
    )


def begin(notebook: Callable[..., Any], cell: str, *more: str, dark: bool = False) -> Any:
    """A notebook whose second cell trains, and has been seen to."""
    opened = notebook(SETUP, cell, *more, dark=dark)
    opened.run(0)
    opened.begin(1)
    expect(opened.output(1)).to_contain_text("tokens/s", timeout=SLOW)
    return opened


def button(opened: Any, name: str, cell: int = 1) -> Locator:
    return opened.output(cell).get_by_role("button", name=name, exact=True)


def log(opened: Any, name: str) -> list[Event]:
    return list(EventLog(Path(opened.lab.root) / "nbtune_runs" / name / "events.jsonl").read())


def slowest_step(events: list[Event]) -> float:
    times = [event.seconds for event in events if isinstance(event, Stepped)]
    return max(after - before for before, after in itertools.pairwise(times))


_BADGED = "word => [...document.querySelectorAll('.nbtune-badge')].some(badge => badge.textContent == word)"


def seconds_to_stop(opened: Any) -> float:
    """From the click to the picture of a run that is saved. Looked for in every frame: `expect` would look
    ever more rarely."""
    clicked = time.monotonic()
    button(opened, "Stop").click()
    opened.page.wait_for_function(_BADGED, arg="stopped", timeout=SLOW)
    return time.monotonic() - clicked


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints through to the terminal."""

    def tell(words: str) -> None:
        with capsys.disabled():
            print(f"\n{words}", flush=True)

    return tell


def test_stop_in_a_busy_cell_keeps_the_model(notebook: Callable[..., Any], told: Callable[[str], None]) -> None:
    opened = begin(notebook, finetune("busy"), "print(run.status, len(run.predict(['a fine day'])))")
    seconds = seconds_to_stop(opened)
    step = slowest_step(log(opened, "busy"))
    told(f"Stop in a busy cell: {seconds:.2f} s from the click to the saved model; the slowest step took {step:.2f} s")
    opened.ended(1)
    expect(button(opened, "Stop")).to_have_count(0)
    expect(opened.run(2)).to_contain_text("stopped 1")
    # far above what it takes on a quiet machine, far below what a click takes that waits for the cell
    assert seconds < 10 + step


def test_pause_rate_and_resume_act_in_a_busy_cell(
    notebook: Callable[..., Any], accessible: Callable[..., None], picture: Callable[..., None]
) -> None:
    opened = begin(notebook, finetune("reviews", epochs=3))
    expect(opened.output(1)).to_contain_text("F1 (step", timeout=SLOW)
    accessible(".jp-Cell-outputArea")
    if "NBTUNE_IMAGES" in os.environ:  # curves worth a look
        opened.page.set_viewport_size({"width": 1000, "height": 1300})
        expect(opened.output(1)).to_contain_text("epoch 1.5", timeout=5 * SLOW)
    picture("training", opened.output(1))

    button(opened, "Pause").click()
    expect(opened.page.locator(".nbtune-badge", has_text="paused")).to_be_visible(timeout=SLOW)
    expect(button(opened, "Resume")).to_be_visible()
    picture("paused", opened.output(1))
    events = log(opened, "reviews")
    assert isinstance(events[-1], Paused)

    button(opened, "× ½").click()
    field = opened.output(1).get_by_label("peak learning rate")
    field.focus()
    field.fill("0.00002")
    field.press("Enter")
    assert len(log(opened, "reviews")) == len(events), "it went on although it was paused"

    button(opened, "Resume").focus()
    opened.page.keyboard.press("Enter")
    expect(opened.output(1)).to_contain_text("changes while training", timeout=SLOW)
    expect(button(opened, "Pause")).to_be_visible()
    expect(field).to_have_value(re.compile(r"0\.00002|2e-0?5"))
    more = log(opened, "reviews")[len(events) :]
    assert isinstance(more[0], Resumed)
    assert [event.new for event in more if isinstance(event, Adjusted)] == [2e-5]
    button(opened, "Stop").click()
    opened.ended(1)
    picture("stopped", opened.output(1))


def test_the_controls_act_on_a_run_in_the_background(notebook: Callable[..., Any], told: Callable[[str], None]) -> None:
    cells = (finetune("behind", "--background"), "1 + 1", "run.wait().status")
    opened = begin(notebook, *cells, dark=True)
    expect(opened.run(2)).to_contain_text("2")  # the kernel is free
    data = opened.output(1).locator("summary", has_text="data: text from")
    data.click()
    for evaluation in ("step 25", "step 50"):  # what was opened stays open
        expect(opened.output(1)).to_contain_text(f"newest ({evaluation})", timeout=SLOW)
    expect(opened.output(1).get_by_text("the task's column")).to_be_visible()
    button(opened, "Pause").click()
    expect(opened.page.locator(".nbtune-badge", has_text="paused")).to_be_visible(timeout=SLOW)
    button(opened, "Resume").click()
    button(opened, "× 2").click()
    expect(opened.output(1)).to_contain_text("changes while training", timeout=SLOW)
    # the checkpoint that another rate is worth has been written by then, as most of the time
    expect(opened.output(1)).to_contain_text("newest (step 75)", timeout=SLOW)
    seconds = seconds_to_stop(opened)
    step = slowest_step(log(opened, "behind"))
    told(
        f"Stop in the background: {seconds:.2f} s from the click to the saved model; the slowest step took {step:.2f} s"
    )
    expect(opened.run(3)).to_contain_text("stopped")
    expect(button(opened, "Stop")).to_have_count(0)
    assert seconds < 10 + step
