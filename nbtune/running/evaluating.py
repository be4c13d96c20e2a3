"""`Run.evaluate`: the scores of a saved model, beside the baselines and the model before fine-tuning."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbtune.errors import RunError, SpecError
from nbtune.evaluation.report import Report
from nbtune.evaluation.reporting import make_report
from nbtune.running import asked
from nbtune.running.asked import Answered
from nbtune.running.before import untrained
from nbtune.running.folder import RunFolder
from nbtune.running.seeds import family, with_spread
from nbtune.tasks.pretrained import pretrained
from nbtune.tasks.registry import registry

if TYPE_CHECKING:
    from nbtune.running.run import Run


def report(
    run: Run,
    data: Any,
    by: Sequence[str],
    seeds: bool,
    ask: Callable[[Run], Answered],
    namespace: Mapping[str, Any],
) -> Report:
    """The report of a run on `data` (None: what it kept). `ask` asks a run about it; a missing column is told first."""
    further = _family(run) if seeds else []
    given = {} if data is None else asked.cells(registry().task(run.task), data, by, namespace)
    found = ask(run)
    model = found.model
    task, inventory = model.task, model.inventory
    direct = asked.row_by_row(found.read, found.examples)
    if by and not direct:
        raise SpecError(
            f"the task {task.name!r} regroups its rows, so they cannot be told apart by {by[0]!r}", "leave by out"
        )
    values = (
        asked.kept_cells(found.examples, by)
        if data is None
        else {name: [column[example.row] for example in found.examples] for name, column in given.items()}
    )
    train = asked.kept(RunFolder(run.folder), "train") or []
    base = functools.partial(pretrained, run.spec.model, trust_remote_code=run.trusted)
    rivals, notes = untrained(task, base, inventory, model.recipe, model.device, found.examples)
    made = make_report(
        run=run.name,
        task=task,
        inventory=inventory,
        data=found.where,
        examples=found.examples,
        predictions=found.predictions,
        train=task.arrange(train, inventory, "train"),
        notes=(*found.notes, *notes),
        rivals=rivals,
        by=values,
        seen=asked.also_in(task, found.read, train) if train and direct else None,
    )
    return with_spread(made, found, [ask(other) for other in further]) if further else made


def _family(run: Run) -> list[Run]:
    """The further runs of its family."""
    found = family(run)[1:]
    if not found:
        words = f"the run {run.name!r} was trained with one seed, so nothing is known of their spread"
        raise RunError(words, "train it again with seeds = 5")
    return found
