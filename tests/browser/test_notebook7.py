"""The quickstart in Notebook 7: the same server and kernel, another front end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
TOO_WIDE = "element => element.scrollWidth - element.clientWidth"


def quickstart(model: str) -> tuple[str, dict[str, int]]:
    """The notebook with another model and without outputs; its code cells' numbers by their first two words."""
    content = json.loads(QUICKSTART.read_text(encoding="utf-8"))
    places: dict[str, int] = {}
    for number, cell in enumerate(content["cells"]):
        if cell["cell_type"] == "code":
            source = "".join(cell["source"]).replace('"minilm-l6"', f'"{model}"').replace("epochs = 4", "epochs = 1")
            cell.update(source=source, outputs=[], execution_count=None)
            places.setdefault(" ".join(source.split()[:2]), number)
    return json.dumps(content), places


def test_the_quickstart_trains_and_shows_its_report(
    lab: Any,
    notebook: Callable[..., Any],
    tiny_model: str,
    accessible: Callable[..., None],
    picture: Callable[..., None],
) -> None:
    opened = notebook("")
    content, places = quickstart(tiny_model)
    (lab.root / opened.path).write_text(content, encoding="utf-8")
    opened.page.goto(lab.address(f"notebooks/{opened.path}"))
    opened.ready()
    expect(opened.page.locator("#jp-MainLogo, #jp-NotebookLogo").first).to_be_visible()
    assert opened.page.evaluate("window.jupyterapp.name") == "Jupyter Notebook"

    opened.run(places["%load_ext nbtune"])
    trained = opened.run(places["%%finetune ner"])
    expect(trained).to_contain_text("finished")
    expect(trained.get_by_role("table").first).to_be_visible()
    report = opened.run(places["%evaluate first"])
    expect(report.get_by_role("table").first).to_contain_text("95% interval")
    for output in (trained, report):
        assert output.evaluate(TOO_WIDE) <= 0, "it does not fit into the page"
    accessible(".jp-Cell-outputArea")
    report.scroll_into_view_if_needed()
    picture("notebook7-report")
    picture("notebook7-run", trained)
