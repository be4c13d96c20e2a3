"""The plugin of docs/plugins.md as a stranger's: built as a wheel, installed elsewhere, found, checked, trained."""

from __future__ import annotations

import inspect
import json
import os
import re
import site
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from nbtune.tasks import hookspecs
from nbtune.tasks.head import Head
from nbtune.tasks.task import Task

GUIDE = Path(__file__).parents[2] / "docs" / "plugins.md"
_FILE = re.compile(r"^File `(?P<path>[^`]+)`.*?\n```\w+\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)

BROKEN = {
    "nbtune-cracked": "import a_module_that_nobody_has\n",
    "nbtune-copycat": """
from nbtune.api import hookimpl
from nbtune_wording.task import Wording

class Copycat(Wording):
    name = "ner"

@hookimpl
def nbtune_tasks():
    return [Copycat()]
""",
    "nbtune-dreamer": """
from nbtune.api import hookimpl

@hookimpl
def nbtune_task():
    return []
""",
}


def guide_files() -> dict[str, str]:
    return {found["path"]: found["text"] for found in _FILE.finditer(GUIDE.read_text(encoding="utf-8"))}


def small_project(name: str, code: str) -> dict[str, str]:
    """A distribution of one module, named as its entry point."""
    module = name.replace("-", "_")
    settings = f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "0.3"
[project.entry-points.nbtune]
{module} = "{module}"
[tool.hatch.build.targets.wheel]
include = ["{module}.py"]
"""
    return {f"{module}.py": code, "pyproject.toml": settings}


def build_wheel(files: Mapping[str, str], folder: Path) -> Path:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(folder))
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def python(*arguments: str, program: str = sys.executable, folder: Path | None = None, **variables: str) -> str:
    """What a fresh process prints; it sees none of this one's Python settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env = {**kept, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **variables}
    done = subprocess.run([program, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(arguments[:3])} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the guide's project, with its wheel under dist/."""
    folder = tmp_path_factory.mktemp("nbtune-wording")
    build_wheel(guide_files(), folder)
    return folder


@pytest.fixture(scope="module")
def environment(project: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with the guide's wheel and the broken ones, and with nbtune as it is here."""
    folder = tmp_path_factory.mktemp("elsewhere")
    wheels = [next((project / "dist").glob("*.whl"))]
    wheels += [build_wheel(small_project(name, code), folder / name) for name, code in BROKEN.items()]
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    program = folder / "venv" / "bin" / "python"
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    # torch and nbtune stay where they are; addsitedir also reads the .pth files there, an editable nbtune's among them
    beside = "".join(f"site.addsitedir({path!r});" for path in site.getsitepackages())
    (packages / "beside.pth").write_text(f"import site;{beside}\n", encoding="utf-8")
    pip = ("-m", "pip", "--python", str(program), "--disable-pip-version-check", "install", "--quiet")
    python(*pip, "--no-index", "--no-deps", "--no-compile", *map(str, wheels))
    return str(program)


def test_the_wheel_is_found_by_its_entry_point_and_broken_ones_are_named_and_harm_nothing(
    environment: str, tmp_path: Path
) -> None:
    code = """
import json
from nbtune.tasks.registry import registry
found = registry()
tasks = {name: [each.distribution, each.version] for name, each in found.tasks.items()}
print(json.dumps([tasks, {failure.distribution: failure.reason for failure in found.failures}]))
"""
    tasks, failures = json.loads(python("-c", code, program=environment, folder=tmp_path))
    assert tasks["wording"] == ["nbtune-wording", "1.0"]
    assert {"ner", "classification", "sentiment", "recommendation"} < tasks.keys()
    assert tasks["ner"][0] == "nbtune"
    assert failures == {
        "nbtune-cracked": "ModuleNotFoundError: No module named 'a_module_that_nobody_has'",
        "nbtune-copycat": "the task name 'ner' is already taken by nbtune",
        "nbtune-dreamer": "unknown hook nbtune_task; did you mean 'nbtune_tasks'?",
    }


def test_the_strangers_own_test_passes_where_it_is_installed(environment: str, project: Path) -> None:
    said = python("-m", "pytest", "-q", "-s", "tests", program=environment, folder=project)
    assert "wording: declaration, reading, head, metrics, showing, training, panels kept the contract" in said


def test_the_guides_cells_train_score_and_predict(environment: str, tiny_model: str, tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    section = text[text.index("## 6.") : text.index("## 7.")]
    cells = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert len(cells) == 3
    cells[1] += f"model = {json.dumps(tiny_model)}\n"  # the embedded one would do, in ten times the time
    code = f"""
import json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in {cells!r}:
    shell.run_cell(cell).raise_error()
run = shell.user_ns["run"]
report = run.evaluate("sample:wording")
table = run.predict([{{"first": "Notice", "second": "Why?"}}, {{"first": "Why?", "second": "Notice"}}])
diary = (run.folder / "diary.txt").read_text()
gain = report.metrics["gain"]
print("\\n" + json.dumps({{
    "status": run.status, "options": run.spec.options, "gain": [gain.low, gain.value, gain.high],
    "baselines": list(report.baselines), "leads": table["lead"].tolist(), "diary": diary.splitlines(),
}}))
"""
    printed = python("-c", code, program=environment, folder=tmp_path, NBTUNE_RUNS_DIR=str(tmp_path / "runs"))
    told = json.loads(printed.strip().splitlines()[-1])
    assert told["status"] == "finished"
    assert told["options"] == {"margin": 0.02}
    low, gain, high = told["gain"]
    assert -1 <= low <= gain <= high <= 1
    assert told["baselines"] == ["TF-IDF + ridge regression", "before fine-tuning"]
    one, other = told["leads"]
    assert one == pytest.approx(-other, abs=1e-5)  # whichever stands first
    assert [line.split(":")[0] for line in told["diary"]] == ["step 3", "step 6"]


def test_the_exact_signature_of_every_hook_stands_in_the_guide() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    hooks = [function for name, function in vars(hookspecs).items() if name.startswith("nbtune_")]
    assert len(hooks) >= 2
    for hook in hooks:
        signature = f"{hook.__name__}{inspect.signature(hook)}".replace("'", "")
        assert f"`{signature}`" in guide


@pytest.mark.parametrize("kind", [Task, Head])
def test_every_member_of_the_contract_stands_in_the_guide(kind: type) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    names = {name for name in (*vars(kind), *kind.__annotations__) if not name.startswith("_")}
    missing = sorted(name for name in names if not re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", guide))
    assert not missing


def test_the_guides_code_fits_on_a_few_screens() -> None:
    files = [
        text for path, text in guide_files().items() if path.startswith("nbtune_wording/") and path.endswith(".py")
    ]
    lines = [line for text in files for line in text.splitlines() if line.strip()]
    assert len(lines) < 150
