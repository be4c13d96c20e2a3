"""What a head says of its answers, where it lets them be explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from nbtune.tasks.explained import Explained, explains
from nbtune.testing.walk import Walk
from nbtune.training.batches import collate
from nbtune.training.devices import choose_device
from nbtune.training.loop import set_training

CPU = choose_device("cpu", "fp32")


def check(walk: Walk) -> Iterator[str]:
    if not explains(walk.head):
        return
    set_training(walk.head, False)
    for example, prediction in list(zip(walk.held_out, walk.predictions, strict=True))[:4]:
        given = walk.head.explained(example, prediction, None)
        answers = [given] if isinstance(given, Explained) else given
        if not isinstance(answers, Sequence) or not all(isinstance(each, Explained) for each in answers):
            yield f"explained gave a {type(given).__name__}: give an Explained, or a list of them"
            return
        breach = next((found for answer in answers for found in _answer(walk, answer, example.inputs)), None)
        if breach is not None:
            yield breach
            return


def _answer(walk: Walk, answer: Explained, inputs: Mapping[str, Any]) -> Iterator[str]:
    tokens = [len(feature["input_ids"]) for feature in answer.features]
    if [len(places) for places in answer.places] != tokens:
        yield "explained gave more or fewer places than the features have tokens: one a token, None for special ones"
    for source, start, end in (place for places in answer.places for place in places if place is not None):
        text = inputs.get(source)
        if not isinstance(text, str) or not 0 <= start < end <= len(text):
            where = f"{source!r}, {start} to {end}"
            yield f"explained puts a token at {where}: give a text of the inputs, and its characters"
    score = answer.score(collate(answer.features, walk.head, CPU))
    if not isinstance(score, torch.Tensor) or score.shape != (len(tokens),):
        shape = tuple(getattr(score, "shape", ()))
        yield f"the score of explained is a {type(score).__name__} of shape {shape}: give a tensor, one a feature"
    elif not score.requires_grad:
        yield "the score of explained has no gradient: do not detach the model's outputs, and not .item() or .numpy()"
