"""Freezing and LoRA: what learns is what was asked for, and the merged model says the same."""

from __future__ import annotations

import pytest
import torch

from nbtune.errors import SpecError
from nbtune.tasks.head import Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.pretrained import pretrained
from nbtune.training.adapters import LoraSettings, add_lora, freeze, learners, merge_lora
from nbtune.values import Inventory


@pytest.fixture
def head(tiny_model: str) -> SequenceHead:
    torch.manual_seed(0)
    return SequenceHead(pretrained(tiny_model), Inventory(labels=("a", "b")), Recipe(max_length=32))


def names(head: SequenceHead) -> set[str]:
    return {name for name, _ in learners(head)}


def test_full_fine_tuning_learns_everything(head: SequenceHead) -> None:
    freeze(head, 0)
    assert len(names(head)) == len(list(head.model.parameters()))


def test_freezing_n_layers_stops_the_embeddings_and_the_lower_n(head: SequenceHead) -> None:
    freeze(head, 1)
    assert not any("embeddings" in name or "layer.0." in name for name in names(head))
    assert any("layer.1." in name for name in names(head))
    assert any("classifier" in name for name in names(head))


def test_freezing_the_base_leaves_the_classifier(head: SequenceHead) -> None:
    freeze(head, "base")
    assert names(head) == {"model.classifier.weight", "model.classifier.bias"}


def test_freezing_more_layers_than_there_are_is_refused(head: SequenceHead) -> None:
    with pytest.raises(SpecError, match="the model has 2 layers"):
        freeze(head, 3)


def test_lora_learns_adapters_and_the_classifier_only(head: SequenceHead) -> None:
    everything = sum(p.numel() for p in head.model.parameters())
    add_lora(head, LoraSettings(rank=2))
    assert all("lora_" in name or "classifier" in name for name in names(head))
    assert any("classifier" in name for name in names(head))
    assert sum(p.numel() for _, p in learners(head)) < everything / 10


def test_a_merged_model_gives_the_outputs_of_its_adapters(head: SequenceHead) -> None:
    add_lora(head, LoraSettings(rank=2))
    with torch.no_grad():
        for _, parameter in learners(head):
            parameter.normal_(std=0.1)
    head.model.eval()
    batch = {"input_ids": torch.tensor([[101, 2023, 102]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    before = head.model(**batch).logits.detach()
    merge_lora(head)
    assert not any("lora" in name for name, _ in head.model.named_parameters())
    torch.testing.assert_close(head.model(**batch).logits.detach(), before, atol=1e-5, rtol=1e-4)


def test_unknown_lora_targets_are_refused(head: SequenceHead) -> None:
    with pytest.raises(SpecError, match="LoRA finds no module named quary"):
        add_lora(head, LoraSettings(targets=("quary",)))
