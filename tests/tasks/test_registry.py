"""Plugins are found by their entry points alone; what they get wrong is named and harms nobody else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nbtune
from nbtune.api import Column, Task
from nbtune.control import Control
from nbtune.errors import PluginError, SpecError
from nbtune.tasks.registry import Failure, Registry, registry

Install = Callable[..., Registry]

TASK = """
from nbtune.api import Column, Task, hookimpl

class Plain(Task):
    name = "{name}"
    summary = "a task that is only listed"
    headline = "hits"
    columns = (Column("text", "text"),)
    def read(self, table, columns, part): ...
    def head(self, base, inventory, recipe): ...
    def metrics(self, inventory): ...

@hookimpl
def nbtune_tasks():
    return [{given}]
"""


def plugin(name: str, given: str = "Plain()") -> str:
    return TASK.format(name=name, given=given)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Lay out distributions as pip does (module and metadata, distribution -> code); gives the registry of them all."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def made(**codes: str) -> Registry:
        for name, code in codes.items():
            monkeypatch.delitem(sys.modules, name, raising=False)
            (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
            facts = tmp_path / f"{name}-2.1.dist-info"
            facts.mkdir()
            (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n", encoding="utf-8")
            (facts / "entry_points.txt").write_text(f"[nbtune]\n{name}_door = {name}\n", encoding="utf-8")
        points = [point for each in distributions(path=[str(tmp_path)]) for point in each.entry_points]
        return Registry(point for point in points if point.group == "nbtune")

    return made


def reasons(found: Registry) -> dict[str, str]:
    return {failure.distribution: failure.reason for failure in found.failures}


def test_the_built_in_tasks_are_found_by_the_entry_points_of_this_environment() -> None:
    tasks = registry().tasks
    assert {"ner", "classification", "sentiment", "recommendation"} <= tasks.keys()
    assert tasks["ner"].distribution == "nbtune"
    assert tasks["ner"].version
    assert not [failure for failure in registry().failures if failure.distribution == "nbtune"]


def test_listing_the_tasks_brings_no_torch() -> None:
    code = "import sys; from nbtune.tasks.registry import registry; registry().tasks; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_task_is_listed_with_its_distribution_and_version(install: Install) -> None:
    found = install(reg_good=plugin("good"))
    assert found.failures == []
    assert (found.tasks["good"].distribution, found.tasks["good"].version) == ("reg_good", "2.1")
    assert found.task("good").summary == "a task that is only listed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("def broken(:", "SyntaxError: "),
        ("raise SystemExit('no licence')", "SystemExit: no licence"),
        ("value = 1", "reg_bad brings no hook; is @hookimpl above nbtune_tasks?"),
        (plugin("x").replace("nbtune_tasks", "nbtune_taks"), "unknown hook nbtune_taks; did you mean 'nbtune_tasks'?"),
        (plugin("x").replace("nbtune_tasks()", "nbtune_tasks(shell)"), "Argument(s) {'shell'} are declared"),
        (plugin("x", "1 / 0"), "nbtune_tasks raised ZeroDivisionError: division by zero"),
        (plugin("x").replace("[Plain()]", "Plain()"), "nbtune_tasks raised TypeError: 'Plain' object is not iterable"),
        (plugin("x", "Plain"), "nbtune_tasks gave the class Plain; it must be an instance, Plain()"),
        (plugin("x", "'ner'"), "nbtune_tasks gave a str instead of an nbtune.api.Task"),
        (plugin("x").replace('    headline = "hits"\n', ""), "the task Plain has no headline"),
        (plugin("x").replace("    def read(self, table, columns, part): ...\n", ""), "abstract method"),
    ],
)
def test_a_broken_plugin_is_named_with_its_reason_and_the_others_load(code: str, said: str, install: Install) -> None:
    found = install(reg_bad=code, reg_good=plugin("good"))
    assert list(found.tasks) == ["good"]
    (failure,) = found.failures
    assert (failure.plugin, failure.distribution) == ("reg_bad_door", "reg_bad")
    assert said in failure.reason
    assert "\n" not in failure.reason


def test_a_name_that_is_taken_stays_with_the_first_and_the_second_is_named(install: Install) -> None:
    found = install(reg_b=plugin("same"), reg_a=plugin("same"))
    assert found.tasks["same"].distribution == "reg_a"
    assert reasons(found) == {"reg_b": "the task name 'same' is already taken by reg_a"}


def test_nbtunes_own_names_are_never_taken_over(install: Install) -> None:
    found = install(aaa=plugin("ner"))
    assert found.failures == []
    own = Registry([*_points("nbtune"), *_points_of(found)])
    assert own.tasks["ner"].distribution == "nbtune"
    assert Failure("aaa_door", "aaa", "the task name 'ner' is already taken by nbtune") in own.failures


def _points(name: str) -> list[EntryPoint]:
    return [point for each in distributions(name=name) for point in each.entry_points if point.group == "nbtune"]


def _points_of(found: Registry) -> list[EntryPoint]:
    return [point for each in found.tasks.values() for point in _points(each.distribution)]


def test_one_broken_task_of_a_plugin_does_not_take_its_sound_ones_along(install: Install) -> None:
    found = install(reg_half=plugin("sound", "Plain(), 3"))
    assert list(found.tasks) == ["sound"]
    assert reasons(found) == {"reg_half": "nbtune_tasks gave a int instead of an nbtune.api.Task"}


def test_an_unknown_task_gets_the_nearest_name_and_a_word_on_what_failed(install: Install) -> None:
    found = install(reg_good=plugin("paraphrase"), reg_bad="1 / 0")
    with pytest.raises(SpecError) as caught:
        found.task("parafrase")
    assert caught.value.message == "there is no task 'parafrase'"
    assert caught.value.hint.startswith("did you mean 'paraphrase'?")
    assert "some plugins failed to load: reg_bad" in caught.value.hint


WATCHERS = """
from nbtune.api import hookimpl

