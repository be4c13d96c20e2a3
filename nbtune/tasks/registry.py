"""Who exists: the tasks and watchers of all installed plugins, and what failed to load and why.

The core finds its own tasks exactly as it finds a stranger's: through the entry-point group `nbtune`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from nbtune.control import Control
from nbtune.errors import PluginError, SpecError, did_you_mean
from nbtune.tasks import hookspecs
from nbtune.tasks.hookspecs import PROJECT, Watcher
from nbtune.tasks.task import Task

SESSION = "(this session)"
"""Stands for the distribution of a task that `register` added."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A task, and the distribution that brought it."""

    task: Task
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Something a plugin got wrong; the others are not harmed."""

    plugin: str
    distribution: str
    reason: str


class Registry:
    """The loaded plugins. `registry()` gives the one of this process; tests build their own."""

    def __init__(self, found: Iterable[EntryPoint]) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._tasks: dict[str, Registered] = {}
        self.failures: list[Failure] = []
        # nbtune's own first: a stranger who reuses a built-in name is the one reported
        for point in sorted(found, key=lambda p: (_distribution(p)[0] != PROJECT, _distribution(p)[0], p.name)):
            self._load(point)

    @property
    def tasks(self) -> dict[str, Registered]:
        """Every usable task by name."""
        return dict(sorted(self._tasks.items()))

    def add(self, task: Task) -> None:
        """Let this process know a task that no distribution brings; one added before under its name is replaced.

        Raises:
            PluginError: it is no usable task, or its name belongs to an installed one.
        """
        reason = _flaw(task, "nbtune.register was given")
        if not reason and not self._is_of_session(task.name):
            reason = self._taken(task.name)
        if reason:
            raise PluginError(reason, "docs/plugins.md explains each part of a task")
        self._tasks[task.name] = Registered(task, SESSION, "")

    def task(self, name: str) -> Task:
        """The task called `name`.

        Raises:
            SpecError: there is none; the nearest name is offered, and what failed to load is mentioned.
        """
        if name in self._tasks:
            return self._tasks[name].task
        hint = did_you_mean(name, self.tasks)
        if self.failures:
            broken = ", ".join(sorted({failure.distribution for failure in self.failures}))
            hint += f" (some plugins failed to load: {broken}; see %nbtune tasks)"
        raise SpecError(f"there is no task {name!r}", hint)

    def watchers(self, run: Any, control: Control) -> list[Watcher]:
        """The watchers of all plugins for this run; a plugin that fails is reported and left out."""
        found: list[Watcher] = []
        for implementation in self._manager.hook.nbtune_watchers.get_hookimpls():
            known = {"run": run, "control": control}
            try:
                arguments = {name: known[name] for name in implementation.argnames}
                watchers: Any = implementation.function(**arguments)
                found.extend(watchers or ())
            except Exception as error:  # a stranger's code
                distribution, _, plugin = implementation.plugin_name.partition(":")
                self._fail(plugin, distribution, f"nbtune_watchers raised {_describe(error)}")
        return found

    def _load(self, point: EntryPoint) -> None:
        distribution, version = _distribution(point)
        try:
            plugin = point.load()
            self._manager.register(plugin, name=f"{distribution}:{point.name}")
        except (Exception, SystemExit) as error:  # a stranger's code
            self._fail(point.name, distribution, _describe(error))
            return
        callers = self._manager.get_hookcallers(plugin) or []
        if not callers:
            self._fail(point.name, distribution, f"{point.value} brings no hook; is @hookimpl above nbtune_tasks?")
            return
        unknown = [caller.name for caller in callers if not caller.has_spec()]
        if unknown:
            known = [spec for spec in vars(hookspecs) if spec.startswith("nbtune_")]
            self._manager.unregister(plugin)
            self._fail(point.name, distribution, f"unknown hook {unknown[0]}; {did_you_mean(unknown[0], known)}")
            return
        for caller in callers:
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin and caller.name == "nbtune_tasks":
                    self._add_tasks(point.name, distribution, version, implementation.function)

    def _add_tasks(self, plugin: str, distribution: str, version: str, function: Any) -> None:
        try:
            tasks = list(function())
        except Exception as error:  # a stranger's code
            self._fail(plugin, distribution, f"nbtune_tasks raised {_describe(error)}")
            return
        for task in tasks:
            reason = _flaw(task, "nbtune_tasks gave") or self._taken(task.name)
            if reason:
                self._fail(plugin, distribution, reason)
            else:
                self._tasks[task.name] = Registered(task, distribution, version)

    def _taken(self, name: str) -> str:
        known = self._tasks.get(name)
        return f"the task name {name!r} is already taken by {known.distribution}" if known else ""

    def _is_of_session(self, name: str) -> bool:
        return name in self._tasks and self._tasks[name].distribution == SESSION

    def _fail(self, plugin: str, distribution: str, reason: str) -> None:
        failure = Failure(plugin, distribution, reason)
        if failure not in self.failures:  # a watcher may fail at every run
            self.failures.append(failure)


def register(task: Task) -> None:
    """Make a task usable in this process without a package, as for one that is being written in a notebook.

    A second call replaces it. In another kernel, runs made with it can be opened after the same call; a package with
    an entry point spares everybody the call.

    >>> nbtune.register(Upside())  # a nbtune.api.Task, named "upside"
    >>> nbtune.finetune("upside", data=reviews_df, epochs=1, name="first").task
    'upside'

    Raises:
        PluginError: it is no usable task (a class is none), or its name belongs to an installed one.
    """
    registry().add(task)


@functools.cache
def registry() -> Registry:
    """The plugins installed beside this interpreter, loaded once."""
    return Registry(entry_points(group=PROJECT))


def _flaw(task: Any, given: str) -> str:
    """Why this is no task, in words; "" where it is one."""
    if isinstance(task, type):
        return f"{given} the class {task.__name__}; it must be an instance, {task.__name__}()"
    if not isinstance(task, Task):
        return f"{given} a {type(task).__name__} instead of an nbtune.api.Task"
    missing = [name for name in ("name", "summary", "columns", "headline") if not hasattr(task, name)]
    return f"the task {type(task).__name__} has no {', '.join(missing)}" if missing else ""


def _distribution(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return "(unknown distribution)", ""
    return point.dist.name, point.dist.version


def _describe(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return error.message
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
