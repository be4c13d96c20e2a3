"""`%nbtune doctor` says what is there and what to change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from nbtune.errors import ModelError
from nbtune.notebook import doctor, machine

GB = 2**30


def find(checks: list[doctor.Check], about: str) -> doctor.Check:
    return next(check for check in checks if check.about.startswith(about))


def test_a_healthy_machine_is_ready(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_limit", lambda: (16 * GB, "the machine's memory"))
    monkeypatch.setattr(machine, "memory_free", lambda: 14 * GB)
    checks = doctor.examine()
    assert "torch" in find(checks, "versions").finding
    assert "core" in find(checks, "cores").finding
    assert find(checks, "memory").finding == "16.0 GB (the machine's memory), 14.0 GB free"
    assert find(checks, "model minilm-l6").finding == "installed and intact: works offline"
    assert str(runs_dir) in find(checks, "runs folder").finding
    assert "ner" in find(checks, "tasks").finding


@pytest.mark.parametrize(("limit", "free", "verdict"), [(2, 0.4, "problem"), (2, 1.2, "note"), (4, 3.5, "note")])
def test_little_memory_comes_with_what_fits(
    monkeypatch: pytest.MonkeyPatch, limit: float, free: float, verdict: str
) -> None:
    monkeypatch.setattr(machine, "memory_limit", lambda: (int(limit * GB), "the container's limit"))
    monkeypatch.setattr(machine, "memory_free", lambda: int(free * GB))
    check = find(doctor.examine(), "memory")
    assert check.verdict == verdict
    assert check.advice


def test_too_many_threads_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbtune.training import devices

    monkeypatch.setattr(devices, "cpu_quota", lambda: 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    check = find(doctor.examine(), "cores")
    assert "set OMP_NUM_THREADS=1" in check.advice


def test_a_damaged_model_is_a_problem_and_the_rest_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbtune.tasks import pretrained

    def damaged(name: str) -> Any:
        raise ModelError(f"the weights of {name!r} differ", "reinstall them")

    monkeypatch.setattr(pretrained, "pretrained", damaged)
    checks = doctor.examine()
    check = find(checks, "model")
    assert (check.verdict, check.advice) == ("problem", "reinstall them")
    assert find(checks, "runs folder")
    assert doctor.picture(checks).text.startswith("1 problem to solve")


def test_a_runs_folder_that_cannot_be_written_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NBTUNE_RUNS_DIR", str(blocked / "runs"))
    check = find(doctor.examine(), "runs folder")
    assert check.verdict == "problem"
    assert "NBTUNE_RUNS_DIR" in check.advice


def test_the_picture_is_escaped() -> None:
    picture = doctor.picture([doctor.Check("<b>", "<i>\x1b", "problem", "<u>")])
    assert not [word for word in ("<b>", "<i>", "<u>", "\x1b") if word in picture.html]
    assert "\x1b" not in picture.text


def test_one_core_comes_with_what_is_quick_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbtune.training import devices

    monkeypatch.setattr(devices, "cpu_quota", lambda: 1)
    monkeypatch.delenv("OMP_NUM_THREADS")
    check = find(doctor.examine(), "cores")
    assert check.finding.startswith("1 core")
    assert "freeze = 4" in check.advice


def test_a_package_that_is_too_old_or_missing_is_a_problem_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = ["torch>=99", "no-such-package-of-nbtune>=2", 'left-out>=1; extra == "dev"', "numpy>=1"]
    monkeypatch.setattr(doctor, "requires", lambda _: wanted)
    found = [check for check in doctor.examine() if check.about == "versions" and check.verdict == "problem"]
    assert [check.finding.split(";")[0] for check in found] == [
        "nbtune needs torch>=99",
        "nbtune needs no-such-package-of-nbtune>=2",
    ]
    assert found[0].advice == 'pip install "torch>=99", then restart the kernel'
    assert "it is not installed" in found[1].finding


@pytest.mark.parametrize(
    ("variables", "missing", "said", "verdict"),
    [
        ({}, (), "buttons and the dashboard work", "ok"),
        ({"VSCODE_PID": "7"}, (), "VS Code", "note"),
        ({}, ("jupyterlab_widgets",), "jupyterlab_widgets is missing", "note"),
        ({}, ("jupyterlab", "notebook"), "another environment", "note"),
    ],
)
def test_the_frontend_is_told_with_what_it_cannot_do(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], missing: tuple[str, ...], said: str, verdict: str
) -> None:
    there = doctor._version
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.delenv("VSCODE_PID", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(doctor, "_version", lambda package: "" if package in missing else there(package))
    check = find(doctor.examine(), "frontend")
    assert said in check.finding
    assert check.verdict == verdict
    assert bool(check.advice) == (verdict != "ok")


def test_a_terminal_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    check = find(doctor.examine(), "frontend")
    assert (check.finding, check.verdict) == ("a terminal: runs are shown as text", "note")
