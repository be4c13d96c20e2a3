"""Loading, unloading, reloading and configuring the extension."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

MAGICS = {"line": {"finetune", "evaluate", "predict", "nbtune"}, "cell": {"finetune", "predict"}}


def footprint(shell: Any) -> dict[str, Any]:
    manager: Any = shell.magics_manager
    manager.lsmagic_docs()  # newer shells load their own magics only when they are looked at
    return {
        "line": set(manager.magics["line"]),
        "cell": set(manager.magics["cell"]),
        "classes": set(manager.registry),
        "configurables": len(shell.configurables),
        "transformers": list(shell.input_transformers_cleanup),
        "matchers": list(shell.Completer.custom_matchers),
        "attributes": {name for name in vars(shell) if "nbtune" in name},
        "environment": os.environ.get("NBTUNE_RUNS_DIR"),
    }


def test_loading_adds_the_magics_and_nothing_else_by_these_names(bare_shell: Any) -> None:
    before = footprint(bare_shell)
    bare_shell.run_line_magic("load_ext", "nbtune")
    after = footprint(bare_shell)
    for kind, names in MAGICS.items():
        assert after[kind] - before[kind] == names
    assert after["configurables"] == before["configurables"] + 1


def test_unloading_removes_all_that_loading_added(bare_shell: Any) -> None:
    before = footprint(bare_shell)
    bare_shell.run_line_magic("load_ext", "nbtune")
    bare_shell.run_line_magic("config", "Nbtune.runs_dir = '/elsewhere'")
    bare_shell.run_line_magic("unload_ext", "nbtune")
    assert footprint(bare_shell) == before


def test_loading_twice_and_reloading_leave_one_of_each(shell: Any) -> None:
    before = footprint(shell)
    shell.run_line_magic("load_ext", "nbtune")
    shell.run_line_magic("reload_ext", "nbtune")
    after = footprint(shell)
    assert {key: after[key] for key in ("line", "cell", "classes", "configurables")} == {
        key: before[key] for key in ("line", "cell", "classes", "configurables")
    }
    assert len(after["matchers"]) == len(before["matchers"])
    assert shell.run_cell("%nbtune").success


def test_a_magic_of_the_users_by_the_same_name_survives_unloading(shell: Any) -> None:
    shell.register_magic_function(lambda line: f"mine {line}", "line", "evaluate")
    shell.run_line_magic("unload_ext", "nbtune")
    assert shell.run_line_magic("evaluate", "x") == "mine x"
    del shell.magics_manager.magics["line"]["evaluate"]


def test_settings_are_seen_set_and_checked_by_config(shell: Any, runs_dir: Any) -> None:
    shell.run_line_magic("config", "Nbtune.refresh = 2.0")
    magics = next(each for each in shell.configurables if type(each).__name__ == "Nbtune")
    assert magics.refresh == 2.0
    assert shell.run_cell("%config Nbtune").success
    shell.run_cell("%config Nbtune.refresh = 0.1")
    assert magics.refresh == 2.0
    shell.run_line_magic("config", "Nbtune.runs_dir = '/elsewhere'")
    assert os.environ["NBTUNE_RUNS_DIR"] == "/elsewhere"
    shell.run_line_magic("config", "Nbtune.runs_dir = ''")
    assert os.environ["NBTUNE_RUNS_DIR"] == str(runs_dir)


def test_settings_are_completed_by_config(shell: Any) -> None:
    _, found = shell.complete("Nbtune.", "%config Nbtune.")
    assert {"Nbtune.display", "Nbtune.refresh", "Nbtune.runs_dir"} <= set(found)


def test_loading_is_silent_and_brings_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'nbtune')\n"
        "heavy = {'torch', 'transformers', 'pandas', 'datasets', 'peft', 'sklearn', 'pyarrow', 'scipy', 'ipykernel'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", ["finetune", "evaluate", "predict", "nbtune"])
def test_the_question_mark_shows_usage_and_examples(shell: Any, name: str) -> None:
    doc = shell.find_line_magic(name).__doc__
    assert f"usage: %{name}" in doc
    assert "examples:" in doc


def test_a_cell_magic_without_a_body_is_the_line_magic(shell: Any) -> None:
    for cell in ("%%finetune nre --data x\n", "%%finetune nre --data x", "\n%%finetune nre --data x\n\n"):
        result = shell.run_cell(cell)
        assert type(result.error_in_exec).__name__ == "SpecError"
        assert "there is no task 'nre'" in str(result.error_in_exec)
    assert "run_cell_magic('timeit'" in shell.transform_cell("%%timeit\n")
