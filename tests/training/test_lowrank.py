"""The joined LoRA layer gives what peft's gives, forward and backward."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from nbtune.training.dropout import Masks
from nbtune.training.lowrank import LowRankForward, SharedMasks, is_plain


def adapted(dropout: float = 0.0, **settings: Any) -> Any:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4, bias=False))
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=["0", "2"], lora_dropout=dropout, **settings))  # type: ignore[arg-type]
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:  # zeros at first
            nn.init.normal_(parameter)
    return wrapped


def layers(model: nn.Module) -> list[Any]:
    return [layer for layer in model.modules() if is_plain(layer)]


def results(model: nn.Module, rows: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    rows = rows.clone().requires_grad_()
    out = model(rows)
    (out**3).sum().backward()
    learned = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    assert rows.grad is not None
    return [out.detach(), rows.grad, *learned]


@pytest.mark.parametrize("shape", [(7, 6), (3, 4, 6)])
def test_values_and_gradients_are_those_of_peft(shape: tuple[int, ...]) -> None:
    model, rows = adapted(), torch.randn(shape)
    expected = results(model, rows)
    assert len(layers(model)) == 2
    shared = SharedMasks(Masks(0))
    for layer in layers(model):
        layer.forward = LowRankForward(layer, shared)
    found = results(model, rows)
    assert len(found) == len(expected) == 6
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_dropout_hits_the_adapter_alone_and_its_gradient_alike() -> None:
    model, rows = adapted(dropout=0.5).train(), torch.randn(8, 6)
    layer = layers(model)[0]
    shared = SharedMasks(Masks(0))
    layer.forward = LowRankForward(layer, shared)
    given = rows.clone().requires_grad_()
    out = layer(given)
    mask, _ = shared.of(given, 0.5)  # the same rows: the mask that was used
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    base = layer.base_layer
    expected = rows @ base.weight.T + base.bias + layer.scaling["default"] * (rows * mask) @ down.T @ up.T
    torch.testing.assert_close(out, expected)
    out.sum().backward()
    ones = torch.ones_like(out)
    wanted = ones @ base.weight + layer.scaling["default"] * (ones @ up @ down) * mask
    torch.testing.assert_close(given.grad, wanted)
    assert not torch.equal(shared.of(rows.clone(), 0.5)[0], mask)


def test_variants_are_left_to_peft() -> None:
    assert layers(adapted(use_dora=True)) == []


def test_layers_share_a_mask_for_the_same_rows_and_probability_alone() -> None:
    shared, rows = SharedMasks(Masks(0)), torch.ones(64, 64)
    mask, dropped = shared.of(rows, 0.5)
    assert shared.of(rows, 0.5)[0] is mask
    other, _ = shared.of(rows, 0.1)
    assert (other == 0).float().mean() < 0.2 < (mask == 0).float().mean()
    assert shared.of(rows.clone(), 0.1)[0] is not other
    assert torch.equal(dropped, mask)
