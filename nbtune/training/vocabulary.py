"""Word embeddings of which only the rows that the training data uses are learned.

The gradient of every other row is zero at every step, yet an optimizer reads and writes it, its two moments and its
weight each time: half the work of a step of AdamW for a small encoder, nine tenths of the memory of a multilingual one.
The result is that of the whole table, except that rows never seen are not decayed.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn


class LearnedRows(nn.Module):
    """In place of an `nn.Embedding`: `learned` holds the rows of `tokens`, `weight` the whole table.

    The table is brought up to date whenever the module is put into evaluation mode.
    """

    rows: Tensor
    places: Tensor

    def __init__(self, table: nn.Embedding, tokens: NDArray[np.int64]) -> None:
        super().__init__()
        self.table = table
        rows = torch.from_numpy(np.asarray(tokens, dtype=np.int64)).to(table.weight.device)
        places = torch.full((table.num_embeddings,), -1, dtype=torch.int64, device=rows.device)
        places[rows] = torch.arange(len(rows), device=rows.device)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("places", places, persistent=False)
        self.learned = nn.Parameter(table.weight.detach()[rows].clone())
        # gradients of the padding's row are dropped, as the table does
        padding = table.padding_idx
        self.padding = int(places[padding]) if padding is not None and int(places[padding]) >= 0 else None
        table.weight.requires_grad_(False)

    @property
    def weight(self) -> Tensor:
        """The whole table, for code that looks at it."""
        return self.table.weight

    def forward(self, ids: Tensor) -> Tensor:
        if not self.training:
            return self.table(ids)  # type: ignore[no-any-return]
        places = self.places[ids]
        if ids.device.type == "cpu" and int(places.min()) >= 0:
            return F.embedding(places, self.learned, self.padding)
        seen = F.embedding(places.clamp(min=0), self.learned, self.padding)
        return torch.where((places >= 0)[..., None], seen, F.embedding(ids, self.table.weight))

    def train(self, mode: bool = True) -> LearnedRows:
        if not mode:
            self.write_back()
        return super().train(mode)

    def write_back(self) -> nn.Embedding:
        """The table with what was learned."""
        with torch.no_grad():
            self.table.weight[self.rows] = self.learned.to(self.table.weight.dtype)
        return self.table


def used_tokens(columns: Iterable[NDArray[np.int64]], size: int) -> NDArray[np.int64]:
    """The sorted distinct tokens below `size` of flat token columns."""
    used = np.zeros(size, dtype=np.bool_)
    for column in columns:
        used[column] = True
    return np.flatnonzero(used)
