"""Parts of a model replaced by ones that give the same with less work while it trains, and put back afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from nbtune.data.encoding import FeatureSet
from nbtune.tasks.head import Head
from nbtune.training import adapters
from nbtune.training.devices import Device
from nbtune.training.dropout import CheapDropout, Masks
from nbtune.training.encoder import SUPPORTED, PackedForward, first_token_suffices
from nbtune.training.kept import KeptStates
from nbtune.training.lowrank import LowRankForward, SharedMasks, is_plain
from nbtune.training.vocabulary import LearnedRows, used_tokens

_WORTH = 0.9
"""The share of its vocabulary that training data may use for the table to be cut down."""


class Shortcuts:
    """What was replaced in a head's modules; `remove` puts it back, with what was learned."""

    def __init__(
        self, head: Head, features: FeatureSet, device: Device, seed: int, *, keep_frozen: bool = True
    ) -> None:
        self._keep_frozen = keep_frozen
        self.masks = Masks(seed)
        self.packs = False  # whether padding costs (nearly) nothing
        self.kept: list[KeptStates] = []
        self._undo: list[Callable[[], None]] = []
        self._learn_used_rows(head, features)
        if device.kind == "cpu":
            self._join_adapters(head)
            self._draw_cheap_masks(head)
            self._pack(head)

    def remove(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _learn_used_rows(self, head: Head, features: FeatureSet) -> None:
        table = _token_table(head.model)
        if table is None or not table.weight.requires_grad or _shared(head, table.weight):
            return
        padding = np.asarray([head.tokenizer.pad_token_id or 0])
        tokens = used_tokens([*features.token_columns(), padding], table.num_embeddings)
        if len(tokens) < _WORTH * table.num_embeddings:
            name = next(name for name, module in head.model.named_modules() if module is table)
            self._replace(head.model, name, LearnedRows(table, tokens))

    def _draw_cheap_masks(self, head: Head) -> None:
        for root in adapters.modules(head).values():
            for name, module in list(root.named_modules()):
                if type(module) is nn.Dropout and name:
                    self._replace(root, name, CheapDropout(module.p, self.masks))

    def _join_adapters(self, head: Head) -> None:
        shared = SharedMasks(self.masks)
        layers: list[Any] = [layer for layer in head.model.modules() if is_plain(layer)]
        for layer in layers:
            layer.forward = LowRankForward(layer, shared)
            self._undo.append(lambda layer=layer: delattr(layer, "forward"))  # type: ignore[misc]
        self._undo.append(shared.forget)

    def _pack(self, head: Head) -> None:
        for encoder in packable(head):
            self.packs = True
            frozen = _frozen_layers(encoder) if self._keep_frozen else 0
            kept = KeptStates() if frozen else None
            self.kept += [] if kept is None else [kept]
            forward = PackedForward(encoder, self.masks, frozen=frozen, kept=kept)
            self._undo.append(_replace_forward(head, encoder, forward))

    def _replace(self, root: nn.Module, name: str, by: nn.Module) -> None:
        old = root.get_submodule(name)
        by.train(old.training)
        root.set_submodule(name, by)

        def put_back() -> None:
            # found again by identity: adapters may have been merged and moved in between
            for place, module in list(root.named_modules()):
                if module is by:
                    root.set_submodule(place, _original(by, old))

        self._undo.append(put_back)


def pack_predictions(head: Head, device: Device) -> None:
    """Let a head that will not be trained any more answer over packed tokens."""
    if device.kind == "cpu":
        for encoder in packable(head):
            _replace_forward(head, encoder, PackedForward(encoder, Masks(0)))


def packable(head: Head) -> list[Any]:
    """The encoders inside the head's model of which the packed forward is known."""
    encoder: Any
    found = []
    for encoder in head.model.modules():
        if type(encoder).__name__ in SUPPORTED and not encoder.config.is_decoder:
            found.append(encoder)
    return found


def _replace_forward(head: Head, encoder: Any, forward: PackedForward) -> Callable[[], None]:
    """Returns what undoes it."""
    model = _transformer(head.model)
    classifier = type(model).__name__.endswith("ForSequenceClassification")
    release = first_token_suffices(model, forward) if classifier else lambda: None
    encoder.forward = forward

    def undo() -> None:
        del encoder.forward
        release()

    return undo


def _original(replacement: nn.Module, old: nn.Module) -> nn.Module:
    if isinstance(replacement, LearnedRows):
        table = replacement.write_back()
        table.weight.requires_grad_(True)
        return table
    return old.train(replacement.training)


def _shared(head: Head, weight: Any) -> bool:
    """Whether another module uses the same parameter (the output layer of a generator)."""
    every = (
        p for module in adapters.modules(head).values() for _, p in module.named_parameters(remove_duplicate=False)
    )
    return sum(parameter is weight for parameter in every) > 1


def _token_table(model: Any) -> nn.Embedding | None:
    """The table of token vectors; None where the model has no plain one."""
    table = model.get_input_embeddings() if hasattr(model, "get_input_embeddings") else None
    return table if type(table) is nn.Embedding else None


def _frozen_layers(encoder: Any) -> int:
    """How many of the lowest layers do not learn; none where the embeddings do."""
    if adapters.learns(encoder.embeddings):
        return 0
    layers = list(encoder.encoder.layer)
    return next((place for place, layer in enumerate(layers) if adapters.learns(layer)), len(layers))


def _transformer(model: nn.Module) -> nn.Module:
    """The transformers model, adapters looked through."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
