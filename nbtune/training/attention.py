"""Self-attention over packed tokens on a CPU, with as few passes over memory as torch's operations allow.

Written by hand forward and backward: autograd's own graph copies queries, keys and values twice more each way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from nbtune.training.dropout import Masks
from nbtune.training.packing import Packing, Part

LONG = 96
"""Tokens from which a text's attention is computed by itself, inside the processor's cache."""


class Attention:
    """Scaled dot-product attention with `heads`; dropout with `chance` from `masks`."""

    def __init__(self, heads: int, scaling: float, chance: float, masks: Masks) -> None:
        self.heads = heads
        self.scaling = scaling
        self.chance = chance
        self.masks = masks

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, parts: Sequence[Part]) -> Tensor:
        """What each query's text tells it, [rows of the queries, width]; `query`, `key` and `value` are packed rows."""
        contexts = [
            self._part(query[each.queries], key[each.keys], value[each.keys], each.asking, each.packing)
            for each in parts
        ]
        return contexts[0] if len(contexts) == 1 else torch.cat(contexts)

    def _part(self, query: Tensor, key: Tensor, value: Tensor, asking: Packing, packing: Packing) -> Tensor:
        if packing.longest >= LONG and asking.longest > 1:
            return self._apart(query, key, value, asking, packing)
        if query.dtype == torch.float32 and torch.is_grad_enabled():
            mask = self._mask(asking.longest, packing.longest, len(packing.lengths))
            given = (query, key, value, mask, asking, packing, self.heads, self.scaling)
            return _Attend.apply(*given)  # type: ignore[no-any-return, no-untyped-call]
        q, k, v = (self._split(p.unpack(part)) for p, part in ((asking, query), (packing, key), (packing, value)))
        return asking.pack(_merged(self._attend(q, k, v, packing.bias)))

    def _apart(self, query: Tensor, key: Tensor, value: Tensor, asking: Packing, packing: Packing) -> Tensor:
        """Text by text, without padding; the scores of one text stay in the cache."""
        contexts = []
        bias = packing.bias if packing.tokens is None else None  # where a little padding was left in
        parts = zip(_texts(query, asking), _texts(key, packing), _texts(value, packing), strict=True)
        for index, text in enumerate(parts):
            own = None if bias is None else bias[index : index + 1]
            q, k, v = (self._split(part[None]) for part in text)
            contexts.append(_merged(self._attend(q, k, v, own))[0])
        return torch.cat(contexts)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        """[texts, heads, tokens, width of a head]; `bias` is added to the scores."""
        if not torch.is_grad_enabled() and not self.chance:
            mask = None if bias is None else bias.to(query.dtype)
            return F.scaled_dot_product_attention(query, key, value, mask, scale=self.scaling)
        scores = torch.matmul(query * self.scaling, key.transpose(2, 3))
        weights = torch.softmax(scores if bias is None else scores + bias, dim=-1)
        if self.chance:
            weights = weights * self.masks.draw(weights.shape, self.chance)
        return torch.matmul(weights, value)

    def _mask(self, asking: int, longest: int, texts: int) -> Tensor | None:
        return self.masks.draw((texts * self.heads, asking, longest), self.chance) if self.chance else None

    def _split(self, rectangle: Tensor) -> Tensor:
        """[texts, tokens, width] -> [texts, heads, tokens, width of a head]."""
        return _split(rectangle, self.heads)


class _Attend(torch.autograd.Function):
    """`dropout(softmax(scaling * query @ key.T + bias)) @ value` for all texts and heads at once."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        asking: Packing,
        packing: Packing,
        heads: int,
        scaling: float,
    ) -> Tensor:
        q = _stacked(asking.unpack(query), heads)
        k, v = (_stacked(packing.unpack(part), heads) for part in (key, value))
        scores = _scaled_product(q, k.transpose(1, 2), scaling)
        if packing.bias is not None:
            scores.view(len(packing.lengths), heads, *scores.shape[1:]).add_(packing.bias)
        weights = torch.softmax(scores, dim=-1)
        dropped = weights if mask is None else weights * mask
        context = torch.bmm(dropped, v).view(-1, heads, asking.longest, v.shape[-1])
        ctx.save_for_backward(q, k, v, weights, dropped, mask)
        ctx.packings, ctx.heads, ctx.scaling = (asking, packing), heads, scaling
        return asking.pack(_merged(context))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, dropped, mask = ctx.saved_tensors
        asking, packing = ctx.packings
        context = _stacked(asking.unpack(gradient), ctx.heads)
        value = torch.bmm(dropped.transpose(1, 2), context)
        passed = torch.bmm(context, v.transpose(1, 2))
        if mask is not None:
            passed.mul_(mask)
        scores = torch._softmax_backward_data(passed, weights, -1, passed.dtype)
        query = _scaled_product(scores, k, ctx.scaling)
        key = _scaled_product(scores.transpose(1, 2), q, ctx.scaling)
        packed = (
            own.pack(_merged(part.view(-1, ctx.heads, own.longest, part.shape[-1])))
            for own, part in ((asking, query), (packing, key), (packing, value))
        )
        return (*packed, None, None, None, None, None)


def _scaled_product(left: Tensor, right: Tensor, scaling: float) -> Tensor:
    """`scaling * left @ right` in one pass."""
    return torch.baddbmm(left.new_empty(1, 1, 1), left, right, beta=0, alpha=scaling)


def _split(rectangle: Tensor, heads: int) -> Tensor:
    """[texts, tokens, width] -> [texts, heads, tokens, width of a head]."""
    return rectangle.view(*rectangle.shape[:2], heads, rectangle.shape[2] // heads).transpose(1, 2)


def _stacked(rectangle: Tensor, heads: int) -> Tensor:
    """[texts, tokens, width] -> [texts * heads, tokens, width of a head], for batched products."""
    return _split(rectangle, heads).flatten(0, 1)


def _merged(context: Tensor) -> Tensor:
    """[texts, heads, tokens, width of a head] -> [texts, tokens, width]."""
    return context.transpose(1, 2).flatten(2)


def _texts(rows: Tensor, packing: Packing) -> Sequence[Tensor]:
    """The packed rows of each text."""
    lengths = [packing.longest] * len(packing.lengths) if packing.tokens is None else list(packing.lengths)
    return torch.split(rows, lengths)
