"""`Run.uncertain`: the rows of a pool without labels that are most worth labelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from nbtune.data.packing import pack
from nbtune.data.survey import identities
from nbtune.errors import SpecError, did_you_mean
from nbtune.evaluation.uncertainty import Measure, Over, spread_out, uncertainty
from nbtune.running import asked
from nbtune.running.embedding import embed
from nbtune.running.folder import RunFolder
from nbtune.running.model import Model, Progress
from nbtune.tasks.metrics import Floats
from nbtune.values import Example, Part

if TYPE_CHECKING:
    import pandas as pd

CANDIDATES = 10
"""Of how many rows, the most uncertain ones, one is chosen when they shall differ."""
_PARTS: tuple[Part, ...] = ("train", "validation", "test")


def choose(
    folder: RunFolder,
    model: Model,
    pool: Any,
    k: int,
    *,
    by: Measure,
    over: Over,
    diverse: bool,
    seed: int,
    columns: Mapping[str, str | list[str]] | None,
    namespace: Mapping[str, Any] | None,
    progress: Progress | None,
) -> pd.DataFrame:
    """Pick rows; see `Run.uncertain`. Of each text of the pool one number is kept, of the candidates a vector too."""
    for name, value, known in (("by", by, get_args(Measure)), ("over", over, get_args(Over))):
        if value not in known:
            raise SpecError(f"{name} = {value!r} is no way to measure uncertainty", did_you_mean(str(value), known))
    if k < 1:
        raise SpecError(f"k = {k} chooses nothing", "give the number of rows to choose")
    read = pack(asked.read(folder, model, pool, "predict", columns=columns, namespace=namespace))
    examples = pack(model.task.arrange(read, model.inventory, "predict"))
    unsure = np.array([uncertainty(each, by, over) for each in model.judge(examples, progress)], dtype=np.float64)
    fresh = _fresh(folder, model, examples)
    ranked = fresh[np.argsort(-unsure[fresh], kind="stable")]
    chosen = ranked[:k]
    if diverse and len(ranked) > k:
        candidates = ranked[: CANDIDATES * k]
        own = spread_out(embed(model, examples.take(candidates)), unsure[candidates], k, seed)
        chosen = candidates[np.sort(own)]  # candidates come in the order of their uncertainty
    return _frame(pool, [examples[int(place)] for place in chosen], unsure[chosen])


def _fresh(folder: RunFolder, model: Model, examples: Any) -> NDArray[np.int64]:
    """The places of texts that the run has no label for yet, each text once."""
    own = identities(model.task, examples)
    labelled = [identities(model.task, pack(kept)) for part in _PARTS if (kept := asked.kept(folder, part)) is not None]
    _, first = np.unique(own, return_index=True)
    known = np.isin(own[first], np.concatenate(labelled)) if labelled else np.zeros(len(first), dtype=bool)
    return np.sort(first[~known])


def _frame(pool: Any, chosen: list[Example], unsure: Floats) -> pd.DataFrame:
    """The chosen rows of a DataFrame, or else their inputs with the numbers of their rows."""
    import pandas as pd

    rows = [example.row for example in chosen]
    if isinstance(pool, pd.DataFrame):
        return pool.iloc[rows].assign(uncertainty=unsure)
    inputs = [
        {name: value for name, value in example.inputs.items() if isinstance(value, (str, int, float))}
        for example in chosen
    ]
    table = pd.DataFrame(inputs)
    table.insert(0, "row", rows)
    return table.assign(uncertainty=unsure)
