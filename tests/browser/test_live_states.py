"""How a run looks in the end, and in the dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

SETUP = '%load_ext nbtune\n%config Nbtune.runs_dir = "nbtune_runs"'
SLOW = 60_000.0
PICTURED = "NBTUNE_IMAGES" in os.environ
EPOCHS = 3 if PICTURED else 1


@pytest.mark.parametrize("dark", [False, True])
def test_a_run_is_readable_while_it_trains_and_when_it_has_finished(
    notebook: Callable[..., Any], accessible: Callable[..., None], picture: Callable[..., None], dark: bool
) -> None:
    name = "night" if dark else "day"
    cell = f"%finetune sentiment --data sample:sentiment --name {name} --background max_length=24 learning_rate=2e-4"
    opened = notebook(
        SETUP, f"run = {cell} batch_size=8 evaluate_every=20 epochs={EPOCHS}", "run.wait().status", dark=dark
    )
    opened.page.set_viewport_size({"width": 1000, "height": 1300})
    opened.run(0)
    opened.run(1)
    output = opened.output(1)
    expect(output).to_contain_text("F1 (step", timeout=SLOW)
    if PICTURED:
        expect(output).to_contain_text("epoch 1.5", timeout=5 * SLOW)
    accessible(".jp-Cell-outputArea")
    if dark:
        picture("training-dark", output)
    expect(opened.run(2)).to_contain_text("finished", timeout=5 * SLOW)
    expect(output).to_contain_text("95% interval")
    expect(output.get_by_role("button")).to_have_count(0)
    accessible(".jp-Cell-outputArea")
    opened.page.mouse.move(990, 5)
    picture("finished-dark" if dark else "finished", output)


def test_a_failed_run_says_why_and_its_controls_are_gone(
    notebook: Callable[..., Any], accessible: Callable[..., None], picture: Callable[..., None]
) -> None:
    cell = "%finetune sentiment --data sample:sentiment --name failed epochs=20 batch_size=8 max_length=24"
    opened = notebook(SETUP, f"{cell} evaluate_every=10")
    opened.page.set_viewport_size({"width": 1000, "height": 1300})
    opened.run(0)
    opened.begin(1)
    output = opened.output(1)
    expect(output).to_contain_text("F1 (step", timeout=SLOW)
    shutil.rmtree(opened.lab.root / "nbtune_runs" / "failed")  # a disk that is taken away
    opened.ended(1)
    expect(output.locator(".nbtune-badge", has_text="failed")).to_be_visible()
    expect(output).to_contain_text("the folder of the run 'failed' is gone")
    expect(output.get_by_role("button")).to_have_count(0)
    accessible(".nbtune")
    opened.page.mouse.move(990, 5)
    picture("failed", output)
