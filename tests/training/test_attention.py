"""Attention written by hand has the gradients of attention, also under dropout and where few tokens ask."""

from __future__ import annotations

import pytest
import torch

from nbtune.training.attention import LONG, Attention, _Attend
from nbtune.training.dropout import Masks
from nbtune.training.packing import Packing, Part

HEADS, WIDTH = 2, 6
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]]).bool()


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("few", [True, False])
def test_gradients_are_those_of_finite_differences(dropout: float, padded: bool, few: bool) -> None:
    torch.manual_seed(0)
    packing = Packing.of(MASK, wasteful=False) if padded else Packing.full(3, 4)
    asking = packing
    if few:
        wanted = torch.zeros_like(MASK)
        wanted[0, 1] = wanted[0, 3] = wanted[2, 0] = True
        _, asking = packing.subset(wanted)
    rows = int(MASK.sum()) if padded else MASK.numel()
    query = torch.randn(3 if few else rows, WIDTH, dtype=torch.float64, requires_grad=True)
    key, value = (torch.randn(rows, WIDTH, dtype=torch.float64, requires_grad=True) for _ in range(2))
    mask = Masks(0).draw((3 * HEADS, asking.longest, 4), dropout).double() if dropout else None

    def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return _Attend.apply(query, key, value, mask, asking, packing, HEADS, 0.7)  # type: ignore[no-untyped-call, no-any-return]

    assert torch.autograd.gradcheck(attend, (query, key, value))


def test_the_inputs_are_left_as_they_were() -> None:
    packing = Packing.full(3, 1)  # of one token each: splitting into heads copies nothing
    parts = [torch.randn(3, WIDTH, requires_grad=True) for _ in range(3)]
    before = [part.detach().clone() for part in parts]
    given = (*parts, None, packing, packing, HEADS, 0.7)
    _Attend.apply(*given).sum().backward()  # type: ignore[no-untyped-call]
    assert all(torch.equal(part, old) for part, old in zip(parts, before, strict=True))


def test_a_long_text_of_which_nothing_is_read_beside_one_of_which_something_is() -> None:
    """As where a window of a long text owns no word."""
    torch.manual_seed(0)
    packing = Packing.full(2, LONG)
    wanted = torch.zeros(2, LONG, dtype=torch.bool)
    wanted[1, :3] = True
    chosen, asking = packing.subset(wanted)
    rows = torch.randn(2 * LONG, WIDTH)
    attention = Attention(HEADS, 0.7, 0.0, Masks(0))
    whole, some = slice(0, 2 * LONG), slice(0, 3)
    everything = attention(rows, rows, rows, [Part(whole, whole, packing, packing)])
    read = attention(rows[chosen], rows, rows, [Part(some, whole, asking, packing)])
    assert torch.allclose(read, everything[LONG : LONG + 3], atol=1e-6)
