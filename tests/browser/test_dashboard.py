"""The dashboard in JupyterLab and Notebook 7: by mouse and by keyboard, dark, on hostile data, after its kernel."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

NASTY = "<script>window.harmed=1</script><img src=x onerror='window.harmed=1'> [x](javascript:window.harmed=1) ${y}"
ROOT = ".jp-OutputArea-output .nbtune-dashboard"
OPEN = "import nbtune\nnbtune.dashboard()"
DATA = f"""
import pandas as pd
bad = {NASTY!r}
words = ["good", "bad"] * 12
rows = [dict(body=f"a {{word}} film, no. {{n}} {{bad}}", verdict=f"{{word}} {{bad}}") for n, word in enumerate(words)]
rows += [dict(body="an odd film", verdict=f"{{word}} {{bad}}") for word in words[:8]]  # no model agrees with both
reviews = pd.DataFrame(rows).rename(columns={{"verdict": f"verdict {{bad}}"}})
"""
SLOW = 60e3


class Board:
    """A dashboard in the output of a cell."""

    def __init__(self, output: Locator) -> None:
        self.output = output
        self.root = output.locator(".nbtune-dashboard")
        expect(self.root.get_by_role("tab", name="Set up")).to_be_visible(timeout=SLOW)

    def tab(self, name: str) -> None:
        self.root.get_by_role("tab", name=name).click()

    def field(self, name: str) -> Locator:
        return self.root.get_by_label(name, exact=True).and_(self.root.locator(":visible"))

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name).and_(self.root.locator(":visible"))

    def choose(self, task: str, data: str) -> None:
        value = self.field("task").locator("option").filter(has_text=re.compile(f"^{task}:")).inner_text()
        self.field("task").select_option(label=value)
        value = self.field("data").locator("option").filter(has_text=data).inner_text()
        self.field("data").select_option(label=value)
        expect(self.root.get_by_text("The first rows of")).to_be_visible(timeout=SLOW)

    def says(self, words: str) -> None:
        expect(self.root.get_by_text(words).and_(self.root.locator(":visible")).first).to_be_visible(timeout=SLOW)


@pytest.fixture
def harmless(page: Page) -> Callable[[], None]:
    """Asserts that nothing in the page ran a script or asked the user anything."""
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)

    def check() -> None:
        assert asked == []
        assert page.evaluate("window.harmed") is None

    return check


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_end_to_end_by_mouse_on_hostile_data(
    notebook: Callable[..., Any],
    page: Page,
    tiny_model: str,
    accessible: Callable[..., None],
    picture: Callable[..., None],
    harmless: Callable[[], None],
    dark: bool,
) -> None:
    shade = "-dark" if dark else ""
    page.set_viewport_size({"width": 1000, "height": 1900})
    opened = notebook(DATA, OPEN, dark=dark)
    opened.run(0)
    board = Board(opened.run(1))
    board.choose("classification", "reviews")
    board.says("which column is")
    board.field("text").select_option(label="body")
    board.field("label").select_option(index=2)
    board.says("can be used")
    picture(f"dashboard-setup{shade}", board.output)
    accessible(ROOT)
    board.field("model").fill(tiny_model)
    board.field("name").fill(f"mouse{shade}")
    board.field("epochs").fill("400")
    board.field("batch_size").fill("4")
    board.button("Start").click()
    expect(board.root.locator("svg.nbtune-chart").first).to_be_visible(timeout=SLOW)
    board.button("Pause").click()
    board.says("paused")
    picture(f"dashboard-train{shade}", board.output)
    accessible(ROOT)
    board.button("Resume").click()
    expect(board.button("Pause")).to_be_visible(timeout=SLOW)
    asked = time.monotonic()
    board.button("Stop").click()
    board.says("stopped")
    print(f"\nstopped and drawn {time.monotonic() - asked:.1f} s after the click")

    board.tab("Try it")
    board.field("text").fill(f"a good film {NASTY}")
    board.button("Predict and explain").click()
    board.says("rests on")
    picture(f"dashboard-try{shade}", board.output)
    accessible(ROOT)
    board.tab("Mistakes")
    board.field("look at").select_option(label="training data")
    board.button("Look for mistakes").click()
    board.says("labels are likely wrong")
    board.field("show").select_option(label="all labels the model disagrees with")
    picture(f"dashboard-mistakes{shade}", board.output)
    accessible(ROOT)
    for words, found in (("no such words", "nothing of this kind"), ("ODD", "an odd film")):
        board.field("with the words").fill(words)
        page.keyboard.press("Tab")
        board.says(found)
    board.button("Accept the suggestion").click()
    board.says("is corrected in")
    assert (opened.lab.root / f"mouse{shade}.corrections.jsonl").read_text(encoding="utf-8").count("\n") == 1
    board.field("look at").select_option(label="training data, asking models that have not seen it")
    board.says("5 models are trained like")
    board.button("Look for mistakes").click()
    board.says("trained step")
    picture(f"dashboard-folds{shade}", board.output)
    board.button("Stop").click()
    board.says("nothing is kept of them")
    board.tab("Evaluate")
    board.button("Score").click()
    board.says("95% interval")
    picture(f"dashboard-evaluate{shade}", board.output)
    accessible(ROOT)
    board.tab("Copy as code")
    expect(board.field("%%finetune")).to_have_value(re.compile(f"--name mouse{shade}\n.*epochs = 400", re.DOTALL))
    picture(f"dashboard-code{shade}", board.output)
    accessible(ROOT)
    board.tab("Runs")
    board.field("runs").select_option(index=0)
    board.button("Delete …").click()
    picture(f"dashboard-runs{shade}", board.output)
    accessible(ROOT)
    board.button("Delete mouse").click()
    board.says("was deleted")
    harmless()


def test_by_keyboard_alone(notebook: Callable[..., Any], page: Page, tiny_model: str) -> None:
    board = Board(notebook(OPEN).run(0))
    keys = page.keyboard

    def to(place: Locator, back: bool = False) -> None:
        for _ in range(60):
            if place.evaluate("each => each === document.activeElement"):
                return
            keys.press("Shift+Tab" if back else "Tab")
        there = page.evaluate("document.activeElement.outerHTML.slice(0, 300)")
        raise AssertionError(f"the keys do not reach {place}, but {there}")

    # from the notebook into the dashboard
    page.locator(".jp-Notebook").click(position={"x": 2, "y": 2})
    keys.press("Escape")
    board.root.get_by_role("tab", name="Set up").focus()
    to(board.field("task"))
    keys.type("sentiment")
    expect(board.field("data").locator("option", has_text="sample:sentiment")).to_be_attached(timeout=SLOW)
    to(board.field("data"))
    keys.type("sample")
    keys.press("Tab")  # what was typed into a list counts when the focus leaves it
    expect(board.root.get_by_text("The first rows of")).to_be_visible(timeout=SLOW)
    to(board.field("name"))
    keys.type("keys")
    to(board.field("model"))
    keys.press("Control+a")
    keys.type(tiny_model)
    to(board.field("epochs"))
    keys.press("Control+a")
    keys.type("1")
    fold = board.root.get_by_role("button", name="More settings")
    to(fold)
    keys.press("Space")
    to(board.field("batch_size"), back=True)
    to(board.field("patience"))
    keys.type("3")
    to(board.button("Start"))
    keys.press("Enter")
    board.says("finished")

    tabs = board.root.get_by_role("tab")
    expect(tabs.filter(has_text="Train")).to_have_attribute("aria-selected", "true")
    to(tabs.filter(has_text="Set up"), back=True)  # where the arrows were last
    for _ in range(3):
        keys.press("ArrowRight")
    keys.press("Enter")
    expect(tabs.filter(has_text="Try it")).to_have_attribute("aria-selected", "true")
    to(board.field("text"))
    keys.type("what a fine day")
    to(board.button("Predict").first)
    keys.press("Enter")
    board.says("as a table")


def test_start_to_the_first_point_with_the_embedded_model(
    notebook: Callable[..., Any], picture: Callable[..., None]
) -> None:
    board = Board(notebook(OPEN).run(0))
    board.choose("sentiment", "sample:sentiment")
    picture("dashboard", board.output)
    for which in ("at once", "again"):
        asked = time.monotonic()
        board.tab("Set up")
        board.button("Start").click()
        expect(board.button("Stop")).to_be_enabled(timeout=SLOW)
        expect(board.root.locator("svg.nbtune-chart").first).to_be_visible(timeout=SLOW)
        print(f"\nfirst point {time.monotonic() - asked:.1f} s after the click on Start (embedded model, {which})")
        board.says("on validation")
        picture("dashboard-training", board.output)
        board.button("Stop").click()
        board.says("stopped")
        expect(board.button("Stop")).to_be_disabled(timeout=SLOW)


def test_a_kernel_killed_in_the_midst(
    notebook: Callable[..., Any], page: Page, tiny_model: str, picture: Callable[..., None]
) -> None:
    opened = notebook(OPEN)
    board = Board(opened.run(0))
    board.choose("sentiment", "sample:sentiment")
    board.field("model").fill(tiny_model)
    board.field("name").fill("killed")
    board.field("epochs").fill("500")
    board.button("Start").click()
    expect(board.root.locator("svg.nbtune-chart").first).to_be_visible(timeout=SLOW)
    saved = opened.save()
    assert "widgets" not in saved["metadata"]
    # as the system would, without a word
    os.kill(json.loads((opened.lab.runs / "killed" / ".lock").read_text())["process"], signal.SIGKILL)
    opened.kill()
    opened.open()
    expect(opened.output(0)).to_contain_text("run this cell to open it again")
    expect(opened.output(0).get_by_text("model not found")).to_be_hidden()
    picture("dashboard-reopened", opened.output(0))

    board = Board(opened.run(0))
    expect(opened.output(0).get_by_text("run this cell to open it again")).to_be_hidden()
    board.says("Cut off before its end: killed")
    board.tab("Runs")
    board.field("runs").select_option(index=0)
    picture("dashboard-cut-off", board.output)
    board.button("Resume").click()
    expect(board.button("Stop")).to_be_enabled(timeout=SLOW)
    board.says("training")
    board.button("Stop").click()
    board.says("stopped")


def test_in_notebook_7(
    lab: Any,
    notebook: Callable[..., Any],
    tiny_model: str,
    accessible: Callable[..., None],
    picture: Callable[..., None],
) -> None:
    opened = notebook(OPEN)
    opened.page.goto(lab.address(f"notebooks/{opened.path}"))
    opened.ready()
    assert opened.page.evaluate("window.jupyterapp.name") == "Jupyter Notebook"
    board = Board(opened.run(0))
    board.choose("sentiment", "sample:sentiment")
    picture("notebook7-dashboard-setup", board.output)
    board.field("model").fill(tiny_model)
    board.field("epochs").fill("1")
    board.button("Start").click()
    board.says("finished")
    expect(board.button("Stop")).to_be_disabled(timeout=SLOW)
    picture("notebook7-dashboard-train", board.output)
    board.tab("Evaluate")
    board.says("95% interval")
    assert board.output.evaluate("element => element.scrollWidth - element.clientWidth") <= 0, (
        "it is wider than the page"
    )
    accessible(ROOT)
    picture("notebook7-dashboard-evaluate", board.output)
    board.tab("Set up")
    board.field("name").fill("again")
    board.root.get_by_role("button", name="More settings").click()
    board.field("seeds").fill("2")
    board.button("Start").click()
    board.says("Evaluate has the mean and spread")
    board.tab("Evaluate")
    board.says("mean of 2 seeds")
    board.tab("Runs")
    again = board.field("runs").locator("option").filter(has_text=re.compile(r"^again(\.seed1)?\s"))
    board.field("runs").select_option([str(each.get_attribute("value")) for each in again.all()])
    board.button("Compare").click()
    verdict = board.root.get_by_text(re.compile("again.*(are not clearly different|is better than)"))
    expect(verdict.first).to_be_visible(timeout=SLOW)
    accessible(ROOT)
    picture("notebook7-dashboard-compare", board.output)
    board.field("runs").select_option(index=1)
    board.button("Open").click()
    board.says("is open: see the other tabs")
