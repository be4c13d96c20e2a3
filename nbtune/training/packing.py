"""The tokens of a padded batch without their padding: one row a token, sequence after sequence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_WORTH = 0.02
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

    def pack(self, rectangle: Tensor) -> Tensor:
        """[sequences, longest, ...] -> [packed rows, ...]."""
        flat = rectangle.flatten(0, 1)
        return flat if self.tokens is None else flat.index_select(0, self.tokens)

    def unpack(self, rows: Tensor) -> Tensor:
        """[packed rows, width] -> [sequences, longest, width], zeros in the padding."""
        sequences = len(self.lengths)
        if self.tokens is not None:
            rows = rows.new_zeros(sequences * self.longest, rows.shape[1]).index_copy(0, self.tokens, rows)
        return rows.view(sequences, self.longest, rows.shape[1])

    def subset(self, wanted: Tensor) -> tuple[Tensor, Packing]:
        """The packed rows of the tokens that are `wanted`, [sequences, longest] booleans, and how these are packed."""
        flat = wanted.flatten()
        rows = (flat if self.tokens is None else flat.index_select(0, self.tokens)).nonzero().squeeze(-1)
        counts = wanted.sum(dim=1, keepdim=True)
        return rows, Packing.of(torch.arange(int(counts.max())) < counts, wasteful=False)


def is_padded_right(mask: Tensor) -> bool:
    """Whether an attention mask, [sequences, longest], is ones and then zeros in each row, and no row is empty."""
    if mask.dim() != 2 or mask.dtype.is_floating_point or not mask.shape[1]:
        return False
    ones = mask.bool()
    ordered = bool((ones[:, 1:] <= ones[:, :-1]).all()) and bool(ones[:, 0].all())
    return ordered and (mask.dtype == torch.bool or int(mask.max()) == 1)
