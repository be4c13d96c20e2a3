"""The first minutes of a newcomer, in JupyterLab itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


def test_load_train_and_see_the_report(
    notebook: Callable[..., Any], tiny_model: str, accessible: Callable[..., None], picture: Callable[..., None]
) -> None:
    opened = notebook(
        "%load_ext nbtune",
        f"run = %finetune sentiment --data sample:sentiment --name first --model {tiny_model} epochs=1",
        "run",
    )
    opened.run(0)
    output = opened.run(1)
    expect(output).to_contain_text("finished")
    expect(output.get_by_role("table").first).to_be_visible()
    expect(opened.run(2)).to_contain_text("first")
    accessible(".jp-Cell-outputArea")
    picture("report", output)

    saved = opened.save()
    assert "widgets" not in saved["metadata"]
    opened.kill()
    opened.open()
    expect(opened.output(1)).to_contain_text("finished")


def test_a_notebook_from_elsewhere_shows_its_charts_before_it_is_trusted(
    lab: Any, page: Page, picture: Callable[..., None]
) -> None:
    shutil.copy(QUICKSTART, lab.root / "from-elsewhere.ipynb")
    lab.choose_theme(False)
    page.goto(lab.address("lab/tree/from-elsewhere.ipynb?reset"))
    charts = page.locator(".jp-OutputArea-output img.nbtune-chart, .jp-OutputArea-output img[alt*='training loss']")
    expect(charts.first).to_be_visible(timeout=60e3)
    assert all(
        page.evaluate("[...document.querySelectorAll('.jp-OutputArea-output img')].map(each => each.naturalWidth)")
    )
    # what JupyterLab takes out leaves no loose numbers behind
    assert page.locator(".jp-OutputArea-output svg, .jp-OutputArea-output style").count() == 0
    picture("untrusted", page.locator(".jp-Notebook"))
