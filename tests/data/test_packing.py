"""Examples packed into a few bytes each come out as they went in."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

from nbtune.data.packing import pack
from nbtune.errors import PluginError
from nbtune.values import Example

EXAMPLES = [
    Example({"text": 'a "quoted"\nline\t\\ and \x00\x01 control characters'}, "one", 5),
    Example({"text": "Grüße, 東京, 🐈", "words": [[0, 5], [7, 9]]}, [[0, 5, "LOC"]], 6),
    Example({"text": "half a pair \ud83d"}, None, 7),
    Example({"b": 1.5, "a": None, "c": {"d": [True, 2**60]}}, {"value": -0.25}, 9),
    Example({}, 3, 0),
]


def test_examples_come_out_as_they_went_in() -> None:
    packed = pack(iter(EXAMPLES))
    assert list(packed) == EXAMPLES
    assert [packed[index] for index in range(len(packed))] == EXAMPLES
    assert [packed[-1], packed[-5]] == [EXAMPLES[-1], EXAMPLES[0]]
    assert len(packed) == 5
    assert pack(packed) is packed
    with pytest.raises(IndexError):
        packed[5]


@pytest.mark.parametrize("part", [slice(1, 3), slice(None), slice(3, 1), slice(-2, None), slice(None, None, -2)])
def test_slices_are_those_of_a_list(part: slice) -> None:
    assert pack(EXAMPLES)[part] == EXAMPLES[part]


def test_groups_stay_with_their_examples() -> None:
    examples = [Example({"n": n}, None, n, None if n % 3 else f"g{n}") for n in range(10)]
    packed = pack(examples)
    assert list(packed) == examples
    assert list(packed.take(np.array([9, 3, 4]))) == [examples[9], examples[3], examples[4]]
    assert pack(EXAMPLES).groups is None


def test_more_examples_than_are_read_at_once_keep_their_order() -> None:
    examples = [Example({"n": n}, str(n), n) for n in range(2500)]
    packed = pack(examples)
    assert list(packed) == examples
    assert packed[990:1010] == examples[990:1010]
    assert list(packed.take(np.arange(2499, -1, -1))) == examples[::-1]


def test_the_digest_tells_contents_and_orders_apart() -> None:
    changed: list[list[Example]] = [
        EXAMPLES,
        EXAMPLES[::-1],
        EXAMPLES[:-1],
        [*EXAMPLES[:-1], Example({}, "3", 0)],
        [*EXAMPLES[:-1], Example({"": 0}, 3, 0)],
    ]
    assert len({pack(examples).digest for examples in changed}) == len(changed)
    assert pack(EXAMPLES).digest == pack(list(EXAMPLES)).digest
    assert pack(EXAMPLES[::-1]).digest == pack(EXAMPLES).take(np.arange(4, -1, -1)).digest


def test_inputs_and_targets_can_be_had_as_json() -> None:
    inputs, targets = pack(EXAMPLES).written(1, 4)
    assert [json.loads(text) for text in inputs] == [example.inputs for example in EXAMPLES[1:4]]
    assert [json.loads(text) for text in targets] == [example.target for example in EXAMPLES[1:4]]


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", np.int64(3), range(2)], ids=str)
def test_what_cannot_be_written_down_is_refused_with_its_row(value: Any) -> None:
    with pytest.raises(PluginError, match="the example of row 7 cannot be written down"):
        pack([Example({"text": value}, None, 7)])


def test_a_short_text_takes_little_more_than_its_characters() -> None:
    text = "forty characters, which is a short text."
    tracemalloc.start()
    packed = pack(Example({"text": text}, "label", row) for row in range(20_000))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(packed) == 20_000
    assert kept / len(packed) < len(text) + 70
