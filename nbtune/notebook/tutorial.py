"""`%nbtune tutorial`: the notebooks that come with nbtune, copied to where they can be run and changed."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nbtune.drawing import markdown_table, panel, shorten, table, tag, text_table
from nbtune.errors import SpecError
from nbtune.notebook.picture import Picture

FIRST = "quickstart"
_ORDER = (FIRST, "classification", "sentiment", "ner", "recommendation", "trust", "plugin", "quickstart.zh-CN")
_PLACES = (Path(__file__).parents[1] / "notebooks", Path(__file__).parents[2] / "notebooks")
"""In an installed package, and in a checkout of the repository."""

Fate = Literal["copied", "there already", "kept"]
_WORDS: dict[Fate, str] = {
    "copied": "copied",
    "there already": "there already",
    "kept": "yours differs and is kept",
}


@dataclass(frozen=True, slots=True)
class Copy:
    """A notebook of the tutorial: where it lies now, its title, and what happened to it."""

    path: Path
    title: str
    fate: Fate


def copy(folder: str | Path = ".") -> list[Copy]:
    """Copy the notebooks to `folder`, which is made if need be. What is there already is never written over.

    Raises:
        SpecError: the folder cannot be written.
    """
    place = Path(folder).expanduser()
    try:
        place.mkdir(parents=True, exist_ok=True)
        return [_copy(source, place / source.name) for source in shipped()]
    except OSError as error:
        reason = error.strerror or str(error)
        raise SpecError(
            f"the notebooks cannot be copied to {str(folder)!r}: {reason}",
            "name another folder: %nbtune tutorial FOLDER",
        ) from None


def shipped() -> list[Path]:
    """The notebooks that came with nbtune, in the order in which to read them."""
    found = next((place for place in _PLACES if (place / f"{FIRST}.ipynb").is_file()), None)
    if found is None:
        raise SpecError("this installation of nbtune came without its notebooks", "install nbtune again")
    return [path for name in _ORDER if (path := found / f"{name}.ipynb").is_file()]


def picture(copies: Sequence[Copy]) -> Picture:
    """Which file to open, and what became of each."""
    first = next(each for each in copies if each.path.stem == FIRST)
    said = f"open {first.path} and run its cells from top to bottom"
    kept = [each.path.name for each in copies if each.fate == "kept"]
    note = ""
    if kept:
        note = f"not written over: {', '.join(kept)}. %nbtune tutorial FOLDER copies the originals elsewhere"
    columns = ("notebook", "what it is about", "")
    rows = [(each.path.name, each.title, _WORDS[each.fate]) for each in copies]
    return Picture(
        html=panel(tag("div", said, css="nbtune-title"), table(columns, rows), tag("div", note) if note else ""),
        markdown="\n\n".join(filter(None, [f"**{said}**", markdown_table(columns, rows), note])),
        text="\n".join(filter(None, [said, "", text_table(columns, rows), note])),
    )


def _copy(source: Path, target: Path) -> Copy:
    content = source.read_bytes()
    fate: Fate = "copied"
    try:
        with open(target, "xb") as file:
            file.write(content)
        _trust(content)
    except FileExistsError:
        fate = "there already" if target.read_bytes() == content else "kept"
    return Copy(target, _title(content), fate)


def _trust(content: bytes) -> None:
    """As `jupyter trust`: from outputs that were made on another machine Jupyter strips styles and curves. These came
    with nbtune, whose code runs here anyway; a copy with any change is another notebook to Jupyter."""
    try:
        import nbformat
        from nbformat.sign import NotebookNotary
    except ImportError:  # no Jupyter here to ask for it
        return
    with contextlib.suppress(OSError, sqlite3.Error):  # a home that cannot be written: then without
        NotebookNotary().sign(nbformat.reads(content.decode(), as_version=4))  # type: ignore[no-untyped-call]


def _title(content: bytes) -> str:
    """The first heading of a notebook."""
    cells = json.loads(content)["cells"]
    lines = (line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).splitlines())
    return shorten(next((line.lstrip("# ") for line in lines if line.startswith("# ")), ""), 80)
