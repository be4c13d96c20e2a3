"""`%nbtune tutorial` brings the notebooks without network, and never writes over what somebody changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from nbtune.errors import SpecError
from nbtune.notebook import tutorial

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(autouse=True)
def signatures(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what Jupyter is told to trust out of the user's own store."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path_factory.mktemp("jupyter")))


def trusted(path: Path) -> bool:
    return bool(NotebookNotary().check_signature(nbformat.read(path, as_version=4)))  # type: ignore[no-untyped-call]


def test_jupyter_trusts_what_was_copied_and_nothing_that_was_changed(tmp_path: Path) -> None:
    path = tutorial.copy(tmp_path)[0].path
    assert trusted(path)
    path.write_text(path.read_text(encoding="utf-8").replace("%load_ext nbtune", "1 + 1"), encoding="utf-8")
    tutorial.copy(tmp_path)
    assert not trusted(path)


def fates(copies: list[tutorial.Copy]) -> set[str]:
    return {each.fate for each in copies}


def test_every_notebook_is_copied_the_first_to_open_first(tmp_path: Path) -> None:
    copies = tutorial.copy(tmp_path / "new" / "lessons")
    assert fates(copies) == {"copied"}
    assert {each.path.name for each in copies} == {path.name for path in NOTEBOOKS.glob("*.ipynb")}
    assert copies[0].path.name == "quickstart.ipynb"
    for each in copies:
        nbformat.validate(nbformat.read(each.path, as_version=4))  # type: ignore[no-untyped-call]
        assert each.title
        assert each.path.read_bytes() == (NOTEBOOKS / each.path.name).read_bytes()


def test_a_changed_copy_is_kept_and_that_is_said(tmp_path: Path) -> None:
    tutorial.copy(tmp_path)
    mine = tmp_path / "ner.ipynb"
    mine.write_text("my own work", encoding="utf-8")
    (tmp_path / "trust.ipynb").unlink()
    copies = tutorial.copy(tmp_path)
    assert mine.read_text(encoding="utf-8") == "my own work"
    assert {each.path.stem: each.fate for each in copies} == {
        **{path.stem: "there already" for path in NOTEBOOKS.glob("*.ipynb")},
        "ner": "kept",
        "trust": "copied",
    }
    shown = tutorial.picture(copies)
    for drawn in (shown.html, shown.markdown, shown.text):
        assert "not written over: ner.ipynb" in drawn
    assert "not written over" not in tutorial.picture(tutorial.copy(tmp_path / "other")).text


def test_the_verb_says_which_file_to_open(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = shell.run_cell("%nbtune tutorial").result
    assert shown.text.startswith("open quickstart.ipynb and run its cells")
    assert (tmp_path / "quickstart.ipynb").is_file()
    assert "open lessons/quickstart.ipynb" in shell.run_cell("%nbtune tutorial lessons").result.text


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SpecError, match=r"cannot be copied to .*file/lessons"):
        tutorial.copy(blocked / "lessons")


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "site-packages" / "nbtune" / "notebooks"
    shutil.copytree(NOTEBOOKS, inside, ignore=lambda _, names: [name for name in names if not name.endswith(".ipynb")])
    monkeypatch.setattr(tutorial, "_PLACES", (inside, tmp_path / "missing"))
    assert all(path.parent == inside for path in tutorial.shipped())
    monkeypatch.setattr(tutorial, "_PLACES", (tmp_path / "missing",))
    with pytest.raises(SpecError, match="without its notebooks"):
        tutorial.shipped()
