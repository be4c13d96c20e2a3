"""Learning only the used rows of a table gives what learning the whole table gives."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nbtune.training.vocabulary import LearnedRows, used_tokens


def tables() -> tuple[nn.Embedding, LearnedRows]:
    torch.manual_seed(0)
    whole, part = nn.Embedding(50, 4, padding_idx=0), nn.Embedding(50, 4, padding_idx=0)
    part.load_state_dict(whole.state_dict())
    return whole, LearnedRows(part, np.asarray([0, 3, 7, 9, 30]))


def test_training_gives_the_table_that_the_whole_one_becomes() -> None:
    whole, part = tables()
    optimizers = [torch.optim.AdamW(m.parameters(), lr=0.05, weight_decay=0.0) for m in (whole, part)]
    for seed in range(6):
        ids = torch.tensor([[3, 7, 9, 0], [30, 3, 3, 0]]) if seed % 2 else torch.tensor([[9, 9]])
        for module, optimizer in zip((whole, part), optimizers, strict=True):
            optimizer.zero_grad()
            torch.manual_seed(seed)
            (module(ids) * torch.randn(*ids.shape, 4)).sum().backward()
            optimizer.step()
    part.eval()
    assert torch.equal(part.table.weight, whole.weight)
    every = torch.arange(50)
    assert torch.equal(part(every), whole(every))


def test_a_token_outside_the_rows_is_read_but_not_learned() -> None:
    whole, part = tables()
    ids = torch.tensor([[3, 44]])
    out = part(ids)
    assert torch.equal(out, whole(ids))
    out.sum().backward()
    assert part.learned.grad is not None
    assert part.learned.grad[1].eq(1).all()
    assert part.learned.grad.sum() == 4


def test_the_row_of_the_padding_gets_no_gradient() -> None:
    _, part = tables()
    part(torch.tensor([[0, 3]])).sum().backward()
    assert part.learned.grad is not None
    assert part.learned.grad[0].eq(0).all()


def test_used_tokens_are_distinct_and_sorted() -> None:
    found = used_tokens([np.asarray([5, 5, 2]), np.asarray([9])], 12)
    assert found.tolist() == [2, 5, 9]
