"""What a task says of itself before it has seen any data."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from nbtune.running.spec import RunSpec
from nbtune.tasks.task import Task, TaskOptions
from nbtune.testing.walk import Walk
from nbtune.values import Column, ColumnKind

HEAVY = ("torch", "transformers", "pandas")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_PROBE = """
import importlib, json, sys
module, heavy, path = json.loads(sys.argv[1])
sys.path[:] = path
try:
    importlib.import_module(module)
except ImportError:
    sys.exit(0)
print(",".join(name for name in heavy if name in sys.modules))
"""


def check(walk: Walk) -> Iterator[str]:
    task: Any = walk.task
    if isinstance(task, type):
        yield f"a class was given; give an instance: {task.__name__}()"
        return
    if not isinstance(task, Task):
        yield f"it is a {type(task).__name__}, not an nbtune.api.Task; subclass Task"
        return
    missing = [name for name in ("name", "summary", "columns", "headline") if not hasattr(task, name)]
    if missing:
        yield f"the class has no {', '.join(missing)}; set {'it' if len(missing) == 1 else 'them'} in the class body"
        return
    yield from _words(task)
    yield from _columns(task)
    yield from _options(task)
    yield from _imports(task)


def _words(task: Task) -> Iterator[str]:
    if not isinstance(task.name, str) or not _NAME.fullmatch(task.name):
        yield f"name = {task.name!r}: use small letters, digits, _ and -, as people will type it"
    for attribute in ("summary", "headline"):
        value = getattr(task, attribute)
        if not isinstance(value, str) or not value.strip() or "\n" in value:
            yield f"{attribute} = {value!r}: give one line of text"
    if not isinstance(task.minimum_labels, int) or task.minimum_labels < 0:
        yield f"minimum_labels = {task.minimum_labels!r}: give a whole number, 0 for a task without labels"
    if task.samples is not None and not (isinstance(task.samples, Path) and task.samples.is_dir()):
        yield f"samples = {task.samples!r} is not a folder: give a pathlib.Path to one, or None"


def _columns(task: Task) -> Iterator[str]:
    if not isinstance(task.columns, tuple) or not task.columns:
        yield f"columns = {task.columns!r}: give a tuple of nbtune.api.Column"
        return
    for column in task.columns:
        if not isinstance(column, Column):
            yield f"columns holds a {type(column).__name__}: give nbtune.api.Column objects"
            continue
        if column.kind not in get_args(ColumnKind):
            kinds = ", ".join(get_args(ColumnKind))
            yield f"the column {column.name!r} has the kind {column.kind!r}: use one of {kinds}"
        if not isinstance(column.aliases, tuple) or not all(isinstance(alias, str) for alias in column.aliases):
            yield f"the aliases of the column {column.name!r} are {column.aliases!r}: give a tuple of names"
    names = [column.name for column in task.columns if isinstance(column, Column)]
    if len(set(names)) < len(names):
        yield f"two columns share a name: {names}"
    if not any(isinstance(column, Column) and not column.target for column in task.columns):
        yield "every column is a target: nothing is left to predict from"


def _options(task: Task) -> Iterator[str]:
    own = type(task).Options
    if not isinstance(own, type) or not issubclass(own, TaskOptions):
        yield f"Options = {own!r}: give a subclass of nbtune.api.TaskOptions"
        return
    if not isinstance(getattr(task, "options", None), own):
        yield "the task has no options of its own type; if it has an __init__, call super().__init__() there"
        return
    for name, described in own.model_fields.items():
        if not described.description:
            yield f"the setting {name!r} has no description: Field(default, description='...') is shown as its help"
        if name in RunSpec.model_fields:
            yield f"the setting {name!r} is one of the common settings already: choose another name"
    written = json.loads(json.dumps(task.options.model_dump(mode="json")))
    if own(**written) != task.options:
        yield f"the options {written} do not read back from JSON as they were written; use plain types"
    copy = task.configured(written)
    if copy is task or copy.options != task.options:
        yield "configured() must give a copy of the task with the settings as its options"
    try:
        own.model_validate({"surely_no_setting": 1})
    except ValidationError:
        return
    yield "Options accepts a setting it does not know, so misspelt ones pass unseen: keep extra='forbid'"


def _imports(task: Task) -> Iterator[str]:
    """A plugin is imported whenever anybody lists tasks: what is heavy must wait until it is used."""
    module = type(task).__module__
    if module == "__main__":
        return  # typed into a notebook: there is nothing to import
    given = json.dumps([module, HEAVY, sys.path])
    probe = subprocess.run([sys.executable, "-c", _PROBE, given], capture_output=True, text=True, check=False)
    heavy = probe.stdout.strip()
    if heavy:
        yield f"importing {module} imports {heavy}, which everybody waits for: import inside the functions that need it"
