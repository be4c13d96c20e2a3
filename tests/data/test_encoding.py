"""Features kept as flat arrays, and batches padded from them."""

from __future__ import annotations

import numpy as np
import pytest

from nbtune.data.encoding import FeatureSet, pad, token_count
from nbtune.errors import PluginError

ENCODED = [
    [{"input_ids": [1, 2, 3], "labels": 0}],
    [{"input_ids": [4], "labels": 1}, {"input_ids": [5, 6], "labels": 1}],
]


def test_features_come_back_as_they_were_put_in() -> None:
    features = FeatureSet.build(ENCODED)
    assert [list(feature["input_ids"]) for feature in features] == [[1, 2, 3], [4], [5, 6]]
    assert [int(feature["labels"]) for feature in features] == [0, 1, 1]
    assert list(features.owners) == [0, 1, 1]
    assert list(features.lengths()) == [3, 1, 2]


def test_features_with_other_keys_are_refused() -> None:
    with pytest.raises(PluginError, match="features differ in their keys"):
        FeatureSet.build([[{"input_ids": [1]}], [{"input_ids": [1], "labels": 0}]])


def test_padding_goes_to_the_longest_of_the_batch_only() -> None:
    batch = pad([{"input_ids": [1, 2, 3], "labels": [0, 1, 2]}, {"input_ids": [4], "labels": [5]}], {"labels": -100})
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert batch["labels"].tolist() == [[0, 1, 2], [5, -100, -100]]


@pytest.mark.parametrize("texts", [1, 3])
def test_what_goes_with_tokens_is_rounded_up_with_them_also_where_all_are_as_long(texts: int) -> None:
    feature = {"input_ids": [1, 2, 3], "attention_mask": [1, 1, 1], "labels": [0, 4, 0], "scores": [0.1, 0.2, 0.3, 0.4]}
    batch = pad([feature] * texts, {"labels": -100}, multiple=8)
    assert {key: value.shape[1] for key, value in batch.items()} == {
        "input_ids": 8,
        "attention_mask": 8,
        "labels": 8,
        "scores": 4,
    }
    assert batch["labels"][0].tolist() == [0, 4, 0, *[-100] * 5]
    flags = pad([{"input_ids": [1, 2, 3], "labels": [0.0, 1.0, 0.0]}] * texts, {}, multiple=8)
    assert flags["labels"].shape == (texts, 3)  # as many labels as tokens, by chance


def test_padding_rounds_up_to_a_multiple_where_asked() -> None:
    batch = pad([{"input_ids": [1, 2, 3], "score": 0.5}], {}, multiple=8)
    assert batch["input_ids"].shape == (1, 8)
    assert batch["score"].dtype == np.float32


def test_vectors_of_one_length_are_not_padded() -> None:
    batch = pad(
        [{"input_ids": [1], "labels": [0.0, 1.0]}, {"input_ids": [1, 2], "labels": [1.0, 1.0]}], {"labels": -100}
    )
    assert batch["labels"].tolist() == [[0.0, 1.0], [1.0, 1.0]]


def test_tokens_of_several_texts_add_up() -> None:
    assert token_count({"user_input_ids": [1, 2], "item_input_ids": [3], "labels": [1, 1, 1]}) == 3
