"""What a model thinks of each label: of the gold one, to find wrong ones, and of all, to find what it is unsure of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.errors import RunError
from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.metrics import Floats
from nbtune.values import Example

if TYPE_CHECKING:
    from nbtune.tasks.head import Forward, Head

Places: TypeAlias = NDArray[np.int64]
UNKNOWN = -1
"""In place of a gold label that is not given, or that the model does not know."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that the gold answer or the model says of an example, and what the other says of the same.

    It rests on the units `first` to `stop` - 1. `given` and `found` are answers in the form of a target, or parts of
    one where the target is a list (a label, an entity); they are equal where both agree. `confidence` is how sure the
    model is of what it says. `place` is where in the text it is, in characters; None: all of it.
    """

    first: int
    stop: int
    given: Any
    found: Any
    confidence: float
    place: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a model thinks of an example.

    A unit is what gets one label: the text, or each of its words. `probabilities` has shape [units, labels], each row
    sums to 1. `given` is the position of each unit's gold label or `UNKNOWN`, shape [units]. With `apart`, each unit
    is a question of its own (whether a text has this one of several labels, no or yes), the same for every example.
    """

    probabilities: Floats
    given: Places
    claims: tuple[Claim, ...] = ()
    apart: bool = False


def judged(scores: Any, target: Any) -> Judgement | None:
    """The judgement behind a prediction over labels; None where the prediction is of another kind."""
    if not isinstance(scores, LabelScores):
        return None
    if not scores.multi:
        place = scores.labels.index(target) if target in scores.labels else UNKNOWN
        found, best = scores.names[0], float(scores.probabilities[scores.chosen[0]])
        single = () if target is None else (Claim(0, 1, target, found, best),)
        return Judgement(scores.probabilities[None, :], np.array([place]), single)
    yes = scores.probabilities
    odds = np.stack((1 - yes, yes), axis=1)
    if target is None:
        return Judgement(odds, np.full(len(yes), UNKNOWN), apart=True)
    given = np.array([label in target for label in scores.labels], dtype=np.int64)
    chosen = np.zeros(len(yes), dtype=np.int64)
    chosen[list(scores.chosen)] = 1
    claims = tuple(
        Claim(int(unit), int(unit) + 1, *_one(scores.labels[unit], given[unit], chosen[unit]), odds[unit, chosen[unit]])
        for unit in np.flatnonzero(given | chosen)
    )
    return Judgement(odds, given, claims, apart=True)


def _one(label: str, given: Any, chosen: Any) -> tuple[list[str], list[str]]:
    return [label] * int(given), [label] * int(chosen)


def judgements(head: Head, examples: Sequence[Example], forward: Forward) -> Iterator[Judgement]:
    """The judgement of each example, in order.

    Raises:
        RunError: what the head predicts are no labels with probabilities.
    """
    from nbtune.tasks.head import Head, decoded

    kind = type(head)
    if kind.predict is not Head.predict and kind.judge is Head.judge:
        raise _unable()
    for judgement in decoded(head, examples, forward, head.judge):
        if judgement is None:
            raise _unable()
        yield judgement


def _unable() -> RunError:
    return RunError(
        "this model gives no probabilities of labels, so it cannot say which it doubts",
        "tasks whose answers are labels can: classification, sentiment in classes, ner; or a head with `judge`",
    )
