"""Write requirements.txt and torch.txt beside this file: what the notebooks need, in the versions of requirements.lock.

`python binder/pins.py`, in an environment that was installed from the lock: what needs what is read from it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
UV = "uv==0.13.9"
"""Only there to install torch; no part of the lock."""
SERVER = ("ipykernel", "notebook")
"""Beside the extra `lab`: repo2docker's own notebook would meet a JupyterLab that it does not fit."""
LEFT_OUT = {"sentence-transformers", "setuptools"}
"""The package of the model asks for the former, of which nbtune needs nothing; every environment has the latter."""


def files() -> dict[str, str]:
    """What each of the two files must hold."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [Requirement(each) for each in (*project["dependencies"], *extras["lab"], *extras["offline"], *SERVER)]
    needed = _needed(asked)
    model = {canonicalize_name(Requirement(each).name) for each in extras["offline"]}
    torch = {name for name in needed if name == "torch" or name in model or "torch" in _direct(name, {""})}
    lock = _lock()
    return {
        "requirements.txt": _lines([*(lock[name] for name in needed - torch), UV]),
        "torch.txt": _lines(lock[name] for name in torch),
    }


def _needed(asked: Iterable[Requirement]) -> set[str]:
    """The canonical names of what is asked for and of all that it needs in turn."""
    extras: dict[str, set[str]] = {}
    todo: list[tuple[str, set[str]]] = [(canonicalize_name(each.name), {"", *each.extras}) for each in asked]
    while todo:
        name, wanted = todo.pop()
        if name in LEFT_OUT or wanted <= extras.get(name, set()):
            continue
        extras[name] = extras.get(name, set()) | wanted
        todo += [(each, {"", *more}) for each, more in _direct(name, extras[name]).items()]
    return set(extras)


def _direct(name: str, extras: set[str]) -> dict[str, set[str]]:
    """What a package itself needs here, with the extras it asks for."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        raise SystemExit(f"{name} is not installed; build the environment from requirements.lock first") from None
    found: dict[str, set[str]] = {}
    for each in map(Requirement, lines):
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
            found.setdefault(canonicalize_name(each.name), set()).update(each.extras)
    return found


def _lock() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(line.split("==")[0]): line.strip() for line in lines if "==" in line}


def _lines(pins: Iterable[str]) -> str:
    return "".join(f"{pin}\n" for pin in sorted(pins, key=str.lower))


if __name__ == "__main__":
    for name, content in files().items():
        (ROOT / "binder" / name).write_text(content, encoding="utf-8")
