"""`nbtune.compare`: runs that answer the same examples, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.errors import DataError, RunError, SpecError
from nbtune.events import Evaluated
from nbtune.running import asked, identity
from nbtune.running.asked import Answered
from nbtune.running.catalog import load
from nbtune.running.folder import RunFolder
from nbtune.running.run import Run

if TYPE_CHECKING:
    from nbtune.evaluation.comparison import Comparison, Contender
    from nbtune.running.model import Progress


def compare(
    runs: Sequence[str | Path | Run],
    *,
    data: Any = None,
    columns: Mapping[str, str | list[str]] | None = None,
    namespace: Mapping[str, Any] | None = None,
    precision: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare runs of one task on `data`, or on the test part that all of them kept.

    Every pair gets the difference of the headline score with a 95% interval (a bootstrap that draws the same examples
    for both) and the p-value of a randomisation test, corrected for the number of pairs. `progress` is called with the
    examples answered and all there are to answer, over all runs.

    Raises:
        SpecError: fewer than two runs, or one twice.
        RunError: the runs are of different tasks, or were tested on different data.
        DataError: `data` cannot be read, or holds no gold answers.
    """
    from nbtune.evaluation.comparison import make_comparison

    opened = [run if isinstance(run, Run) else load(run) for run in runs]
    _refuse_odd(opened)
    if data is None:
        _refuse_other_tests(opened)
    counted = _Counted(progress, len(opened))
    answered = []
    for run in opened:
        told = counted.next_run()
        answered.append(run.answers(data, columns=columns, namespace=namespace, precision=precision, progress=told))
    first = answered[0]
    if any(example.target is None for example in first.examples):
        raise DataError("the data has no gold answers to compare with", "give data with its label column")
    if any(len(other.examples) != len(first.examples) for other in answered):
        raise RunError(
            "the runs read different numbers of examples from the data", "give the columns, bad_rows = error"
        )
    contenders = [_contender(run, found) for run, found in zip(opened, answered, strict=True)]
    notes = [note for run, found in zip(opened, answered, strict=True) for note in _notes(run, found)]
    return make_comparison(opened[0].task, first.where, first.examples, contenders, notes)


def _refuse_odd(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise SpecError("comparing needs two runs at least", "name another one; nbtune.runs() lists them")
    folders = [run.folder.resolve() for run in runs]
    twice = next((run for place, run in enumerate(runs) if folders[place] in folders[:place]), None)
    if twice is not None:
        raise SpecError(f"the run {twice.name!r} is there twice", "name each run once")
    tasks = {run.name: run.task for run in runs}
    if len(set(tasks.values())) > 1:
        words = ", ".join(f"{name} learns {task}" for name, task in tasks.items())
        raise RunError(f"runs of different tasks cannot be compared: {words}", "compare runs of one task")


def _refuse_other_tests(runs: Sequence[Run]) -> None:
    kept = {run.name: asked.held_out_of(run.folder) for run in runs}
    if len({digest for _, _, digest in kept.values()}) > 1:
        words = "; ".join(f"{name} on {size:,} {part} examples" for name, (part, size, _) in kept.items())
        raise RunError(
            f"the runs were tested on different data, so their scores say nothing of each other: {words}",
            "give the data to compare them on: data=..., in a magic --data",
        )


def _contender(run: Run, found: Answered) -> Contender:
    from nbtune.evaluation.comparison import Contender

    task = found.model.task
    rows = (task.to_row(example, answer) for example, answer in zip(found.examples, found.predictions, strict=True))
    curve = [(event.epoch, event.metrics[event.headline]) for event in run.events() if isinstance(event, Evaluated)]
    return Contender(
        name=run.name,
        metrics=task.metrics(found.model.inventory),
        predictions=found.predictions,
        answers=[_words(next(iter(row.values()))) for row in rows],
        settings=identity.settings(run.spec),
        curve=curve,
    )


def _notes(run: Run, found: Answered) -> list[str]:
    """Whether the run has learned from what it is compared on."""
    from nbtune.data.packing import pack
    from nbtune.data.survey import identities

    notes = list(found.notes)
    train = asked.kept(RunFolder(run.folder), "train")
    if train is not None:
        task = found.model.task
        seen = np.isin(identities(task, pack(found.read)), identities(task, pack(train)))
        if seen.any():
            notes.append(f"{run.name} has learned from {int(seen.sum()):,} of these {len(seen):,} examples")
    return notes


def _words(value: Any) -> str:
    """An answer as a cell of a table."""
    if isinstance(value, list):
        return ", ".join(f"{each['text']} ({each['type']})" if isinstance(each, dict) else str(each) for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class _Counted:
    """One progress for runs that answer one after the other."""

    def __init__(self, progress: Progress | None, runs: int) -> None:
        self._progress = progress
        self._runs = runs
        self._done = -1

    def next_run(self) -> Progress | None:
        self._done += 1
        if self._progress is None:
            return None
        tell, before = self._progress, self._done
        return lambda done, total: tell(before * total + done, self._runs * total)
