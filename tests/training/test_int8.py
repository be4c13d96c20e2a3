"""8-bit layers answer nearly as the layers they came from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbtune.errors import SpecError
from nbtune.tasks.head import Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.pretrained import pretrained
from nbtune.training.int8 import Int8Linear, quantise
from nbtune.values import Inventory


def test_a_layer_is_right_to_the_rounding_of_its_bits() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(96, 64)
    with torch.no_grad():
        layer.weight[3] *= 50  # a row of another size must not cost the others their digits
    rows = torch.randn(40, 96)
    exact, rounded = layer(rows).detach(), Int8Linear(layer)(rows)
    # each product is off by at most half a level of either factor
    error = (exact - rounded).abs().amax(dim=0) / exact.abs().amax(dim=0)
    assert error.max() < 0.03


def test_the_layers_of_the_encoder_are_replaced_and_the_classifier_is_not(tiny_model: str) -> None:
    head = SequenceHead(pretrained(tiny_model), Inventory(("no", "yes")), Recipe(max_length=16))
    head.model.eval()
    ids = torch.tensor([[101, 2204, 102], [101, 2919, 102]])
    with torch.inference_mode():
        before = head.model(input_ids=ids).logits
        quantise(head)
        after = head.model(input_ids=ids).logits
    kinds = [type(part) for part in head.model.base_model.encoder.modules()]
    assert nn.Linear not in kinds
    assert kinds.count(Int8Linear) == 12
    assert isinstance(head.model.classifier, nn.Linear)
    torch.testing.assert_close(after, before, atol=0.05, rtol=0.05)


def test_a_model_whose_layers_are_unknown_is_refused_in_words_about_int8(tiny_model: str) -> None:
    head = SequenceHead(pretrained(tiny_model), Inventory(("no", "yes")), Recipe(max_length=16))
    head.model.config.num_hidden_layers = 99
    with pytest.raises(SpecError, match="int8 is not supported for this model") as caught:
        quantise(head)
    assert "precision" in str(caught.value.hint)
