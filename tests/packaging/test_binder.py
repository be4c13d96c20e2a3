"""binder/: in step with the lock, built in the order that repo2docker has, and measured by a check that can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"
GRANDCHILD = "held = bytearray(b'x') * 200_000_000; print('held', flush=True); input()"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Binder's machines run Linux")


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BINDER))


@pytest.fixture
def memory(on_path: None) -> ModuleType:
    import memory

    return memory


@pytest.fixture
def opening(on_path: None) -> ModuleType:
    import opening

    return opening


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """A process whose child holds 200 MB."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate("\n")


def pinned(name: str) -> list[str]:
    return (BINDER / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.skipif(
    f"python-{sys.version_info[0]}.{sys.version_info[1]}" != (BINDER / "runtime.txt").read_text().strip(),
    reason="another Python needs other packages",
)
def test_the_versions_are_those_of_the_lock_for_all_that_is_needed_and_nothing_else(on_path: None) -> None:
    import pins

    for name, content in pins.files().items():
        assert (BINDER / name).read_text(encoding="utf-8") == content, f"run python binder/pins.py: {name} is behind"


def test_no_tool_of_the_developers_is_installed() -> None:
    names = {line.split("==")[0] for line in pinned("requirements.txt") + pinned("torch.txt")}
    assert not names & {"pytest", "ruff", "mypy", "playwright", "import-linter", "pandas-stubs", "build"}
    assert {"jupyterlab", "notebook", "ipykernel", "ipywidgets", "torch", "transformers"} <= names


def test_what_is_installed_before_the_repository_is_there_names_nothing_in_it() -> None:
    for line in pinned("requirements.txt"):  # -e, -r, -c and paths switch the caching of layers off
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line


def test_pip_never_meets_a_package_that_would_bring_the_default_torch_along() -> None:
    for name in (line.split("==")[0] for line in pinned("requirements.txt") if not line.startswith("uv==")):
        needs = [each for each in map(Requirement, requires(name) or []) if each.name == "torch"]
        assert not [each for each in needs if each.marker is None or each.marker.evaluate({"extra": ""})], name
    assert "torch" not in {line.split("==")[0] for line in pinned("requirements.txt")}


@pytest.mark.parametrize("name", ["start", "postBuild"])
def test_a_script_can_be_run_and_reads_as_bash(name: str) -> None:
    assert os.access(BINDER / name, os.X_OK)
    assert subprocess.run(["bash", "-n", BINDER / name], check=False).returncode == 0


def start(*command: str, **variables: str) -> tuple[int, str]:
    """Run a command through binder/start: the number of the process that began, and what it printed."""
    surroundings = {"PATH": os.environ["PATH"], **variables}
    with subprocess.Popen([BINDER / "start", *command], env=surroundings, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return process.pid, out


def test_the_pods_command_takes_the_place_of_start_and_keeps_its_arguments() -> None:
    pid, out = start("bash", "-c", 'echo $$; printf "%s|" "$@"', "name", "two words", "*")
    assert out == f"{pid}\ntwo words|*|"


def test_start_keeps_to_one_thread_and_off_the_network() -> None:
    _, out = start("env")
    assert {"OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1", "HF_HUB_OFFLINE=1", "HF_DATASETS_OFFLINE=1"} <= set(out.split())


def test_a_larger_pod_may_say_otherwise() -> None:
    _, out = start("env", OMP_NUM_THREADS="4", HF_HUB_OFFLINE="0")
    assert {"OMP_NUM_THREADS=4", "HF_HUB_OFFLINE=0"} <= set(out.split())


def test_memory_is_that_of_the_whole_tree(memory: ModuleType, holder: subprocess.Popen[str]) -> None:
    watch = memory.MemoryWatch(holder.pid, 1e9)
    watch.doing = "holding"
    watch.sample()
    assert 200e6 < watch.peak_pss <= watch.peak_marks < 300e6
    assert watch.during == "holding"
    assert not watch.exceeded
    assert holder.poll() is None


def test_a_tree_above_the_limit_is_ended(memory: ModuleType, holder: subprocess.Popen[str]) -> None:
    watch = memory.MemoryWatch(holder.pid, 100e6)
    watch.start()
    holder.wait(60)
    watch.stop()
    assert watch.exceeded
    assert holder.returncode < 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"loss": 61.0}, "the first loss came after 61 s, and 60 s is the limit"),
        ({"loss": None}, "no training ever showed a loss"),
        ({"failure": "'%finetune': RunError: no"}, "'%finetune': RunError: no"),
        ({"cells": [("%evaluate x", 121.0)]}, "%evaluate x took 121 s of its core, and 120 s is the limit"),
    ],
)
def test_every_limit_that_is_broken_is_said(
    opening: ModuleType, memory: ModuleType, changes: dict[str, object], words: str | None
) -> None:
    opened = opening.Opened(server=1.0, kernel=2.0, picture=10.0, loss=20.0, report=90.0)
    for name, value in changes.items():
        setattr(opened, name, value)
    watch = memory.MemoryWatch(os.getpid(), 2e9)
    assert list(opening.broken_limits(opened, watch, memory=2e9, first=60.0, cell=120.0)) == ([words] if words else [])


def test_too_much_memory_is_said_with_the_cell_it_was_in(opening: ModuleType, memory: ModuleType) -> None:
    watch = memory.MemoryWatch(os.getpid(), 2e9)
    watch.exceeded, watch.peak_marks, watch.during = True, 2_300_000_000, "'%evaluate x'"
    said = list(opening.broken_limits(opening.Opened(failure="lost"), watch, memory=2e9, first=60.0, cell=120.0))
    assert said == ["2.30 GB of memory in '%evaluate x', and 2.00 GB is the limit"]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_badge_opens_a_notebook_that_is_here(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.search(r"^\[!\[.+\]\(https://mybinder\.org/badge_logo\.svg\)\]\[binder\]$", text, re.MULTILINE)
    link = r"^\[binder\]: https://mybinder\.org/v2/gh/[\w-]+/[\w-]+/HEAD\?urlpath=lab/tree/(\S+)$"
    opened = re.findall(link, text, re.MULTILINE)
    assert len(opened) == 1
    assert (ROOT / opened[0]).is_file()
