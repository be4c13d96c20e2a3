"""What stays of a run in a notebook: a static report without widgets, harmless whatever the data held."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from playwright.sync_api import expect

SLOW = 60_000.0
MOST = 300_000


@pytest.mark.parametrize("display", ["auto", "live"])
def test_a_saved_notebook_holds_the_report_and_no_widget(
    notebook: Callable[..., Any], tiny_model: str, picture: Callable[..., None], display: str
) -> None:
    name = f"kept-{display}"
    model = "learning_rate=2e-4 epochs=2" if display == "live" else f"--model {tiny_model} epochs=2"
    opened = notebook(
        f'%load_ext nbtune\n%config Nbtune.display = "{display}"\n%config Nbtune.runs_dir = "nbtune_runs"',
        f"%finetune sentiment --data sample:sentiment --name {name} {model} max_length=24 batch_size=8",
        "6 * 7",
    )
    opened.page.set_viewport_size({"width": 1000, "height": 1300})
    opened.run(0)
    opened.begin(1)
    expect(opened.output(1).get_by_role("button", name="Pause", exact=True)).to_be_visible(timeout=SLOW)
    if display == "live":
        expect(opened.output(1).locator(".nbtune-live canvas")).to_be_visible(timeout=SLOW)
        if "NBTUNE_IMAGES" in os.environ:
            expect(opened.output(1)).to_contain_text("epoch 1.5", timeout=5 * SLOW)
        picture("live-chart", opened.output(1))
    opened.ended(1)
    expect(opened.output(1)).to_contain_text("95% interval")
    opened.run(2)

    saved = opened.save()
    text = json.dumps(saved)
    assert "widget-view" not in text
    assert "model_id" not in text
    assert "widgets" not in saved["metadata"]
    assert len(json.dumps(saved["cells"][1]["outputs"])) < MOST
    written = nbformat.reads(text, 4)
    nbformat.validate(written)
    shown = [each["data"] for each in saved["cells"][1]["outputs"]]
    assert [each for each in shown if each != {"text/plain": []}] == [each for each in shown if "text/html" in each][:1]
    for exporter in (HTMLExporter(), MarkdownExporter()):
        assert name in exporter.from_notebook_node(written)[0]

    opened.kill()
    opened.open()
    expect(opened.output(1)).to_contain_text("finished")
    expect(opened.output(1)).not_to_contain_text("model not found")
    expect(opened.output(1).get_by_role("img").first).to_be_visible()


def test_texts_and_labels_that_hold_scripts_run_none(notebook: Callable[..., Any], tiny_model: str) -> None:
    nasty = [
        "<script>window.struck = 1</script>",
        "<img src=x onerror='window.struck = 1'>",
        "[click](javascript:window.struck=1)",
        "</style><svg onload='window.struck = 1'>",
    ]
    rows = [{"text": f"{nasty[row % 4]} number {row}", "label": nasty[row % 2]} for row in range(40)]
    opened = notebook(
        f"%load_ext nbtune\nimport pandas as pd\nrows = pd.DataFrame({rows!r})",
        f"%finetune classification --data rows --name struck --model {tiny_model} epochs=40 max_length=16 "
        "validation_fraction=0.3 batch_size=4 evaluate_every=10",
        "%nbtune show struck",
        f'%predict struck "{nasty[1]}"',
    )
    opened.run(0)
    opened.begin(1)
    expect(opened.output(1).get_by_role("button", name="Stop", exact=True)).to_be_visible(timeout=SLOW)
    expect(opened.output(1)).to_contain_text("F1 (step", timeout=SLOW)
    assert opened.page.evaluate("window.struck") is None
    opened.output(1).get_by_role("button", name="Stop", exact=True).click()
    opened.ended(1)
    for cell in (2, 3):
        expect(opened.run(cell)).to_contain_text("onerror")
    for opener in opened.page.locator(".jp-Cell-outputArea summary").all():
        opener.click()
    assert opened.page.evaluate("window.struck") is None
    assert (
        opened.page.locator(
            ".jp-Cell-outputArea script, .jp-Cell-outputArea [onerror], .jp-Cell-outputArea [onload]"
        ).count()
        == 0
    )
    assert opened.page.locator(".jp-Cell-outputArea a[href^='javascript']").count() == 0
