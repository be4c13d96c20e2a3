"""Windows over long texts."""

from __future__ import annotations

import itertools
import random

import pytest
from nbtune_ner.windows import cut

from nbtune.api import SpecError


def test_every_token_has_exactly_one_owner_and_lies_in_its_window() -> None:
    draw = random.Random(1)
    for _ in range(2000):
        tokens, size = draw.randrange(0, 300), draw.randrange(1, 60)
        windows = cut(tokens, size, draw.choice([None, draw.randrange(0, size)]))
        owned = [token for window in windows for token in range(window.own_start, window.own_end)]
        assert owned == list(range(tokens))
        for window in windows:
            assert 0 <= window.start <= window.own_start <= window.own_end <= window.end <= tokens
            assert window.end - window.start == min(size, tokens)


def test_the_owner_sees_as_much_context_as_any_window() -> None:
    def context(token: int, start: int, end: int, tokens: int) -> float:
        # where the text itself ends there is no more context to be had
        return min(token - start if start else tokens, end - 1 - token if end < tokens else tokens)

    for tokens in (50, 77, 200):
        windows = cut(tokens, 20, 8)
        for window in windows:
            for token in range(window.own_start, window.own_end):
                best = max(
                    context(token, other.start, other.end, tokens)
                    for other in windows
                    if other.start <= token < other.end
                )
                assert context(token, window.start, window.end, tokens) >= best - 1


def test_neighbours_share_the_stride() -> None:
    windows = cut(100, 20, 5)
    assert all(before.end - after.start >= 5 for before, after in itertools.pairwise(windows))
    assert [window.start for window in windows] == [0, 15, 30, 45, 60, 75, 80]


def test_a_stride_that_leaves_no_step_and_a_window_without_room_are_refused() -> None:
    with pytest.raises(SpecError, match="stride 20 leaves no step between windows of 20 tokens"):
        cut(5, 20, 20)
    with pytest.raises(SpecError, match="no room for text"):
        cut(5, 0)
