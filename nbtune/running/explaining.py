"""`run.explain(text)`: from a text to the words that its prediction rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.errors import DataError, RunError, SpecError
from nbtune.evaluation.explanation import Explanation, Explanations, Word
from nbtune.evaluation.words import Span, find_words, touched, whole_words
from nbtune.running import asked
from nbtune.running.folder import RunFolder
from nbtune.running.model import Model
from nbtune.tasks.explained import Explained, explains
from nbtune.training.attribution import Attribution, Replaced
from nbtune.values import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_ANSWERS = 10
"""Labels or entities of one text that are explained unless one is named."""
MOST_OCCLUDED = 200
"""Words that are blanked one by one; a pass through the model each."""


def explain(
    folder: RunFolder, model: Model, text: str | Mapping[str, Any], target: str | None
) -> Explanation | Explanations:
    """What the model's prediction for a text rests on.

    Raises:
        RunError: the task does not explain its predictions.
        SpecError: there is no such `target`.
        DataError: the text is not one row of what the model reads.
    """
    if not explains(model.head):
        actions = ", ".join(f"run.{name}" for name in model.task.actions())
        raise RunError(
            f"a {model.task.name} run does not explain its predictions word by word",
            f"see also: {actions}" if actions else "its head needs a method explained, see docs/plugins.md",
        )
    if isinstance(text, str) == isinstance(text, Mapping):
        raise DataError(f"cannot explain a {type(text).__name__}", "give one text, or a dict of the columns of one row")
    read = asked.read(folder, model, [text], "predict")
    (example,) = model.task.arrange(read, model.inventory, "predict")
    return explain_example(model, example, target)


def explain_example(model: Model, example: Example, target: str | None) -> Explanation | Explanations:
    """The same of an example as the task arranged it, by a head that explains itself.

    Raises:
        SpecError: there is no such `target`.
    """
    (prediction,) = model.predict([example])
    answers = model.head.explained(example, prediction, target)
    if isinstance(answers, Explained):
        return _explanation(model, example.inputs, answers)
    if target is not None and not answers:
        raise SpecError(f"there is no {target!r} to explain in this text", "leave target out")
    parts = tuple(_explanation(model, example.inputs, each) for each in answers[:MOST_ANSWERS])
    return Explanations(model.folder.name, parts, tuple(_left_out(len(answers)))) if target is None else parts[0]


def _left_out(answers: int) -> list[str]:
    if not answers:
        return ["the model finds nothing in this text, so there is nothing to explain"]
    more = answers - MOST_ANSWERS
    return [f"{more} more were found; name one as target to have it explained"] if more > 0 else []


def _explanation(model: Model, inputs: Mapping[str, Any], explained: Explained) -> Explanation:
    filler, shown = _filler(model.head.tokenizer)
    found = _words(explained, inputs)
    masks = [_masks(explained, source, spans) for source, spans in found.items()]
    by_word = [mask for own in masks for mask in own]
    everything = [
        np.logical_or.reduce([word[which] for word in by_word] or [np.zeros(len(places), dtype=np.bool_)])
        for which, places in enumerate(explained.places)
    ]
    attribution = Attribution(model.head, model.device, explained, filler)
    gradients = attribution.gradients(everything)
    parts = np.array(
        [sum(own[: len(m)][m].sum() for own, m in zip(gradients.tokens, word, strict=True)) for word in by_word]
    )
    tried = np.sort(np.argsort(-abs(parts), kind="stable")[:MOST_OCCLUDED])
    falls = np.full(len(by_word), np.nan)
    falls[tried] = attribution.occlusion([by_word[place] for place in tried])
    spans = [(source, *span) for source, own in found.items() for span in own]
    words = tuple(
        Word(inputs[source][start:end], start, end, float(part), float(fall), source)
        for (source, start, end), part, fall in zip(spans, parts, falls, strict=True)
    )
    return Explanation(
        run=model.folder.name,
        target=explained.target,
        probability=explained.probability,
        unit=explained.unit,
        score=gradients.score,
        baseline=gradients.baseline,
        words=words,
        texts={source: inputs[source] for source in found},
        steps=gradients.steps,
        filler=shown,
        about=explained.about,
        notes=tuple(_notes(words, inputs, found)),
    )


def _words(explained: Explained, inputs: Mapping[str, Any]) -> dict[str, list[Span]]:
    """The words of each input that the model was fed for this answer."""
    tokens: dict[str, set[Span]] = {}
    for place in (place for places in explained.places for place in places if place is not None):
        tokens.setdefault(place[0], set()).add(place[1:])
    found = {}
    for source in sorted(tokens):
        own = sorted(tokens[source])
        first, last = own[0][0], max(end for _, end in own)
        words = [(start + first, end + first) for start, end in find_words(inputs[source][first:last])]
        fed = {word for start, end in own for word in words[slice(*touched(words, start, end))]}
        found[source] = whole_words(sorted(fed), own)
    return found


def _masks(explained: Explained, source: str, words: Sequence[Span]) -> list[list[Replaced]]:
    """For each word, and each feature, which tokens are of this word."""
    masks = [[np.zeros(len(places), dtype=np.bool_) for places in explained.places] for _ in words]
    for which, places in enumerate(explained.places):
        for token, place in enumerate(places):
            if place is not None and place[0] == source:
                first, stop = touched(words, *place[1:])
                if first < stop:  # a token of white space belongs to none
                    masks[first][which][token] = True
    return masks


def _filler(tokenizer: PreTrainedTokenizerBase) -> tuple[int, str]:
    """The token that stands for nothing, and how it is written: padding, unless it is there to end a text as well."""
    for name in ("pad_token", "mask_token", "unk_token", "eos_token"):
        token = getattr(tokenizer, name, None)
        if token is not None and (name != "pad_token" or token != tokenizer.eos_token):
            return int(getattr(tokenizer, f"{name}_id")), str(token)
    return 0, str(tokenizer.convert_ids_to_tokens(0))


def _notes(words: Sequence[Word], inputs: Mapping[str, Any], found: Mapping[str, Sequence[Span]]) -> list[str]:
    notes = []
    for source, own in found.items():
        text, name = inputs[source], "" if len(found) == 1 else f" of {source}"
        unread = len(text[: own[0][0]].split()) + len(text[own[-1][1] :].split()) if own else 0
        if unread:
            notes.append(
                f"{unread:,} words{name} were not read for this answer: the model reads max_length tokens at once"
            )
    untried = sum(np.isnan(word.occlusion) for word in words)
    if untried:
        notes.append(f"occlusion was tried on the {len(words) - untried} words with the largest gradients only")
    return notes


__all__ = ["explain"]
