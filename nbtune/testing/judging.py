"""What a head thinks of every label, where it says so: wrong labels are found with it, and rows worth labelling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from nbtune.tasks.head import Head, decoded
from nbtune.tasks.judging import UNKNOWN, Judgement
from nbtune.testing.walk import Walk, alike
from nbtune.training.batches import forward_with
from nbtune.training.devices import choose_device
from nbtune.training.loop import set_training

CPU = choose_device("cpu", "fp32")
_ROUNDING = 1e-3


def check(walk: Walk) -> Iterator[str]:
    head, examples = walk.head, walk.held_out
    if type(head).predict is not Head.predict and type(head).judge is Head.judge:
        return  # it answers in a way of its own, and judges nothing
    set_training(head, False)
    forward = forward_with(head, CPU)
    found = list(decoded(head, examples, forward, head.judge))
    if all(each is None for each in found):
        return
    for example, each in zip(examples, found, strict=True):
        breach = next(_judgement(each), None)
        if breach is not None:
            yield f"judge of row {example.row}: {breach}"
            return
    blind = list(decoded(head, [replace(example, target=None) for example in examples], forward, head.judge))
    if not alike([each.probabilities for each in found], [getattr(each, "probabilities", None) for each in blind]):
        yield "the probabilities of judge change when the target is taken away: they are the model's alone"
    elif any((each.given != UNKNOWN).any() for each in blind):
        yield "judge gives gold labels to an example without a target: given is UNKNOWN (-1) there"


def _judgement(found: Any) -> Iterator[str]:
    if not isinstance(found, Judgement):
        yield f"it is a {type(found).__name__}: give an nbtune.api.Judgement, or None for every example"
        return
    table, given = found.probabilities, found.given
    if not isinstance(table, np.ndarray) or table.ndim != 2:
        yield f"probabilities have the shape {np.shape(table)}: give an array [units, labels]"
        return
    units, labels = table.shape
    # not within 0 and 1 also where one is no number
    if not ((table >= -_ROUNDING) & (table <= 1 + _ROUNDING)).all() or abs(table.sum(axis=1) - 1).max(initial=0) > (
        _ROUNDING
    ):
        yield "the probabilities of a unit do not sum to 1: give one row a unit, with softmax or yes beside no"
    if np.shape(given) != (units,) or not all(UNKNOWN <= int(place) < labels for place in given):
        yield f"given is {given!r:.80}: give each unit the position of its gold label, or UNKNOWN (-1)"
    for claim in found.claims:
        if not 0 <= claim.first < claim.stop <= units:
            yield f"a claim rests on the units {claim.first} to {claim.stop}, of {units}: first, and the one after last"
        if not 0 <= claim.confidence <= 1 + _ROUNDING:
            yield f"a claim has the confidence {claim.confidence}: give a probability"
