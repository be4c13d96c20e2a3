"""What a prediction of `ner` is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from nbtune.api import Example, SpecError, did_you_mean
from nbtune_ner.reading import Span
from nbtune_ner.words import touched


class _Place(TypedDict):
    start: int
    end: int
    type: str
    text: str
    confidence: float


class Entity(_Place, total=False):
    """A found entity. Offsets are characters; `tokens` (first, after the last) is there for token input.

    `confidence` is the mean probability of the labels of its words.
    """

    tokens: list[int]


class Prediction(TypedDict):
    """The entities of a text in order, and the places among them of those that began with an I (a B by conlleval's
    rule)."""

    entities: list[Entity]
    repaired: list[int]


def entity_at(example: Example, start: int, end: int, kind: str, confidence: float) -> Entity:
    """The entity at these characters of an example; given tokens are found from them."""
    entity = Entity(
        start=start, end=end, type=kind, text=example.inputs["text"][start:end], confidence=round(confidence, 6)
    )
    if "tokens" in example.inputs:
        entity["tokens"] = list(touched(example.inputs["words"], start, end))
    return entity


def found_spans(prediction: Prediction) -> list[Span]:
    """The entities of a prediction as (start, end, type)."""
    return [(entity["start"], entity["end"], entity["type"]) for entity in prediction["entities"]]


def picked(entities: Sequence[Entity], target: str | None) -> list[Entity]:
    """The entities, or the first one that has this text, or else this type.

    Raises:
        SpecError: there is none.
    """
    if target is None:
        return list(entities)
    for key in ("text", "type"):
        for entity in entities:
            if entity[key].casefold() == target.casefold():
                return [entity]
    known = dict.fromkeys(name for entity in entities for name in (entity["text"], entity["type"]))
    raise SpecError(f"no entity {target!r} was found in the text", did_you_mean(target, known) or "none was found")
