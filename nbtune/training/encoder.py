"""The forward pass of BERT-like encoders on a CPU, computing nothing that nobody reads.

Tokens are packed, so padding costs nothing; where only the first token is read (sequence classification), the last
layer computes that token alone, a seventh of the whole for six layers; attention of long texts runs text by text,
inside the processor's cache. The submodules are the model's own, so adapters and frozen layers work as before. Equal to
the model's own forward up to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbtune.training.dropout import CheapDropout, Masks
from nbtune.training.packing import Packing

SUPPORTED = frozenset({"BertModel", "RobertaModel", "XLMRobertaModel", "CamembertModel"})
"""Encoders of this layout: attention.self.{query,key,value}, attention.output, intermediate, output."""

LONG = 96
"""Tokens from which a text's attention is computed by itself."""


class PackedForward:
    """In place of the `forward` of `encoder`; what it does not know is left to the model's own.

    With `first_only` the last hidden state has one token a text, shape [texts, 1, width].
    """

    def __init__(self, encoder: Any, masks: Masks, *, first_only: bool) -> None:
        self.encoder = encoder
        self.masks = masks
        self.first_only = first_only

    def __call__(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        **further: Any,
    ) -> Any:
        known = input_ids is not None and (attention_mask is None or attention_mask.dim() == 2)
        if not known or any(value is not None and value is not False for value in _unusual(further)):
            own = type(self.encoder).forward
            return own(self.encoder, input_ids, attention_mask, token_type_ids, position_ids, **further)
        assert input_ids is not None  # part of `known`
        embedded = self.encoder.embeddings(
            input_ids=input_ids, token_type_ids=token_type_ids, position_ids=position_ids
        )
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return self._answer(self._encode(embedded, Packing.of(mask)))

    def _encode(self, embedded: Tensor, packing: Packing) -> Tensor:
        """The last hidden state, [texts, longest or 1, width]."""
        rows = packing.pack(embedded)
        *lower, last = self.encoder.encoder.layer
        for layer in lower:
            rows = self._layer(layer, rows, packing)
        if not self.first_only:
            return packing.unpack(self._layer(last, rows, packing))
        return self._layer(last, rows, packing, packing.firsts())[:, None]

    def _answer(self, states: Tensor) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

        pooler = self.encoder.pooler
        pooled = None if pooler is None else pooler(states)
        return BaseModelOutputWithPoolingAndCrossAttentions(last_hidden_state=states, pooler_output=pooled)

    def _layer(self, layer: Any, rows: Tensor, packing: Packing, wanted: Tensor | None = None) -> Tensor:
        """One transformer layer; with `wanted`, only these packed rows come out (one a text)."""
        attention = layer.attention.self
        asking = rows if wanted is None else rows.index_select(0, wanted)
        query, key, value = attention.query(asking), attention.key(rows), attention.value(rows)
        if wanted is not None:
            context = self._attend_first(attention, query, key, value, packing)
        elif packing.longest >= LONG:
            context = self._attend_apart(attention, query, key, value, packing)
        else:
            context = self._attend_together(attention, query, key, value, packing)
        joined = self._join(layer.attention.output, context, asking)
        raised = layer.intermediate.intermediate_act_fn(layer.intermediate.dense(joined))
        return self._join(layer.output, raised, joined)

    def _join(self, part: Any, rows: Tensor, residual: Tensor) -> Tensor:
        """Project, drop out, add, normalise."""
        projected = part.dense(rows)
        drop: nn.Dropout = part.dropout
        if isinstance(drop, CheapDropout) and drop.training and drop.p:
            # one pass in place of two
            summed = torch.addcmul(residual, projected, self.masks.draw(projected.shape, drop.p))
        else:
            summed = drop(projected) + residual
        return part.LayerNorm(summed)  # type: ignore[no-any-return]

    def _attend_together(self, attention: Any, query: Tensor, key: Tensor, value: Tensor, packing: Packing) -> Tensor:
        q, k, v = (self._heads(attention, packing.unpack(part)) for part in (query, key, value))
        context = self._attend(attention, q, k, v, packing.bias).transpose(1, 2)
        return packing.pack(context.reshape(*context.shape[:2], query.shape[1]))

    def _attend_apart(self, attention: Any, query: Tensor, key: Tensor, value: Tensor, packing: Packing) -> Tensor:
        """Text by text, without padding; the scores of one text stay in the cache."""
        if packing.tokens is None:
            lengths, bias = [packing.longest] * len(packing.lengths), packing.bias
        else:
            lengths, bias = list(packing.lengths), None
        contexts = []
        split = (torch.split(part, lengths) for part in (query, key, value))
        for index, parts in enumerate(zip(*split, strict=True)):
            q, k, v = (self._heads(attention, part[None]) for part in parts)
            own = None if bias is None else bias[index : index + 1]
            contexts.append(self._attend(attention, q, k, v, own).transpose(1, 2).reshape(parts[0].shape))
        return torch.cat(contexts)

    def _attend_first(self, attention: Any, query: Tensor, key: Tensor, value: Tensor, packing: Packing) -> Tensor:
        """`query` has one row a text."""
        keys, values = (self._heads(attention, packing.unpack(part)) for part in (key, value))
        context = self._attend(attention, self._heads(attention, query[:, None]), keys, values, packing.bias)
        return context.reshape(query.shape)

    def _attend(self, attention: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        """Scaled dot-product attention with dropout, [texts, heads, tokens, width of a head]."""
        chance = attention.dropout.p if attention.training else 0.0
        if not torch.is_grad_enabled() and not chance:
            return F.scaled_dot_product_attention(query, key, value, bias, scale=attention.scaling)
        scores = torch.matmul(query * attention.scaling, key.transpose(2, 3))
        weights = torch.softmax(scores if bias is None else scores + bias, dim=-1)
        if chance:
            weights = weights * self.masks.draw(weights.shape, chance)
        return torch.matmul(weights, value)

    @staticmethod
    def _heads(attention: Any, rows: Tensor) -> Tensor:
        """[texts, tokens, width] -> [texts, heads, tokens, width of a head]."""
        return rows.view(*rows.shape[:2], -1, attention.attention_head_size).transpose(1, 2)


def _unusual(further: dict[str, Any]) -> list[Any]:
    """Values of arguments that ask for something the packed forward does not give."""
    return [value for key, value in further.items() if key != "return_dict" or value is not True]
