"""`nbtune.compare`: runs that answer the same examples, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtune.errors import RunError, SpecError
from nbtune.events import Evaluated
from nbtune.running import asked, identity
from nbtune.running.asked import Answered
from nbtune.running.catalog import load
from nbtune.running.folder import RunFolder
from nbtune.running.run import Run
from nbtune.running.seeds import family
from nbtune.values import Example

if TYPE_CHECKING:
    from nbtune.evaluation.comparison import Comparison, Contender
    from nbtune.running.model import Progress


_UNCORRECTED = "the runs have different files of corrections: answers are those of the data"


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

    >>> compared = nbtune.compare(["reviews", "other"], data=test_df)
    >>> compared.pairs[0].p <= 1
    True

    Raises:
        SpecError: fewer than two runs, or two of one name.
        RunError: the runs are of different tasks, were tested on different data, or read other answers from it.
        DataError: `data` cannot be read, or holds no gold answers.
    """
    from nbtune.evaluation.comparison import make_comparison

    opened = [run if isinstance(run, Run) else load(run) for run in runs]
    _refuse_odd(opened)
    if data is None:
        _refuse_other_tests(opened)
    examples: Sequence[Example] = ()
    where = ""
    contenders: list[Contender] = []
    files = {run.spec.corrections for run in opened}
    shared = next(iter(files)) if len(files) == 1 else ""
    notes = [_UNCORRECTED] if data is not None and len(files) > 1 else []
    for place, run in enumerate(opened):
        told = None if progress is None else _among(progress, place, len(opened))
        found = run.answers(
            data, columns=columns, namespace=namespace, precision=precision, progress=told, corrections=shared
        )
        if not contenders:
            examples, where = found.examples, found.where
        elif [example.target for example in found.examples] != [example.target for example in examples]:
            words = f"{run.name} and {opened[0].name} take other answers of the data for right"
            raise RunError(words, "give the columns to read: columns={...}; runs must know the same items and labels")
        # nothing of the model is kept: a dozen of them would not fit into a small machine
        further = [
            other.answers(data, columns=columns, namespace=namespace, precision=precision).predictions
            for other in family(run)[1:]
        ]
        contenders.append(_contender(run, found, further))
        notes += _notes(run, found)
    single = [each.name for each in contenders if not each.further]
    if single:
        notes.append(
            f"one seed of {' and '.join(single)}: another could change the order, and seeds = 5 tells how much"
        )
    return make_comparison(opened[0].task, where, examples, contenders, list(dict.fromkeys(notes)))


def _refuse_odd(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise SpecError("comparing needs two runs at least", "name another one; nbtune.runs() lists them")
    names = [run.name for run in runs]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        words = "name each run once; runs of one name in different folders cannot be told apart, so rename one's folder"
        raise SpecError(f"the run {twice!r} is there twice", words)
    tasks = {run.name: run.task for run in runs}
    if len(set(tasks.values())) > 1:
        words = ", ".join(f"{name} learns {task}" for name, task in tasks.items())
        raise RunError(f"runs of different tasks cannot be compared: {words}", "compare runs of one task")


def _refuse_other_tests(runs: Sequence[Run]) -> None:
    kept = {run.name: asked.held_out_part(RunFolder(run.folder)) for run in runs}
    if len({digest for _, _, digest in kept.values()}) > 1:
        words = "; ".join(f"{name} on {size:,} {part} examples" for name, (part, size, _) in kept.items())
        raise RunError(
            f"the runs were tested on different data, so their scores say nothing of each other: {words}",
            "give the data to compare them on: data=..., in a magic --data",
        )


def _contender(run: Run, found: Answered, further: Sequence[Sequence[Any]]) -> Contender:
    from nbtune.evaluation.comparison import Contender

    task = found.model.task
    rows = [task.to_row(example, answer) for example, answer in zip(found.examples, found.predictions, strict=True)]
    curve = [(event.epoch, event.metrics[event.headline]) for event in run.events() if isinstance(event, Evaluated)]
    return Contender(
        name=run.name,
        metrics=task.metrics(found.model.inventory),
        predictions=found.predictions,
        answers=[{name: _words(value) for name, value in row.items()} for row in rows],
        settings=identity.settings(run.spec),
        curve=curve,
        further=further,
    )


def _notes(run: Run, found: Answered) -> list[str]:
    """Whether the run has learned from what it is compared on."""
    notes = list(found.notes)
    train = asked.kept(RunFolder(run.folder), "train")
    if train is not None:
        seen = asked.also_in(found.model.task, found.read, train)
        if seen.any():
            notes.append(f"{run.name} has learned from {int(seen.sum()):,} of these {len(seen):,} examples")
    return notes


def _words(value: Any) -> str:
    """An answer as a cell of a table."""
    if isinstance(value, list):
        return ", ".join(f"{each['text']} ({each['type']})" if isinstance(each, dict) else str(each) for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _among(progress: Progress, place: int, runs: int) -> Progress:
    """The progress of one run as that of all, which answer one after the other."""
    return lambda done, total: progress(place * total + done, runs * total)
