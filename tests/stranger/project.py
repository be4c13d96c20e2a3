"""Builds and installs projects that are not nbtune's, as their authors and users would; without a network."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "plugins.md"
_FILE = re.compile(r"^File `(?P<path>[^`]+)`.*?\n```\w+\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


def guide_files() -> dict[str, str]:
    """The files of the project that docs/plugins.md builds: path -> text."""
    return {found["path"]: found["text"] for found in _FILE.finditer(GUIDE.read_text(encoding="utf-8"))}


def small_project(name: str, code: str) -> dict[str, str]:
    """A distribution of one module, whose entry point has the distribution's name."""
    module = name.replace("-", "_")
    return {
        f"{module}.py": code,
        "pyproject.toml": f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "0.3"
[project.entry-points.nbtune]
{name} = "{module}"
[tool.hatch.build.targets.wheel]
include = ["{module}.py"]
""",
    }


def build_wheel(files: Mapping[str, str], folder: Path) -> Path:
    """Write a project and build its wheel."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    run_python(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(folder))
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


class Environment:
    """A virtual environment of its own, which sees the packages installed beside this interpreter."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        (packages,) = folder.glob("lib/python*/site-packages")
        # addsitedir also reads the .pth files there, by which an editable nbtune is found
        seen = "".join(f"site.addsitedir({path!r});" for path in site.getsitepackages())
        (packages / "beside.pth").write_text(f"import site;{seen}\n", encoding="utf-8")

    def install(self, *wheels: Path) -> None:
        pip = ("-m", "pip", "--python", str(self.python), "--disable-pip-version-check", "install", "--quiet")
        run_python(sys.executable, *pip, "--no-index", "--no-deps", "--no-compile", *map(str, wheels))

    def run(self, code: str, *, folder: Path, **variables: str) -> str:
        """What a fresh process of this environment prints."""
        return run_python(str(self.python), "-c", code, folder=folder, **variables)


def run_python(*command: str, folder: Path | None = None, **variables: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    limits = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, cwd=folder, env={**clean, **limits, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command[:4])} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout
