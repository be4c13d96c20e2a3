"""From texts to tokens, and which tokens carry the label of a word (or of themselves)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbtune.api import Example, ModelError
from nbtune_ner.tagging import Ints

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UnitKind: TypeAlias = Literal["word", "subword"]


@dataclass(frozen=True, slots=True)
class Tokenized:
    """The tokens of a text, without special ones, and the units they carry.

    `starts` and `ends` are the characters of the unit whose first token this is, -1 for every other token.
    """

    ids: Ints
    starts: Ints
    ends: Ints


class UnitTokenizer:
    """A tokenizer that knows words.

    Tokens given by the user are tokenized one by one and carry a label on their first subword, as in
    `tokenizer(words, is_split_into_words=True)`. Raw text is tokenized as it is; its units are words, or the subwords
    themselves where entities begin and end inside words.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, units: UnitKind) -> None:
        if not tokenizer.is_fast:
            raise ModelError(
                f"the tokenizer {type(tokenizer).__name__} does not say where its tokens lie in the text",
                "choose a model with a fast tokenizer",
            )
        self._tokenizer = tokenizer
        self._units: UnitKind = units
        # a byte-level tokenizer without this glues words that are given to it one by one
        self._joins_words = getattr(tokenizer, "add_prefix_space", None) is False and _is_byte_level(tokenizer)
        self.prefix, self.suffix = _special_tokens(tokenizer)

    def __call__(self, examples: Sequence[Example]) -> Iterator[Tokenized]:
        """The tokens of each example, in order."""
        given = [not self._joins_words and "tokens" in example.inputs for example in examples]
        by_word = self._tokenize_words([e.inputs for e, split in zip(examples, given, strict=True) if split])
        by_text = self._tokenize_texts([e.inputs for e, split in zip(examples, given, strict=True) if not split])
        return (next(by_word if split else by_text) for split in given)

    def _encode(self, batch: list[Any], **settings: Any) -> Any:
        return self._tokenizer(
            batch, add_special_tokens=False, truncation=False, padding=False, verbose=False, **settings
        )

    def _tokenize_words(self, inputs: Sequence[Mapping[str, Any]]) -> Iterator[Tokenized]:
        if not inputs:
            return
        batch = [row["tokens"] for row in inputs]
        encoded = self._encode(batch, is_split_into_words=True)
        for index, row in enumerate(inputs):
            ids, word_of = encoded["input_ids"][index], encoded.word_ids(index)
            if len(set(word_of)) < len(row["words"]) and self._tokenizer.unk_token:
                # a word that the tokenizer drops (a lone zero-width character) may be an entity: feed the unknown one
                present = set(word_of)
                words = [word if i in present else self._tokenizer.unk_token for i, word in enumerate(batch[index])]
                again = self._encode([words], is_split_into_words=True)
                ids, word_of = again["input_ids"][0], again.word_ids(0)
            yield _first_subwords(ids, word_of, _pairs(row["words"]))

    def _tokenize_texts(self, inputs: Sequence[Mapping[str, Any]]) -> Iterator[Tokenized]:
        if not inputs:
            return
        spaced = [_spaced(row) if "tokens" in row else None for row in inputs]
        texts = [row["text"] if own is None else own[0] for row, own in zip(inputs, spaced, strict=True)]
        encoded = self._encode(texts, return_offsets_mapping=True)
        for index, (row, own) in enumerate(zip(inputs, spaced, strict=True)):
            offsets, words = _pairs(encoded["offset_mapping"][index]), _pairs(row["words"])
            fed = words if own is None else own[1]
            units: UnitKind = self._units if own is None else "word"
            yield units_by_offsets(encoded["input_ids"][index], offsets, fed, words, units)


def places(tokenized: Tokenized) -> list[tuple[str, int, int] | None]:
    """The unit that each token belongs to, in the form of `Explained.places`; None before the first."""
    carriers = np.flatnonzero(tokenized.starts >= 0)
    last = np.searchsorted(carriers, np.arange(len(tokenized.ids)), side="right") - 1
    spans = [("text", int(tokenized.starts[at]), int(tokenized.ends[at])) for at in carriers]
    return [spans[which] if which >= 0 else None for which in last]


def _first_subwords(ids: Sequence[int], word_of: Sequence[int], words: Ints) -> Tokenized:
    owner = np.asarray(word_of, dtype=np.int64)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    starts, ends = np.full((2, len(owner)), -1, dtype=np.int64)
    starts[first], ends[first] = words[owner[first]].T
    return Tokenized(np.asarray(ids, dtype=np.int64), starts, ends)


def units_by_offsets(ids: Sequence[int], offsets: Ints, fed: Ints, words: Ints, units: UnitKind) -> Tokenized:
    """Units from where tokens lie in the text.

    `fed` are the words in the text that was tokenized, `words` the same in the example's text. A token that touches
    several words makes one unit of them; tokens that share a character (bytes of an emoji) make one unit too.
    """
    starts, ends = np.full((2, len(offsets)), -1, dtype=np.int64)
    result = Tokenized(np.asarray(ids, dtype=np.int64), starts, ends)
    if not len(words) or not len(offsets):
        return result
    first = np.searchsorted(fed[:, 1], offsets[:, 0], side="right")
    last = np.searchsorted(fed[:, 0], offsets[:, 1], side="left") - 1
    touching = np.flatnonzero((first <= last) & (offsets[:, 0] < offsets[:, 1]))
    first, last = first[touching], last[touching]
    begin, end = words[first, 0], words[last, 1]
    if units == "subword":
        begin, end = np.maximum(offsets[touching, 0], begin), np.minimum(offsets[touching, 1], end)
    reached = np.maximum.accumulate(end)
    fresh = np.flatnonzero(begin >= np.concatenate(([-1], reached[:-1])))
    if len(fresh):
        carriers = touching[fresh]
        starts[carriers] = begin[fresh]
        ends[carriers] = np.maximum.reduceat(end, fresh)
    return result


def _pairs(spans: Sequence[Any]) -> Ints:
    return np.asarray(spans, dtype=np.int64).reshape(-1, 2)


def _spaced(row: Mapping[str, Any]) -> tuple[str, Ints]:
    """The given tokens with a space between any two, and where they lie."""
    words = _pairs(row["words"])
    lengths = words[:, 1] - words[:, 0]
    ends = np.cumsum(lengths + 1) - 1
    return " ".join(row["tokens"]), np.stack((ends - lengths, ends), axis=1)


def _is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    backend: Any = tokenizer
    return "ByteLevel" in str(backend.backend_tokenizer.pre_tokenizer)


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What stands before and after a text: arrays of shape [2, tokens], ids above token types."""
    encoded = tokenizer("a", return_special_tokens_mask=True, return_token_type_ids=True)
    text = np.flatnonzero(np.asarray(encoded["special_tokens_mask"]) == 0)
    table = np.asarray([encoded["input_ids"], encoded["token_type_ids"]], dtype=np.int64)
    return table[:, : text[0]], table[:, text[-1] + 1 :]
