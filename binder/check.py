"""Build binder/ as repo2docker would, but in a folder, and open the quickstart in it (`make binder-check`).

The order is repo2docker's: requirements.txt, before any other file of the repository is there; then the repository;
then postBuild. The rest is in opening.py, in a network namespace of its own where the system allows one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

BINDER = Path(__file__).resolve().parent
ROOT = BINDER.parent
_CARRIED = ("PIP_", "UV_", "SSL_", "REQUESTS_CA_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""How names of variables begin that say where packages come from on this machine."""
_NAMESPACES = (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status. What it does not know goes to opening.py."""
    parser = argparse.ArgumentParser(description="Build from binder/ alone and open the quickstart as on Binder.")
    parser.add_argument("--folder", type=Path, help="build here and leave it, instead of in a temporary folder")
    chosen, rest = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory(prefix="binder-") as temporary:
        folder = chosen.folder or Path(temporary)
        build(folder)
        return subprocess.run(
            [*_without_network(), sys.executable, BINDER / "opening.py", folder / "env", folder / "home", *rest],
            check=False,
        ).returncode


def build(folder: Path) -> None:
    """The environment `folder/env` and the pod's home, `folder/home`, a copy of the repository."""
    home, environment = folder / "home", folder / "env"
    (home / "binder").mkdir(parents=True)
    surroundings = _surroundings(environment, home)

    def step(name: str, *command: str | Path) -> None:
        began = time.monotonic()
        done = subprocess.run(command, cwd=home, env=surroundings, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed with exit status {done.returncode}")
        print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)

    step("a clean environment", _python(), "-m", "venv", environment)
    shutil.copy2(BINDER / "requirements.txt", home / "binder")
    step("requirements.txt", environment / "bin" / "pip", "install", "--quiet", "-r", "binder/requirements.txt")
    _copy_repository(home)
    step("postBuild", "./binder/postBuild")


def _copy_repository(home: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if (ROOT / name).is_file():  # one that was deleted is still listed
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, home / name)


def _surroundings(environment: Path, home: Path) -> dict[str, str]:
    """The variables of the build: nothing of ours but where packages come from."""
    carried = {name: value for name, value in os.environ.items() if name.upper().startswith(_CARRIED)}
    if "PIP_FIND_LINKS" in carried:  # torch lies on this machine's disk: uv is not to look elsewhere for it
        carried |= {"UV_FIND_LINKS": carried["PIP_FIND_LINKS"].replace(" ", ","), "UV_OFFLINE": "1"}
    path = f"{environment.resolve() / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    return {**carried, "PATH": path, "HOME": str(home.resolve()), "LANG": "C.UTF-8"}


def _python() -> str:
    """The Python that runtime.txt asks for."""
    wanted = (BINDER / "runtime.txt").read_text(encoding="ascii").strip().removeprefix("python-")
    if wanted == ".".join(map(str, sys.version_info[:2])):
        return sys.executable
    found = shutil.which(f"python{wanted}")
    if found is None:
        raise SystemExit(f"binder/runtime.txt asks for Python {wanted}, which is not here")
    return found


def _without_network() -> list[str]:
    """A command's beginning that gives it a network of its own, with nobody in it; empty where that is not allowed."""
    for command in _NAMESPACES:
        if (
            shutil.which(command[0])
            and not subprocess.run([*command, "true"], capture_output=True, check=False).returncode
        ):
            return list(command)
    return []


if __name__ == "__main__":
    sys.exit(main())
