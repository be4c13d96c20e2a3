"""What importing costs: no torch before something is trained, and no notebook for those who have none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "pandas", "datasets", "sklearn", "scipy", "IPython", "ipywidgets")


def loaded_after(code: str) -> set[str]:
    """Which of the heavy modules a fresh interpreter holds after running `code`."""
    check = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import nbtune",
        "import nbtune.api",
        "import nbtune_ner, nbtune_classification, nbtune_sentiment, nbtune_recommendation",
        "from nbtune.tasks.registry import registry; assert len(registry().tasks) >= 4",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    assert loaded_after(code) == set()


def test_training_needs_no_ipython() -> None:
    block = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("IPython", "ipywidgets", "ipykernel"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import nbtune.running.launch, nbtune.running.runner, nbtune.training.loop, nbtune.facade
assert nbtune.facade._display() == []
"""
    assert "IPython" not in loaded_after(block)


def test_public_names_are_all_there() -> None:
    code = "import nbtune\nfor name in nbtune.__all__: getattr(nbtune, name)\nimport nbtune.api\n"
    code += "for name in nbtune.api.__all__: getattr(nbtune.api, name)"
    assert "torch" in loaded_after(code)


def test_the_function_that_lists_runs_is_not_hidden_by_a_module() -> None:
    assert loaded_after("import nbtune, nbtune.running.run\nassert callable(nbtune.runs)\nnbtune.runs()") >= {"pandas"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "10000"),
        ({"GOMP_SPINCOUNT": "500"}, "500"),
        ({"OMP_WAIT_POLICY": "active"}, "None"),
        ({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "7"}, "7"),
    ],
)
def test_threads_spin_shortly_unless_the_user_says_how_they_wait(given: dict[str, str], expected: str) -> None:
    own = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import nbtune, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**own, **given}
    )
    assert done.stdout.strip() == expected
