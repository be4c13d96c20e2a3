"""`nbtune.finetune`: a run launched from Python, shown as it trains where there is a notebook to show it in."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtune.control import Control
from nbtune.errors import SpecError
from nbtune.events import Event
from nbtune.running.catalog import load
from nbtune.running.launch import finetune as launch
from nbtune.running.launch import resume as go_on
from nbtune.running.run import Run
from nbtune.tasks.hookspecs import Watcher
from nbtune.tasks.registry import registry

if TYPE_CHECKING:
    from nbtune.dashboards.app import Dashboard


def dashboard(namespace: Mapping[str, Any] | None = None) -> Dashboard:
    """Choose task, data and settings by mouse or keys, train, watch, and use what was trained.

    A cell that ends with it shows it. `namespace` holds the variables it offers as data; by default, the notebook's.

    >>> board = nbtune.dashboard({"reviews": reviews_df})
    """
    from nbtune.dashboards import open_dashboard

    return open_dashboard(namespace)


def finetune(
    task: str | None = None,
    *,
    data: Any = None,
    validation: Any = None,
    test: Any = None,
    model: str | None = None,
    name: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    max_length: int | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    resume: str | Path | Run | None = None,
    watchers: Sequence[Watcher] | None = None,
    control: Control | None = None,
    background: bool = False,
    namespace: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """Fine-tune `model` (by default minilm-l6) for `task` on `data`; see `nbtune.running.launch.finetune` for what may
    be given and raised.

    `data`, `validation` and `test`: a DataFrame, a list of dicts, a `datasets.Dataset`, a path, `hub:NAME`,
    `sample:TASK`. Settings left at None have the defaults of `nbtune.running.spec.RunSpec`; further `settings` are
    those of `RunSpec` and of the task. With `watchers=None` the run is shown in a notebook, and silent in a script.
    With `background` this returns when training is about to begin: `Run.control` steers it, `Run.wait` waits for it.

    `resume` names a run that was stopped or cut off, and goes on with it: nothing else is needed, and what is given
    must be what the run has; see `nbtune.running.launch.resume`.

    >>> run = nbtune.finetune("sentiment", data="sample:sentiment", epochs=1, name="docs")
    >>> run.status
    'finished'
    >>> tuned = nbtune.finetune("sentiment", data=reviews_df, validation=test_df, freeze=1, classes=2, name="tuned")
    >>> nbtune.finetune(resume="cut-off-too").status
    'finished'
    """
    chosen = {
        "model": model,
        "name": name,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "max_length": max_length,
        "seed": seed,
        **settings,
    }
    given = {"data": data, "validation": validation, "test": test, "namespace": namespace, "control": control}
    given["background"] = background
    if resume is not None:
        if overwrite:
            raise SpecError("resume goes on with a run, overwrite = true removes it", "leave one of them out")
        past = resume if isinstance(resume, Run) else load(resume)
        shown = _display(past.events()) if watchers is None else watchers
        return go_on(past, task=task, watchers=shown, **given, **chosen)
    if task is None:
        raise SpecError("there is no task", f"choose from: {', '.join(registry().tasks)}")
    if data is None:
        raise SpecError("there is no data to learn from", "give data: a DataFrame, a file, sample:NAME or hub:NAME")
    return launch(task, overwrite=overwrite, watchers=_display() if watchers is None else watchers, **given, **chosen)


def _display(past: Iterable[Event] = ()) -> list[Watcher]:
    """A display of the run if this is an interactive shell; without importing IPython to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return []
    from nbtune.notebook.progress import display_for

    return [display_for(shell, past=past)]
