"""All runs of the runs folder: open one, list them, tell one again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtune.errors import RunError
from nbtune.events import Evaluated, Event
from nbtune.running import folder as folders
from nbtune.running import locks, opened
from nbtune.running.folder import RunFolder
from nbtune.running.run import Run

if TYPE_CHECKING:
    import pandas as pd


def load(name: str | Path, *, trust_remote_code: bool = False) -> Run:
    """Open a run by name (in the runs folder) or by path.

    >>> nbtune.load("reviews").task
    'sentiment'

    Raises:
        RunError: there is no such run; the nearest name is offered.
    """
    return Run(folders.find(name), trust_remote_code=trust_remote_code)


def runs() -> pd.DataFrame:
    """All runs in the runs folder, oldest first, one a row.

    >>> nbtune.runs()[["name", "status"]].values.tolist()[0]
    ['reviews', 'finished']
    """
    import pandas as pd

    columns = ["name", "task", "model", "status", "headline", "score", "epochs", "created", "folder"]
    return pd.DataFrame([_row(folder) for folder in folders.all_runs()], columns=columns)


def delete(name: str | Path) -> None:
    """Remove a run with its model, its checkpoints and its copy of the data.

    Raises:
        RunError: there is no such run, or it is being trained.
    """
    folder = folders.find(name)
    with locks.hold(folder.path):
        opened.close(folder.path)
        folder.remove()
    if folder.is_run():
        raise RunError(f"the run {folder.name!r} cannot be removed whole", f"see who may write in {str(folder.path)!r}")


def replay(folder: str | Path) -> Iterator[Event]:
    """The events of a run, by folder or name, as they were told while it trained.

    >>> losses = [event.loss for event in nbtune.replay("reviews") if type(event).__name__ == "Stepped"]
    """
    return folders.find(folder).events()


def _row(folder: RunFolder) -> dict[str, Any]:
    import pandas as pd

    row: dict[str, Any] = {"name": folder.name, "folder": str(folder.path)}
    try:
        spec, run = folder.spec(), Run(folder)
        evaluated = [event for event in folder.events() if isinstance(event, Evaluated)]
        headline = evaluated[-1].headline if evaluated else None
        row |= {"task": spec.task, "model": spec.model, "epochs": spec.epochs, "status": run.status}
        row |= {"headline": headline, "score": run.metrics.get(headline or "")}
    except (ValueError, RunError) as error:  # a damaged run is listed, and harms nothing
        row |= {"status": f"damaged: {str(error).splitlines()[0]}"}
    row["created"] = pd.Timestamp((folder.path / folders.MARKER).stat().st_mtime, unit="s").floor("s")
    return row