class Silent:
    def __init__(self, run): self.run = run
    def on_event(self, event): ...

@hookimpl
def nbtune_watchers({arguments}):
    {body}
"""


def test_watchers_get_the_arguments_they_ask_for(install: Install) -> None:
    found = install(
        reg_run=WATCHERS.format(arguments="run", body="return [Silent(run)]"),
        reg_all=WATCHERS.format(arguments="control, run", body="return [Silent(control)]"),
        reg_none=WATCHERS.format(arguments="", body="return None"),
    )
    run, control = SimpleNamespace(name="x", folder=Path()), Control()
    given = {id(watcher.run) for watcher in found.watchers(run, control)}  # type: ignore[attr-defined]
    assert given == {id(run), id(control)}
    assert found.failures == []


def test_a_watcher_hook_that_raises_is_named_and_the_others_watch(install: Install) -> None:
    found = install(
        reg_sour=WATCHERS.format(arguments="run", body="raise OSError('no server')"),
        reg_fine=WATCHERS.format(arguments="run", body="return [Silent(run)]"),
    )
    for _ in range(2):  # once a run
        assert len(found.watchers(SimpleNamespace(name="x"), Control())) == 1
    assert found.failures == [Failure("reg_sour_door", "reg_sour", "nbtune_watchers raised OSError: no server")]


def written(name: str, summary: str = "a task of a notebook") -> Task:
    body = {"name": name, "summary": summary, "headline": "hits", "columns": (Column("text", "text"),)}
    methods = {each: lambda *_: None for each in ("read", "head", "metrics")}
    made: Task = type("Written", (Task,), {**body, **methods})()
    return made


def test_a_task_written_in_a_notebook_is_known_to_this_process_and_replaced_by_its_next_version() -> None:
    found = Registry([])
    found.add(written("mine"))
    found.add(written("mine", "another version"))
    assert found.task("mine").summary == "another version"
    assert (found.tasks["mine"].distribution, found.tasks["mine"].version) == ("(this session)", "")


def test_a_task_of_a_notebook_never_takes_the_place_of_an_installed_one(install: Install) -> None:
    found = install(reg_door=plugin("door"))
    with pytest.raises(PluginError, match="'door' is already taken by reg_door"):
        found.add(written("door"))
    assert found.tasks["door"].distribution == "reg_door"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (type(written("x")), "nbtune.register was given the class Written; it must be an instance, Written()"),
        ("a text", "nbtune.register was given a str instead of an nbtune.api.Task"),
    ],
)
def test_what_is_no_task_is_not_registered(given: Any, reason: str) -> None:
    with pytest.raises(PluginError, match=re.escape(reason)):
        nbtune.register(given)
