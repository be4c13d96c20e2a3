"""The forward pass of BERT-like encoders on a CPU, computing nothing that nobody reads.

Tokens are packed, so padding costs nothing; where only the first token is read (sequence classification), the last
layer computes that token alone, a seventh of the whole for six layers; attention of long texts runs text by text,
inside the processor's cache. The submodules are the model's own, so adapters and frozen layers work as before. Equal to
the model's own forward up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbtune.training.dropout import CheapDropout, Masks
from nbtune.training.kept import KeptStates, text_keys
from nbtune.training.packing import Packing, is_padded_right

SUPPORTED = frozenset({"BertModel", "RobertaModel", "XLMRobertaModel", "CamembertModel"})
"""Encoders of this layout: attention.self.{query,key,value}, attention.output, intermediate, output."""

LONG = 96
"""Tokens from which a text's attention is computed by itself."""


class PackedForward:
    """In place of the `forward` of `encoder`; what it does not know is left to the model's own.

    While `first_only` is true (see `first_token_suffices`) the last hidden state has one token a text, shape
    [texts, 1, width]. The lowest `frozen` layers (and what is below them) do not learn: what they give is taken from
    `kept`, which computes each text by itself.
    """

    def __init__(self, encoder: Any, masks: Masks, *, frozen: int = 0, kept: KeptStates | None = None) -> None:
        self.encoder = encoder
        self.masks = masks
        self.first_only = False
        self.frozen = frozen
        self.kept = kept

    def __call__(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        **further: Any,
    ) -> Any:
        known = input_ids is not None and position_ids is None and not any(map(_asks_for_something, further.items()))
        if not known or not (attention_mask is None or is_padded_right(attention_mask)):
            own = type(self.encoder).forward
            return own(self.encoder, input_ids, attention_mask, token_type_ids, position_ids, **further)
        assert input_ids is not None  # part of `known`
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if self.kept is None:
            packing = Packing.of(mask)
            rows = packing.pack(self._embed(input_ids, token_type_ids))
            return self._answer(self._finish(self._through(rows, packing, 0, self.depth), packing))
        packing = Packing.of(mask, wasteful=False)
        rows = self._kept_rows(input_ids, token_type_ids, packing)
        return self._answer(self._finish(self._through(rows, packing, self.frozen, self.depth), packing))

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.encoder.encoder.layer)

    def _embed(self, ids: Tensor, types: Tensor | None) -> Tensor:
        return self.encoder.embeddings(input_ids=ids, token_type_ids=types)  # type: ignore[no-any-return]

    def _through(self, rows: Tensor, packing: Packing, first: int, stop: int) -> Tensor:
        """Through the layers from `first` to before `stop`; the last of all may give one row a text."""
        for place in range(first, stop):
            wanted = packing.firsts() if self.first_only and place == self.depth - 1 else None
            rows = self._layer(self.encoder.encoder.layer[place], rows, packing, wanted)
        return rows

    def _finish(self, rows: Tensor, packing: Packing) -> Tensor:
        """The last hidden state, [texts, longest or 1, width]."""
        return rows[:, None] if self.first_only else packing.unpack(rows)

    def _kept_rows(self, ids: Tensor, types: Tensor | None, packing: Packing) -> Tensor:
        """What the frozen layers give, one row a token (or a text, where no more is read)."""
        assert self.kept is not None

        def alone(position: int) -> Tensor:
            length = packing.lengths[position]
            own = ids[position : position + 1, :length]
            own_types = None if types is None else types[position : position + 1, :length]
            with torch.no_grad():
                rows = self._embed(own, own_types)[0]
                return self._through(rows, Packing((length,), length, None, None), 0, self.frozen)

        form = b"1" if self.first_only else b"*"
        return self.kept.gather([form + key for key in text_keys(ids, types, packing.lengths)], alone)

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


def first_token_suffices(model: nn.Module, forward: PackedForward) -> Callable[[], None]:
    """Let `forward` give first tokens only whenever it is called from within `model`, which reads no others; a head
    that calls the encoder itself gets every token. Returns what undoes it."""

    def switch(first_only: bool) -> None:
        forward.first_only = first_only

    handles = [
        model.register_forward_pre_hook(lambda *_: switch(True)),
        model.register_forward_hook(lambda *_: switch(False), always_call=True),
    ]

    def undo() -> None:
        for handle in handles:
            handle.remove()

    return undo


def _asks_for_something(argument: tuple[str, Any]) -> bool:
    """Whether a further argument wants what the packed forward does not give."""
    name, value = argument
    return value is not None and value is not False and not (name == "return_dict" and value is True)
