"""The forward pass of BERT-like encoders on a CPU, computing nothing that nobody reads.

Tokens are packed, so padding costs nothing; of the last layer only the tokens that are read are computed (sequence
classification reads the first, a seventh of the whole for six layers; a token classifier the first piece of each word).
The submodules are the model's own, so adapters and frozen layers work as before. Equal to the model's own forward up to
rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nbtune.tasks.reading import promised
from nbtune.training.attention import Attention
from nbtune.training.dropout import CheapDropout, Masks
from nbtune.training.kept import KeptStates, text_keys
from nbtune.training.packing import Packing, Part, is_padded_right, parts_of_like_length

SUPPORTED = frozenset({"BertModel", "RobertaModel", "XLMRobertaModel", "CamembertModel"})
"""Encoders of this layout: attention.self.{query,key,value}, attention.output, intermediate, output."""

Asked = tuple[Tensor, Packing]
"""The packed rows that the last layer is asked for, and how they are packed themselves."""


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
        mask = (torch.ones_like(input_ids) if attention_mask is None else attention_mask).bool()
        packing = Packing.of(mask, wasteful=self.kept is None)
        if self.kept is None:
            rows, first = packing.pack(self._embed(input_ids, token_type_ids)), 0
        else:
            rows, first = self._kept_rows(input_ids, token_type_ids, packing), self.frozen
        wanted = self._wanted(mask) if first < self.depth else None
        asked = None if wanted is None else packing.subset(wanted)
        return self._answer(self._finish(self._through(rows, packing, first, self.depth, asked), packing, wanted))

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.encoder.encoder.layer)

    def _wanted(self, mask: Tensor) -> Tensor | None:
        """The tokens that are read of the last layer's states; None for all."""
        if self.first_only:
            return torch.zeros_like(mask).index_fill_(1, torch.zeros(1, dtype=torch.int64), True)
        read = promised()
        if read is None or read.shape != mask.shape:
            return None
        read = read & mask
        return read if read.any() else None

    def _embed(self, ids: Tensor, types: Tensor | None) -> Tensor:
        return self.encoder.embeddings(input_ids=ids, token_type_ids=types)  # type: ignore[no-any-return]

    def _through(self, rows: Tensor, packing: Packing, first: int, stop: int, asked: Asked | None) -> Tensor:
        """Through the layers from `first` to before `stop`; the last of all gives what is `asked` for alone."""
        own = parts_of_like_length(packing, packing)
        last = None if asked is None else (asked[0], parts_of_like_length(asked[1], packing))
        for place in range(first, stop):
            rows = self._layer(self.encoder.encoder.layer[place], rows, own, last if place == self.depth - 1 else None)
        return rows

    def _finish(self, rows: Tensor, packing: Packing, wanted: Tensor | None) -> Tensor:
        """The last hidden state, [texts, longest or 1, width]."""
        if self.first_only:
            return rows[:, None]
        if wanted is None:
            return packing.unpack(rows)
        places = wanted.flatten().nonzero().squeeze(-1)
        return rows.new_zeros(wanted.numel(), rows.shape[1]).index_copy_(0, places, rows).view(*wanted.shape, -1)

    def _kept_rows(self, ids: Tensor, types: Tensor | None, packing: Packing) -> Tensor:
        """What the frozen layers give, one row a token (or a text, where no more is read)."""
        assert self.kept is not None

        def alone(position: int) -> Tensor:
            length = packing.lengths[position]
            own = ids[position : position + 1, :length]
            own_types = None if types is None else types[position : position + 1, :length]
            text = Packing.full(1, length)
            first = (torch.zeros(1, dtype=torch.int64), Packing.full(1, 1)) if self.first_only else None
            with torch.no_grad():
                return self._through(self._embed(own, own_types)[0], text, 0, self.frozen, first)

        form = b"1" if self.first_only else b"*"
        return self.kept.gather([form + key for key in text_keys(ids, types, packing.lengths)], alone)

    def _answer(self, states: Tensor) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

        pooler = self.encoder.pooler
        pooled = None if pooler is None else pooler(states)
        return BaseModelOutputWithPoolingAndCrossAttentions(last_hidden_state=states, pooler_output=pooled)

    def _layer(
        self, layer: Any, rows: Tensor, parts: Sequence[Part], asked: tuple[Tensor, Sequence[Part]] | None
    ) -> Tensor:
        """One transformer layer; of `asked` rows alone, where given."""
        own = layer.attention.self
        asking, parts = (rows, parts) if asked is None else (rows.index_select(0, asked[0]), asked[1])
        chance = own.dropout.p if own.training else 0.0
        attend = Attention(own.num_attention_heads, own.scaling, chance, self.masks)
        context = attend(own.query(asking), own.key(rows), own.value(rows), parts)
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
