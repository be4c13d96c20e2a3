"""The tokens of a padded batch without their padding: one row a token, sequence after sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

_LIKE = 0.6
"""Texts shorter than this share of the longest get a rectangle of their own for attention, whose cost is its square."""
_RECTANGLE = 20_000
"""What a further rectangle costs, in squared tokens."""
_WORTH = 0.05
"""The share of padding from which taking it out costs less than computing it."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Which places of a [sequences, longest] rectangle hold tokens.

    `tokens` are the places of the packed rows in the flattened rectangle; None where the rectangle is kept as it is.
    `bias` is added to attention scores, shape [sequences, 1, 1, longest]; None where there is no padding at all.
    """

    lengths: tuple[int, ...]
    longest: int
    tokens: Tensor | None
    bias: Tensor | None

    @classmethod
    def of(cls, mask: Tensor, *, wasteful: bool = True) -> Packing:
        """From an attention mask that `is_padded_right`, shape [sequences, longest].

        Where `wasteful`, a little padding stays in, because taking it out would cost more.
        """
        sequences, longest = mask.shape
        lengths = tuple(mask.sum(dim=1).tolist())
        if sum(lengths) == sequences * longest:
            return cls.full(sequences, longest)
        bias = torch.zeros(mask.shape).masked_fill_(mask == 0, torch.finfo(torch.float32).min)[:, None, None]
        few = wasteful and 1 - sum(lengths) / (sequences * longest) < _WORTH
        return cls(lengths, longest, None if few else mask.flatten().nonzero().squeeze(-1), bias)

    @classmethod
    def full(cls, sequences: int, longest: int) -> Packing:
        """Without padding."""
        return cls((longest,) * sequences, longest, None, None)

    @classmethod
    def of_lengths(cls, lengths: Sequence[int]) -> Packing:
        """Of sequences of these lengths, without any padding left in."""
        counts = torch.tensor(lengths)[:, None]
        return cls.of(torch.arange(max(lengths)) < counts, wasteful=False)

    def pack(self, rectangle: Tensor) -> Tensor:
        """[sequences, longest, ...] -> [packed rows, ...]."""
        flat = rectangle.flatten(0, 1)
        return flat if self.tokens is None else flat.index_select(0, self.tokens)

    def unpack(self, rows: Tensor) -> Tensor:
        """[packed rows, width] -> [sequences, longest, width], zeros in the padding."""
        sequences = len(self.lengths)
        if self.tokens is not None:
            rows = rows.new_zeros(sequences * self.longest, rows.shape[1]).index_copy_(0, self.tokens, rows)
        return rows.view(sequences, self.longest, rows.shape[1])

    def subset(self, wanted: Tensor) -> tuple[Tensor, Packing]:
        """The packed rows of the tokens that are `wanted`, [sequences, longest] booleans, and how these are packed."""
        flat = wanted.flatten()
        rows = (flat if self.tokens is None else flat.index_select(0, self.tokens)).nonzero().squeeze(-1)
        return rows, Packing.of_lengths(wanted.sum(dim=1).tolist())


@dataclass(frozen=True, slots=True)
class Part:
    """Texts whose attention is computed in one rectangle: the packed rows of their queries and of their keys, and how
    each of these are packed."""

    queries: slice
    keys: slice
    asking: Packing
    packing: Packing


def parts_of_like_length(asking: Packing, packing: Packing) -> list[Part]:
    """Neighbouring texts of like length together, in order, without texts of which nothing is asked. `asking` packs the
    queries, `packing` the keys; where texts are not in the order of their lengths, or there is little to save, that is
    one part."""
    cuts = [0, len(packing.lengths)] if packing.tokens is None else _cuts(packing.lengths)
    if len(cuts) == 2:
        return [Part(slice(None), slice(None), asking, packing)]
    return [
        Part(_rows(asking, *ends), _rows(packing, *ends), _between(asking, *ends), _between(packing, *ends))
        for ends in pairwise(cuts)
        if any(asking.lengths[slice(*ends)])  # of which nothing is asked
    ]


def _cuts(lengths: Sequence[int]) -> list[int]:
    """Where a new rectangle begins, with both ends."""
    falling = list(lengths) if lengths[0] >= lengths[-1] else list(reversed(lengths))
    if any(one < other for one, other in pairwise(falling)):
        return [0, len(lengths)]
    cuts, longest = [0], falling[0]
    for place, length in enumerate(falling):
        if length < _LIKE * longest:
            cuts.append(place)
            longest = length
    cuts.append(len(falling))
    squares = sum((stop - start) * falling[start] ** 2 for start, stop in pairwise(cuts))
    if len(falling) * falling[0] ** 2 - squares < _RECTANGLE * (len(cuts) - 2):
        return [0, len(lengths)]
    return cuts if lengths[0] >= lengths[-1] else [len(lengths) - cut for cut in reversed(cuts)]


def _rows(packing: Packing, first: int, stop: int) -> slice:
    start = sum(packing.lengths[:first])
    return slice(start, start + sum(packing.lengths[first:stop]))


def _between(packing: Packing, first: int, stop: int) -> Packing:
    return Packing.of_lengths(packing.lengths[first:stop])


def is_padded_right(mask: Tensor) -> bool:
    """Whether an attention mask, [sequences, longest], is ones and then zeros in each row, and no row is empty."""
    if mask.dim() != 2 or mask.dtype.is_floating_point or not mask.shape[1]:
        return False
    ones = mask.bool()
    ordered = bool((ones[:, 1:] <= ones[:, :-1]).all()) and bool(ones[:, 0].all())
    return ordered and (mask.dtype == torch.bool or int(mask.max()) == 1)
