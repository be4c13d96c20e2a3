"""What a head says of an answer so that it can be explained: how it is scored, and where its tokens lie in the text.

No torch here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nbtune.errors import ModelError, PluginError
from nbtune.tasks.head import Batch, Head
from nbtune.values import Feature

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Place: TypeAlias = tuple[str, int, int]
"""The input that a token comes from (a key of `Example.inputs`), its first character and the one after its last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One answer of a head, and what it takes to explain it.

    `target` is the answer in words and `probability` the model's, None where it gives none. `features` are what the
    model was fed for this answer, tokens under `input_ids`; `places` says of each token where it comes from, None for
    special ones. `score` gives what is explained, [features], higher for more of the target, and with gradients; the
    scores of several features are summed. It is called with features of which tokens, or their embeddings, were
    replaced. `unit` says in words what the score is. `about` is the piece of text that the answer names, if it does.
    """

    target: str
    probability: float | None
    features: Sequence[Feature]
    places: Sequence[Sequence[Place | None]]
    score: Callable[[Batch], Tensor]
    unit: str = "log-odds"
    about: Place | None = None


def explains(head: Head) -> bool:
    """Whether the head says what its answers rest on. What a base class says does not count where a class below it
    changes how a text is read or answered: it would explain something else than the answer."""
    for kind in type(head).__mro__:
        if "explained" in vars(kind):
            return kind is not Head
        if vars(kind).keys() & {"encode", "outputs", "decode", "predict"}:
            return False
    return False


def token_places(
    tokenizer: PreTrainedTokenizerBase, inputs: Mapping[str, Any], feature: Feature, *, max_length: int
) -> list[Place | None]:
    """Where the tokens of a feature lie that was made of `inputs["text"]`, and `inputs["text_pair"]` where there is
    one, by the tokenizer alone.

    Raises:
        ModelError: the tokenizer cannot tell.
        PluginError: the feature was made in another way.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer {type(tokenizer).__name__} does not say where its tokens lie in the text",
            "choose a model with a fast tokenizer",
        )
    sources = [name for name in ("text", "text_pair") if inputs.get(name) is not None]
    encoded = tokenizer(
        *[inputs[name] for name in sources], truncation=True, max_length=max_length, return_offsets_mapping=True
    )
    if list(encoded["input_ids"]) != list(feature["input_ids"]):
        raise PluginError(
            "the head encodes texts in a way of its own, so it is not known where its tokens come from",
            "a head with its own encode must have its own explained as well",
        )
    places: list[Place | None] = []
    for source, (start, end) in zip(encoded.sequence_ids(0), encoded["offset_mapping"], strict=True):
        places.append(None if source is None or start == end else (sources[source], start, end))
    return places
