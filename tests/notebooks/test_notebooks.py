"""The notebooks: what is committed can be read as it is, and every one of them runs from top to bottom."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbtune.notebook import demo

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
TASKS = {"ner", "classification", "sentiment", "recommendation"}
STORIES = {"quickstart", "trust", "plugin"}
TRANSLATED = {"quickstart.zh-CN"}
"""Have the code and the outputs of another one, which tests/docs/test_translations.py proves: no need to run them."""
MACHINE = re.compile(r"""(?<![\w.:/<])(/(home|root|tmp|Users|usr|opt|var|mnt|work|private)/|[A-Z]:\\+\w)""")
"""The beginning of an absolute path, but not of a web address."""
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
TO_RUN = [path for path in NOTEBOOKS if path.stem not in TRANSLATED]


def test_there_is_a_notebook_for_each_story_and_each_task() -> None:
    assert {path.stem for path in NOTEBOOKS} == TASKS | STORIES | TRANSLATED


@EVERY
def test_what_is_committed_is_valid_and_was_run_from_top_to_bottom(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(content)
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in content["cells"]]
    assert len(ids) == len(set(ids))
    counts = [cell["execution_count"] for cell in content["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run all cells, then save"


@EVERY
def test_what_is_committed_is_static(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert "widgets" not in content["metadata"]
    for cell in content["cells"]:
        assert "execution" not in cell["metadata"]  # times of day, which change with every run
    for output in _outputs(content):
        assert output["output_type"] in ("display_data", "execute_result", "stream")
        assert output.get("name") != "stderr", output
        assert not [kind for kind in output.get("data", {}) if "widget" in kind or "javascript" in kind]
        html = "".join(output.get("data", {}).get("text/html", ""))
        assert not re.search(r"<script|<iframe|\ssrc=(?!.data:image/svg)|@import|url\(\s*['\"]?http", html)
    assert path.stat().st_size < 1_000_000


@EVERY
def test_what_is_committed_names_no_place_of_the_machine_it_was_made_on(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    for output in _outputs(content):
        found = MACHINE.search(json.dumps(output, ensure_ascii=False).replace("\\n", "\n").replace('\\"', '"'))
        assert found is None, found and found.string[max(0, found.start() - 60) : found.end() + 40]


@EVERY
def test_what_is_committed_shows_each_run_once_as_a_picture_and_as_text(path: Path) -> None:
    _check_runs(nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("path", TO_RUN, ids=lambda path: path.stem)
@pytest.mark.timeout(1800)
def test_it_runs_without_network_and_can_be_run_again(path: Path, tmp_path: Path) -> None:
    notebook = demo.read(path)
    demo.execute(notebook, tmp_path, demo.Teller(sys.stdout))  # raises where a cell fails
    nbformat.validate(notebook)
    _check_runs(notebook)
    for output in _outputs(notebook):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", output
    assert "widgets" not in notebook.metadata
    # it said `overwrite = true` wherever a second Run All would meet its own runs
    trained = [cell.source for cell in notebook.cells if cell.source.startswith("%%finetune")]
    named = [source for source in trained if "--name" in source]
    assert all(re.search(r"^overwrite = true$", source, re.MULTILINE) for source in named)


def _check_runs(notebook: Any) -> None:
    cells = _training(notebook)
    assert cells
    for cell in cells:
        assert [output.output_type for output in cell.outputs] == ["display_data"]
        shown = cell.outputs[0].data
        assert {"text/html", "text/markdown", "text/plain"} <= set(shown)
        assert ": finished" in shown["text/plain"].splitlines()[0]
        assert "95% interval" in shown["text/html"]


def _training(notebook: Any) -> list[Any]:
    """The cells that show a run as it trains."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.startswith("%%finetune"))
    return [cell for cell in cells if "--quiet" not in _first_line(cell.source)]


def _first_line(source: str) -> str:
    return source.partition("\n")[0]


def _outputs(content: Any) -> Iterator[Any]:
    for cell in content["cells"]:
        yield from cell.get("outputs", [])
