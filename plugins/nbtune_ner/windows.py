"""Long texts in overlapping windows: every token is labelled in exactly one, where it sees the most text around it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from nbtune.api import SpecError


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens `start` to `end` - 1 are fed; the labels of `own_start` to `own_end` - 1 are learned and read here.

    An entity across the border of two windows loses nothing: each of its words has an owner, and the labels of all
    owners are put together before entities are read from them.
    """

    start: int
    end: int
    own_start: int
    own_end: int


def cut(tokens: int, size: int, overlap: int | None = None) -> list[Window]:
    """Windows of at most `size` tokens, neighbours sharing `overlap` (a quarter of the size if None).

    The last window is moved back to be full, and the border between two windows' own tokens is the middle of what
    they share. There is always at least one window.

    Raises:
        SpecError: `size` has no room for a token, or `overlap` leaves no step.
    """
    if size < 1:
        raise SpecError("max_length has no room for text beside the model's special tokens", "raise max_length")
    shared = size // 4 if overlap is None else overlap
    if shared >= size:
        raise SpecError(
            f"stride {shared} leaves no step between windows of {size} tokens", f"choose a stride below {size}"
        )
    if tokens <= size:
        return [Window(0, tokens, 0, tokens)]
    starts = [*range(0, tokens - size, size - shared), tokens - size]
    borders = [0, *((after + before + size) // 2 for before, after in itertools.pairwise(starts)), tokens]
    return [
        Window(start, start + size, own_start, own_end)
        for start, own_start, own_end in zip(starts, borders[:-1], borders[1:], strict=True)
    ]
