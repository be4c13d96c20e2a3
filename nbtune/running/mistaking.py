"""`Run.mistakes`: a run, or models like it, look at labels that they have not learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from nbtune.control import Control
from nbtune.errors import RunError, SpecError, did_you_mean
from nbtune.running import asked
from nbtune.running.folder import RunFolder
from nbtune.values import Example, Part

if TYPE_CHECKING:
    from nbtune.evaluation.doubts import Ranking
    from nbtune.evaluation.mistakes import Heard, Mistakes
    from nbtune.running.model import Model, Progress

PARTS: tuple[Part, ...] = ("train", "validation", "test")


def find_mistakes(
    folder: RunFolder,
    opened: Callable[[], Model],
    *,
    folds: int | None,
    part: str | None,
    ranking: Ranking,
    corrections: str | Path | None,
    trust_remote_code: bool,
    progress: Progress | None,
    control: Control | None,
) -> Mistakes:
    """Rank the labels of a part; see `Run.mistakes`."""
    from nbtune.evaluation.correcting import Book
    from nbtune.evaluation.doubts import Ranking as Rankings
    from nbtune.evaluation.mistakes import make_mistakes

    chosen = _part(folds, part)
    if ranking not in get_args(Rankings):
        raise SpecError(f"there is no ranking {ranking!r}", did_you_mean(str(ranking), get_args(Rankings)))
    spec = folder.spec()
    model = opened()
    task, inventory = model.task, model.inventory
    # with folds, the model itself is heard on what it has learned nothing from
    own_part = asked.held_out_part(folder)[0] if folds is not None else chosen
    own = _own(folder, model, own_part, None if folds is not None else progress)
    del model  # the folds need its memory
    heard, how = own, f"{chosen} data, {len(own.examples):,} rows"
    if folds is not None:
        heard = _by_folds(folder, folds, trust_remote_code, progress, control)
        how = f"train data, {len(heard.examples):,} rows, each judged by one of {folds} models that have not seen it"
    path = corrections or spec.corrections or f"{folder.name}.corrections.jsonl"
    parts = {each: kept for each in PARTS if (kept := asked.kept(folder, each)) is not None}
    return make_mistakes(
        task,
        run=folder.name,
        judged=how,
        heard=heard,
        own=own,
        confident_on=f"{own_part} data, {len(own.examples):,} rows",
        ranking=ranking,
        book=Book(task, inventory, parts, Path(path).expanduser()),
        notes=[_LEARNED] if folds is None and chosen == "train" else [],
    )


_LEARNED = (
    "the model has learned these labels, wrong ones too, and defends many of them: with folds, such as 5, models are "
    "asked that have not"
)


def _part(folds: int | None, part: str | None) -> Part:
    known = {each: each for each in PARTS}
    if part is not None and part not in known:
        raise SpecError(f"there is no part {part!r}", did_you_mean(part, PARTS))
    if folds is not None and part not in (None, "train"):
        words = f"folds are of the training data, not of the {part} data"
        raise SpecError(words, "leave one of them out: the run's own model has not learned from that part")
    return known["train" if folds is not None else part or "validation"]


def _own(folder: RunFolder, model: Model, part: Part, progress: Progress | None) -> Heard:
    """What the run's own model says of a part that it kept."""
    from nbtune.evaluation.mistakes import Heard

    examples = asked.kept(folder, part)
    if examples is None or not len(examples):
        raise RunError(f"the run {folder.name!r} kept no {part} data", "choose another part, or folds=5")
    arranged: Sequence[Example] = model.task.arrange(examples, model.inventory, part)
    return Heard(part, arranged, list(model.judge(arranged, progress)))


def _by_folds(
    folder: RunFolder, folds: int, trust_remote_code: bool, progress: Progress | None, control: Control | None
) -> Heard:
    from nbtune.evaluation.mistakes import Heard
    from nbtune.running.folds import judge_by_folds

    examples, judgements = judge_by_folds(
        folder, folds, trust_remote_code=trust_remote_code, progress=progress, control=control
    )
    return Heard("train", examples, judgements)
