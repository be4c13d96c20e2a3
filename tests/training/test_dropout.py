"""Cheap dropout: the right share, the right scale, and a state that can be saved."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from nbtune.training.dropout import CheapDropout, Masks


@pytest.mark.parametrize("probability", [0.01, 0.1, 0.5, 0.9])
def test_masks_drop_the_share_asked_for_and_keep_the_mean(probability: float) -> None:
    mask = Masks(0).draw((500, 401), probability)
    dropped = (mask == 0).double().mean().item()
    # five standard deviations of a share over 200,500 draws
    assert dropped == pytest.approx(probability, abs=5 * (probability * (1 - probability) / mask.numel()) ** 0.5)
    assert mask.unique().numel() == 2
    assert mask.max().item() == pytest.approx(1 / (1 - probability), rel=1e-3)


def test_masks_have_no_pattern_along_rows_and_columns() -> None:
    kept = (Masks(1).draw((256, 256), 0.5) > 0).double() - 0.5
    for shift in (1, 2, 3, 4, 8):
        for axis in (0, 1):
            correlation = (kept * kept.roll(shift, axis)).mean().item() * 4
            assert abs(correlation) < 5 / 256


def test_masks_go_on_where_a_saved_state_was() -> None:
    masks = Masks(3)
    masks.draw((7, 5), 0.1)
    state = json.loads(json.dumps(masks.state()))
    expected = [masks.draw((3, 33), 0.3) for _ in range(3)]
    other = Masks(99)
    other.restore(state)
    assert all(torch.equal(other.draw((3, 33), 0.3), mask) for mask in expected)


def test_gradients_pass_where_values_passed() -> None:
    layer = CheapDropout(0.4, Masks(0))
    values = torch.ones(64, 64, requires_grad=True)
    out = layer(values)
    out.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, out.detach())


def test_evaluation_and_a_probability_of_zero_or_one_are_those_of_torch() -> None:
    values = torch.randn(5, 5)
    assert torch.equal(CheapDropout(0.5, Masks(0)).eval()(values), values)
    assert torch.equal(CheapDropout(0.0, Masks(0))(values), values)
    assert torch.equal(CheapDropout(1.0, Masks(0))(values), nn.Dropout(1.0)(values))


def test_a_probability_next_to_one_drops_everything() -> None:
    assert not Masks(0).draw((8, 8), 1 - 1e-9).any()
