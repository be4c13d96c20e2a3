"""Texts through the encoder, in chunks of like length: one unit vector a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

CHUNK_TOKENS = 4096
MOST_TOKENS = 8192
"""Above this many tokens a step, activations are computed again instead of kept (Chen et al., 2016)."""


def pool(model: nn.Module, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean token vector of each text, of length 1, shape [texts, size]."""
    hidden = model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    mask = attention_mask[..., None].to(hidden.dtype)
    return F.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1), dim=-1)


def pool_texts(model: nn.Module, tokens: Sequence[Sequence[int]], filler: int, device: torch.device) -> Tensor:
    """`pool` of any number of texts, in their order, with gradients where they are on; padding is kept small."""
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    spare = torch.is_grad_enabled() and sum(map(len, tokens)) > MOST_TOKENS
    parts = []
    for chunk in _chunks([len(tokens[index]) for index in order]):
        inputs, mask = _padded([tokens[order[index]] for index in chunk], filler)
        pair = inputs.to(device), mask.to(device)
        if spare:
            parts.append(checkpoint(pool, model, *pair, use_reentrant=False))
        else:
            parts.append(pool(model, *pair))
    back = torch.empty(len(order), dtype=torch.long)
    back[order] = torch.arange(len(order))
    return torch.cat(parts).float()[back.to(device)]


def _chunks(lengths: Sequence[int]) -> Iterator[range]:
    """Ranges of ascending lengths whose padded size stays within `CHUNK_TOKENS`."""
    start = 0
    for stop in range(1, len(lengths) + 1):
        if stop == len(lengths) or (stop + 1 - start) * lengths[stop] > CHUNK_TOKENS:
            yield range(start, stop)
            start = stop


def _padded(tokens: Sequence[Sequence[int]], filler: int) -> tuple[Tensor, Tensor]:
    longest = max(map(len, tokens))
    inputs = torch.full((len(tokens), longest), filler, dtype=torch.long)
    mask = torch.zeros((len(tokens), longest), dtype=torch.long)
    for row, ids in enumerate(tokens):
        inputs[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        mask[row, : len(ids)] = 1
    return inputs, mask
