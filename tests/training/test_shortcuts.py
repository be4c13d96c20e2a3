"""Shortcuts are taken while a head trains, and leave no trace but what was learned."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nbtune.data.encoding import FeatureSet
from nbtune.tasks.head import Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.pretrained import pretrained
from nbtune.training import adapters
from nbtune.training.devices import Device
from nbtune.training.shortcuts import Shortcuts
from nbtune.training.vocabulary import LearnedRows
from nbtune.values import Example, Inventory

EXAMPLES = [Example({"text": text}, label) for text, label in (("a good day", "yes"), ("never again", "no"))]
CPU = Device(torch.device("cpu"), "fp32")


def make(tiny_model: str, lora: bool = False) -> tuple[SequenceHead, FeatureSet]:
    head = SequenceHead(pretrained(tiny_model), Inventory(("no", "yes")), Recipe(max_length=16))
    if lora:
        adapters.add_lora(head, adapters.LoraSettings())
    return head, FeatureSet.build(head.encode(EXAMPLES, training=True))


def modules(head: SequenceHead) -> dict[str, type[Any]]:
    return {name: type(module) for name, module in head.model.named_modules()}


@pytest.mark.parametrize("lora", [False, True])
def test_removing_brings_the_modules_names_and_learners_back(tiny_model: str, lora: bool) -> None:
    head, features = make(tiny_model, lora)
    before, names = modules(head), list(head.model.state_dict())
    learners = [name for name, _ in adapters.learners(head)]
    shortcuts = Shortcuts(head, features, CPU, seed=0)
    assert modules(head) != before
    shortcuts.remove()
    assert modules(head) == before
    assert list(head.model.state_dict()) == names
    assert [name for name, _ in adapters.learners(head)] == learners
    encoder = head.model.get_base_model() if lora else head.model
    assert "forward" not in vars(encoder.base_model)


def test_what_was_learned_of_the_vocabulary_stays(tiny_model: str) -> None:
    head, features = make(tiny_model)
    table = head.model.get_input_embeddings()
    before = table.weight.detach().clone()
    shortcuts = Shortcuts(head, features, CPU, seed=0)
    rows = next(module for module in head.model.modules() if isinstance(module, LearnedRows))
    with torch.no_grad():
        rows.learned += 1
    shortcuts.remove()
    assert head.model.get_input_embeddings() is table
    used = sorted({int(token) for feature in features for token in feature["input_ids"]} | {0})
    changed = (table.weight != before).any(dim=1).nonzero().flatten().tolist()
    assert changed == used


def test_a_frozen_or_shared_vocabulary_is_left_alone(tiny_model: str) -> None:
    head, features = make(tiny_model)
    table = head.model.get_input_embeddings()
    output = nn.Linear(4, 4, bias=False)
    output.weight = table.weight
    head.model.add_module("decoder", output)
    Shortcuts(head, features, CPU, seed=0)
    assert head.model.get_input_embeddings() is table
    other, features = make(tiny_model)
    other.model.get_input_embeddings().weight.requires_grad_(False)
    Shortcuts(other, features, CPU, seed=0)
    assert type(other.model.get_input_embeddings()) is nn.Embedding
