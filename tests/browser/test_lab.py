"""The first minutes of a newcomer, in JupyterLab itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect


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
