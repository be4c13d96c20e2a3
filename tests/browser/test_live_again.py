"""A run seen again: after a reload of the page, from another kernel, after its kernel was killed."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

from nbtune.events import Ended, Stepped
from nbtune.running.locks import LOCK
from nbtune.running.log import EventLog

SLOW = 60_000.0
TRAINING = "epochs=3000 batch_size=4 max_length=16 evaluate_every=500"


def finetune(name: str, model: str, *switches: str) -> str:
    where = f"--name {name} --model {model} {' '.join(switches)}"
    return f"%finetune run << sentiment --data sample:sentiment {where} {TRAINING}"


def begin(notebook: Callable[..., Any], cell: str, *more: str) -> Any:
    opened = notebook("%load_ext nbtune", cell, *more)
    opened.run(0)
    opened.begin(1)
    expect(opened.output(1)).to_contain_text("tokens/s", timeout=SLOW)
    return opened


def steps(opened: Any, name: str) -> int:
    told = EventLog(Path(opened.lab.runs) / name / "events.jsonl").read()
    return max(event.step for event in told if isinstance(event, Stepped))


def kill(opened: Any, name: str) -> None:
    """Kill the process that trains a run, as a lack of memory does: a kernel that is shut down stops and saves."""
    lock = opened.lab.runs / name / LOCK
    os.kill(json.loads(lock.read_text())["process"], signal.SIGKILL)


def badge(opened: Any, cell: int, words: str) -> Locator:
    return opened.output(cell).locator(".nbtune-badge", has_text=re.compile(f"^{words}$"))


def test_a_reloaded_page_finds_the_run_going_on_and_controls_it(notebook: Callable[..., Any], tiny_model: str) -> None:
    opened = begin(
        notebook, finetune("reloaded", tiny_model, "--background"), "%nbtune show reloaded", "run.wait().status"
    )
    before = steps(opened, "reloaded")
    opened.save()
    opened.page.reload()
    opened.ready()
    shown = opened.run(2)
    expect(badge(opened, 2, "training")).to_be_visible()
    assert steps(opened, "reloaded") > before
    shown.get_by_role("button", name="Pause", exact=True).click()
    expect(badge(opened, 2, "paused")).to_be_visible(timeout=SLOW)
    shown.get_by_role("button", name="Resume", exact=True).click()
    expect(badge(opened, 2, "training")).to_be_visible(timeout=SLOW)
    shown.get_by_role("button", name="Stop", exact=True).click()
    expect(badge(opened, 2, "stopped")).to_be_visible(timeout=SLOW)
    expect(opened.run(3)).to_contain_text("stopped")
    expect(shown.get_by_role("button")).to_have_count(0)


def test_another_kernel_follows_a_run_and_sees_that_its_kernel_was_killed(
    notebook: Callable[..., Any], tiny_model: str, picture: Callable[..., None]
) -> None:
    trained = begin(notebook, finetune("elsewhere", tiny_model))
    stale = trained.output(1).locator(".nbtune-late")
    expect(stale).to_be_hidden()
    trained.save()
    trained.page.reload()  # which hears nothing from the kernel before its cell is done
    expect(stale).to_be_visible(timeout=SLOW)
    expect(stale).to_contain_text("%nbtune show elsewhere --follow in another notebook")
    expect(trained.output(1).get_by_text("Loading widget")).to_be_hidden()
    picture("reloaded-while-busy", trained.output(1))
    # the page is left, and another notebook opened
    looking = notebook("%load_ext nbtune", "%nbtune show elsewhere", "%nbtune show elsewhere --follow")
    looking.run(0)
    still = looking.run(1)
    expect(still).to_contain_text("training in another kernel by process")
    expect(still.get_by_role("button")).to_have_count(0)

    looking.begin(2)
    expect(badge(looking, 2, "training")).to_be_visible(timeout=SLOW)
    seen = re.search(r"step ([\d,]+) of", looking.output(2).inner_text())
    assert seen is not None
    expect(looking.output(2)).not_to_contain_text(seen.group(0), timeout=SLOW)  # it moves on
    looking.interrupt()
    looking.ended(2)  # without an error, and without touching the training
    expect(looking.output(2).locator("[data-mime-type*='stderr']")).to_have_count(0)
    assert not isinstance(EventLog(looking.lab.runs / "elsewhere" / "events.jsonl").last(), Ended)

    looking.begin(2)
    expect(badge(looking, 2, "training")).to_be_visible(timeout=SLOW)
    kill(trained, "elsewhere")
    looking.ended(2)
    expect(badge(looking, 2, "unfinished")).to_be_visible()
    expect(looking.output(2)).to_contain_text("%finetune --resume elsewhere")
    expect(looking.run(1)).to_contain_text("cut off: its kernel was killed or restarted")
    picture("cut-off", looking.output(1))


def test_a_notebook_whose_kernel_died_shows_what_it_was_and_the_run_goes_on(
    notebook: Callable[..., Any], tiny_model: str, picture: Callable[..., None]
) -> None:
    more = (
        "%nbtune show broken-off",
        "%finetune run << --resume broken-off --background",
        "run.control.stop()\nrun.wait().status",
    )
    opened = begin(notebook, finetune("broken-off", tiny_model, "checkpoint_every=20"), *more)
    while not (opened.lab.runs / "broken-off" / "checkpoints").is_dir() or steps(opened, "broken-off") < 60:
        opened.page.wait_for_timeout(100)
    opened.save()
    kill(opened, "broken-off")
    opened.open()
    expect(opened.output(1)).to_contain_text("broken-off")  # the last saved picture
    expect(opened.output(1).get_by_text("widget")).to_be_hidden()  # the buttons died with the kernel
    picture("killed-and-reopened", opened.output(1))
    opened.run(0)
    expect(opened.run(2)).to_contain_text("%finetune --resume broken-off")
    before = time.monotonic()
    opened.run(3)
    expect(badge(opened, 3, "training")).to_be_visible(timeout=SLOW)
    assert time.monotonic() - before < 60
    expect(opened.run(4)).to_contain_text("stopped")
