"""What a head says of the states it reads, so that nothing is computed that nobody looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_READ: ContextVar[Tensor | None] = ContextVar("tokens that are read", default=None)


@contextmanager
def tokens_read(mask: Tensor) -> Iterator[None]:
    """Within the block, the encoder's states are read where `mask` is true, shape [texts, longest], and nowhere else.

    A promise that allows a shortcut: in the last layer the other tokens need not be computed; what the encoder gives
    for them, and logits made from it, are then meaningless.
    """
    token = _READ.set(mask)
    try:
        yield
    finally:
        _READ.reset(token)


def promised() -> Tensor | None:
    """The mask of the innermost `tokens_read` block; None where every token may be read."""
    return _READ.get()
