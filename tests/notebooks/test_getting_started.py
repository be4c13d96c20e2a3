"""The page for newcomers does what it says: its cells run from top to bottom, here with a tiny model."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import nbformat

from nbtune.notebook import demo

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "getting_started.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_cell_of_the_page_runs(tmp_path: Path, tiny_model: str) -> None:
    copies = [line.split()[1:] for block in blocks("sh") for line in block.splitlines() if line.startswith("cp ")]
    assert len(copies) == 2
    for source, target in copies:
        shutil.copy(ROOT / source, tmp_path / target)
    sources = [block.replace('"minilm-l6"', f'"{tiny_model}"') for block in blocks("python")]
    sources = [block.replace("epochs=1,", f"epochs=1, model={tiny_model!r},") for block in sources]
    assert sum(tiny_model in block for block in sources) == 2
    cells = [nbformat.v4.new_code_cell(source.rstrip()) for source in sources]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    demo.execute(notebook, tmp_path, demo.Teller(sys.stdout))  # raises where a cell fails
    shown = {source: cell.outputs for source, cell in zip(sources, cells, strict=True)}
    assert all(outputs for source, outputs in shown.items() if not source.startswith("%load_ext"))
    assert {run.name for run in (tmp_path / "nbtune_runs").iterdir()} == {"desk", "desk-lora"}


def test_every_setting_it_names_exists() -> None:
    from nbtune.running.spec import RunSpec

    named = re.findall(r"^(\w+) = ", "".join(blocks("python")), re.MULTILINE)
    tables = re.findall(r"`(\w+)(?: = [^`]+)?`", PAGE.read_text(encoding="utf-8").split("When something", 1)[1])
    settings = {name for name in (*named, *tables) if "_" in name or name in ("epochs", "lora", "accumulate")}
    unknown = settings - set(RunSpec.model_fields) - {"runs_dir"}
    assert not unknown
