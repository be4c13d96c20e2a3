"""Fine-tune language models where you already work: in a Jupyter notebook.

>>> import nbtune
>>> run = nbtune.finetune("sentiment", data="sample:sentiment", epochs=1, name="start")
>>> report = run.evaluate()
>>> table = run.predict(["not bad at all"])

Importing this brings no torch; it is loaded when something is trained or predicted.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# tokenizers warns and goes slow when a process forks after its first use; set before anything imports it
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# Threads of GNU's OpenMP spin while they wait for each other, by default for milliseconds: beside any other work on the
# same cores a training takes several times as long. Read when torch is imported; what the user has set stands.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

if TYPE_CHECKING:
    from nbtune.evaluation.report import Report
    from nbtune.facade import dashboard, finetune
    from nbtune.running.cachedir import clear_cache
    from nbtune.running.catalog import load, replay, runs
    from nbtune.running.comparing import compare
    from nbtune.running.run import Run
    from nbtune.tasks.registry import register

__version__ = "0.1.0"

_LAZY = {
    "Report": "nbtune.evaluation.report",
    "Run": "nbtune.running.run",
    "clear_cache": "nbtune.running.cachedir",
    "compare": "nbtune.running.comparing",
    "dashboard": "nbtune.facade",
    "finetune": "nbtune.facade",
    "load": "nbtune.running.catalog",
    "register": "nbtune.tasks.registry",
    "replay": "nbtune.running.catalog",
    "runs": "nbtune.running.catalog",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext nbtune`: add the magics, their settings and completion to this shell."""
    from nbtune.notebook import load_ipython_extension as load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext nbtune`: take away all that loading added."""
    from nbtune.notebook import unload_ipython_extension as unload

    unload(shell)


__all__ = [
    "Report",
    "Run",
    "__version__",
    "clear_cache",
    "compare",
    "dashboard",
    "finetune",
    "load",
    "register",
    "replay",
    "runs",
]
