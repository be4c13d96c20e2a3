"""One wheel holds the product: the core, the four plugins and their samples."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next(out.glob("nbtune-*.whl")))


def test_the_wheel_holds_the_core_and_the_plugins_side_by_side(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for package in ("nbtune", "nbtune_ner", "nbtune_classification", "nbtune_sentiment", "nbtune_recommendation"):
        assert f"{package}/__init__.py" in names
    assert "nbtune/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "plugins/", "benchmarks/"))]


def test_samples_travel_with_their_plugin(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for path in sorted((ROOT / "plugins").glob("*/samples/*")):
        assert str(path.relative_to(ROOT / "plugins")) in names


def test_the_notebooks_of_the_tutorial_are_in_the_wheel_and_nothing_beside_them(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if name.startswith("nbtune/notebooks/")}
    written = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert inside == {f"nbtune/notebooks/{path.name}" for path in written}
    assert all(wheel.read(f"nbtune/notebooks/{path.name}") == path.read_bytes() for path in written)


def test_the_live_chart_travels_with_its_licence(wheel: zipfile.ZipFile) -> None:
    for path in sorted((ROOT / "nbtune" / "notebook" / "static").iterdir()):
        assert wheel.read(f"nbtune/notebook/static/{path.name}") == path.read_bytes()
    assert b"MIT License" in wheel.read("nbtune/notebook/static/uPlot.LICENSE")


def test_the_files_of_uplot_are_those_that_are_noted(wheel: zipfile.ZipFile) -> None:
    noted = wheel.read("nbtune/notebook/static/uPlot.README.md").decode()
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        digest = hashlib.sha256(wheel.read(f"nbtune/notebook/static/{name}")).hexdigest()
        assert f"| {name} | {digest} |" in noted


def test_the_entry_points_are_declared(wheel: zipfile.ZipFile) -> None:
    entry_points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    declared = wheel.read(entry_points).decode()
    assert "[nbtune]" in declared
    for task in ("ner", "classification", "sentiment", "recommendation"):
        assert f"{task} = nbtune_{task}" in declared


def test_the_licence_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    assert [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
