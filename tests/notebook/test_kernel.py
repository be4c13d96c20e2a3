"""With a real kernel: what a saved notebook holds, how cells fail, and what the interrupt key does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    rows = [f"{word} {thing},{label}" for label, words in _WORDS.items() for word in words for thing in _THINGS]
    rows.append(f"{HOSTILE} great,good")
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


_WORDS = {"good": ["great", "lovely", "superb", "fine"], "bad": ["awful", "poor", "dire", "grim"]}
_THINGS = ("film", "book", "play", "song", "meal")


def run_notebook(cells: list[str], **options: Any) -> Any:
    make: Any = nbformat.v4  # untyped
    notebook = make.new_notebook(cells=[make.new_code_cell(source) for source in cells])
    NotebookClient(notebook, timeout=240, **options).execute()
    nbformat.validate(notebook)
    return notebook


@pytest.mark.usefixtures("runs_dir")
def test_a_saved_notebook_holds_one_static_picture_a_run(csv: Path, tiny_model: str) -> None:
    notebook = run_notebook(
        [
            "%load_ext nbtune",
            f'%%finetune classification --data {csv} --name saved\nmodel = "{tiny_model}"\nepochs = 2\n'
            "batch_size = 8\nmax_length = 16\nvalidation_fraction = 0.25",
            "run = _\nrun.status",
            f'%predict saved "{HOSTILE}"',
            "%nbtune show saved",
        ]
    )
    loaded, trained, status, predicted, shown = (cell.outputs for cell in notebook.cells)
    assert loaded == []
    assert [output.output_type for output in trained] == ["display_data"]
    bundle = trained[0].data
    assert {"text/html", "text/markdown", "text/plain"} <= set(bundle)
    for words in ("finished", "training loss", "macro_f1", "95% interval", "%evaluate saved"):
        assert words in bundle["text/html"]
    assert "finished" in bundle["text/plain"]
    assert "saved" in shown[0].data["text/html"]
    assert status[0].data["text/plain"] == "'finished'"
    assert len(predicted) == 1
    for output in (*trained, *predicted, *shown):
        assert "<script" not in output.data.get("text/html", "")
    assert "widgets" not in notebook.metadata
    assert len(json.dumps(notebook)) < 200_000
    assert not [output for cell in notebook.cells for output in cell.outputs if output.output_type == "stream"]


MISTAKES = [
    ("%%finetune ner --data sample:ner\nepochs 1", "SpecError", "line 2 of the cell is not TOML"),
    ("%%finetune nre --data sample:ner\n", "SpecError", "did you mean 'ner'?"),
    ("%%finetune nre --data sample:ner", "SpecError", "did you mean 'ner'?"),
    ("%evaluate nothing", "RunError", "there is no run 'nothing'"),
    ("%%finetune ner --data nothing.csv\nepochs = 1", "DataError", "nothing.csv"),
]


@pytest.mark.usefixtures("runs_dir")
def test_mistakes_are_error_outputs_of_two_lines() -> None:
    notebook = run_notebook(["%load_ext nbtune", *(cell for cell, _, _ in MISTAKES)], allow_errors=True)
    for written, (_, kind, message) in zip(notebook.cells[1:], MISTAKES, strict=True):
        output = written.outputs[-1]
        assert output.output_type == "error"
        assert output.ename == kind
        assert message in output.evalue
        assert len("\n".join(output.traceback).splitlines()) <= 2
        assert not [each for each in written.outputs if each.output_type == "stream"]


@pytest.mark.usefixtures("runs_dir")
def test_a_mistake_stops_a_notebook_that_is_run_unattended() -> None:
    with pytest.raises(CellExecutionError) as caught:
        run_notebook(["%load_ext nbtune", "%evaluate nothing", "raise SystemError('must not be reached')"])
    assert caught.value.ename == "RunError"


@pytest.fixture
def kernel(runs_dir: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    assert not runs_dir.exists()
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_an_interrupt_ends_the_cell_with_a_run_that_can_be_used(
    kernel: tuple[KernelManager, BlockingKernelClient], csv: Path, tiny_model: str
) -> None:
    manager, client = kernel
    client.execute_interactive("%load_ext nbtune", timeout=60)
    client.execute(
        f'%%finetune run << classification --data {csv} --name cut\nmodel = "{tiny_model}"\nepochs = 5000\n'
        "batch_size = 8\nmax_length = 16\nvalidation_fraction = 0.25\nevaluate_every = 5"
    )
    shown = _wait_for(client, lambda html: "best" in html and "step" in html and "training" in html)
    began = time.monotonic()
    manager.interrupt_kernel()
    shown = _until_idle(client, shown)
    assert time.monotonic() - began < 20
    assert "stopped" in shown
    told: list[dict[str, Any]] = []
    reply = client.execute_interactive(
        "print(run.status, len(run.predict(['a great film'])))", timeout=60, output_hook=told.append
    )
    assert reply["content"]["status"] == "ok"
    assert [each["content"]["text"] for each in told if each["msg_type"] == "stream"] == ["stopped 1\n"]


def _wait_for(client: BlockingKernelClient, ready: Any) -> str:
    """The first picture that is `ready`."""
    while True:
        message = client.get_iopub_msg(timeout=120)
        assert message["msg_type"] != "error", message["content"]
        html = message["content"].get("data", {}).get("text/html", "")
        if ready(html):
            return str(html)


def _until_idle(client: BlockingKernelClient, shown: str) -> str:
    """The last picture before the cell is done."""
    while True:
        message = client.get_iopub_msg(timeout=120)
        assert message["msg_type"] != "error", message["content"]
        shown = message["content"].get("data", {}).get("text/html", shown)
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return shown
