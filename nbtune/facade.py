"""`nbtune.finetune`: a run launched from Python, shown as it trains where there is a notebook to show it in."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from nbtune.control import Control
from nbtune.running.launch import finetune as launch
from nbtune.running.run import Run
from nbtune.tasks.hookspecs import Watcher


def finetune(
    task: str,
    *,
    data: Any,
    validation: Any = None,
    test: Any = None,
    model: str = "minilm-l6",
    name: str | None = None,
    epochs: int = 3,
    batch_size: int = 16,
    learning_rate: float = 5e-5,
    max_length: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    watchers: Sequence[Watcher] | None = None,
    control: Control | None = None,
    background: bool = False,
    namespace: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """Fine-tune `model` for `task` on `data`; see `nbtune.running.launch.finetune` for what may be given and raised.

    `data`, `validation` and `test`: a DataFrame, a list of dicts, a `datasets.Dataset`, a path, `hub:NAME`,
    `sample:TASK`. Further `settings` are those of `nbtune.running.spec.RunSpec` and of the task. With `watchers=None`
    the run is shown in a notebook, and silent in a script. With `background` this returns when training is about to
    begin: `Run.control` steers it, `Run.wait` waits for its end.

        run = nbtune.finetune("sentiment", data="sample:sentiment", epochs=1, name="docs")
    """
    return launch(
        task,
        data=data,
        validation=validation,
        test=test,
        overwrite=overwrite,
        namespace=namespace,
        watchers=_display() if watchers is None else watchers,
        control=control,
        background=background,
        model=model,
        name=name,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_length=max_length,
        seed=seed,
        **settings,
    )


def _display() -> list[Watcher]:
    """A display of the run if this is an interactive shell; without importing IPython to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return []
    from nbtune.notebook.progress import display_for

    return [display_for(shell)]
