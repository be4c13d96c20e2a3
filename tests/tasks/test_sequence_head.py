"""The shared head for one answer a text: what it feeds the model, its losses against torch, its answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from transformers import AutoModelForSequenceClassification, AutoTokenizer, GPT2Config, GPT2Model

from nbtune.api import Example, Inventory, LabelScores, Recipe, SequenceHead, SpecError, class_weight_tensor
from nbtune.tasks.pretrained import pretrained
from nbtune.training import adapters
from nbtune.training.batches import collate, forward_with
from nbtune.training.devices import Device

CPU = Device(torch.device("cpu"), "fp32")
LABELS = ("cancel", "größer", "取消")
INVENTORY = Inventory(LABELS, {"cancel": 6, "größer": 3, "取消": 1}, {"rows": 10})
TEXTS = [("stop it", "cancel"), ("das soll größer sein, viel größer", "größer"), ("请取消", "取消")]
ROWS = [Example({"text": text}, label, row) for row, (text, label) in enumerate(TEXTS)]


def head_on(model: str, inventory: Inventory = INVENTORY, kind: Any = "single", **recipe: Any) -> SequenceHead:
    torch.manual_seed(0)
    head = SequenceHead(pretrained(model), inventory, Recipe(max_length=32, **recipe), kind=kind)
    head.model.eval()
    return head


def training_batch(head: SequenceHead, rows: Sequence[Example]) -> dict[str, torch.Tensor]:
    return collate([features[0] for features in head.encode(rows, training=True)], head, CPU)


def logits_of(head: SequenceHead, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return head.model(**{key: value for key, value in batch.items() if key != "labels"}).logits  # type: ignore[no-any-return]


def test_predictions_equal_those_of_plain_transformers_on_the_saved_model(tiny_model: str, tmp_path: Path) -> None:
    head = head_on(tiny_model)
    ours = list(head.predict(ROWS, forward_with(head, CPU)))
    head.model.save_pretrained(tmp_path)  # type: ignore[operator]  # a transformers model
    head.tokenizer.save_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tuple(model.config.id2label.values()) == LABELS
    for row, prediction in zip(ROWS, ours, strict=True):
        with torch.no_grad():
            theirs = model(**tokenizer(row.inputs["text"], return_tensors="pt")).logits.softmax(-1)[0]
        np.testing.assert_allclose(prediction.probabilities, theirs.numpy(), atol=1e-6)
        assert prediction.names == [LABELS[int(theirs.argmax())]]


def test_a_pair_is_fed_as_two_segments_and_cut_to_the_longest_length(tiny_model: str) -> None:
    head = head_on(tiny_model)
    pair = Example({"text": "a question", "text_pair": "the answer " * 40}, "cancel")
    ((feature,),) = head.encode([pair], training=False)
    assert len(feature["input_ids"]) == 32
    assert set(feature["token_type_ids"]) == {0, 1}
    assert head.tokenizer.decode(feature["input_ids"]).startswith("[CLS] a question [SEP] the answer")
    assert "labels" not in feature


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, "balanced", {"取消": 4.0}])
def test_the_loss_is_the_cross_entropy_of_torch(tiny_model: str, smoothing: float, weights: Any) -> None:
    head = head_on(tiny_model, label_smoothing=smoothing, class_weights=weights)
    batch = training_batch(head, ROWS)
    expected_weights = {
        "None": torch.ones(3),
        "balanced": torch.tensor([10 / (3 * count) for count in (6, 3, 1)]),
    }.get(str(weights), torch.tensor([1.0, 1.0, 4.0]))
    peer = torch.nn.CrossEntropyLoss(weight=expected_weights, label_smoothing=smoothing)
    assert head.loss(batch).item() == pytest.approx(peer(logits_of(head, batch), torch.tensor([0, 1, 2])).item())


def test_balanced_weights_equal_those_of_scikit_learn() -> None:
    gold = ["cancel"] * 6 + ["größer"] * 3 + ["取消"]
    ours = class_weight_tensor(INVENTORY, Recipe(max_length=8, class_weights="balanced"))
    assert ours is not None
    np.testing.assert_allclose(
        ours.numpy(), compute_class_weight("balanced", classes=np.array(LABELS), y=gold), rtol=1e-6
    )


@pytest.mark.parametrize("weights", [None, "balanced"])
def test_weighed_micro_batches_average_to_the_whole_batch(tiny_model: str, weights: Any) -> None:
    head = head_on(tiny_model, class_weights=weights, label_smoothing=0.1)
    whole = training_batch(head, ROWS)
    parts = [training_batch(head, ROWS[:1]), training_batch(head, ROWS[1:])]
    weighed = sum(head.loss(part).item() * head.weigh(part) for part in parts) / sum(map(head.weigh, parts))
    assert weighed == pytest.approx(head.loss(whole).item(), rel=1e-5)
    assert head.weigh(whole) == pytest.approx(sum(map(head.weigh, parts)))


def test_an_unknown_label_in_class_weights_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"unknown label 'cancle'\ndid you mean 'cancel'"):
        class_weight_tensor(INVENTORY, Recipe(max_length=8, class_weights={"cancle": 2.0}))
    with pytest.raises(SpecError, match="class weight of 'cancel' is 0"):
        class_weight_tensor(INVENTORY, Recipe(max_length=8, class_weights={"cancel": 0.0}))


def test_several_labels_are_learned_as_choices_of_two_and_decided_by_thresholds(tiny_model: str) -> None:
    head = head_on(tiny_model, kind="multi", class_weights="balanced", label_smoothing=0.2)
    rows = [Example({"text": "a"}, ["cancel", "取消"]), Example({"text": "b"}, [])]
    batch = training_batch(head, rows)
    goal = torch.tensor([[0.9, 0.1, 0.9], [0.1, 0.1, 0.1]])
    peer = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([4 / 6, 7 / 3, 9.0]))
    assert head.loss(batch).item() == pytest.approx(peer(logits_of(head, batch), goal).item(), rel=1e-5)
    head.thresholds = np.array([0.0, 1.1, 0.0])
    prediction = head.decode(rows[0], [np.array([-50.0, 50.0, 0.0], dtype=np.float32)])
    assert prediction.names == ["cancel", "取消"]
    np.testing.assert_allclose(prediction.probabilities, [0, 1, 0.5], atol=1e-12)


def test_numbers_start_at_the_mean_and_keep_the_scale_of_the_data(tiny_model: str, tmp_path: Path) -> None:
    facts = {"mean": 50.0, "std": 20.0}
    head = head_on(tiny_model, Inventory(facts=facts), kind="number")
    rows = [Example({"text": "fine"}, 80.0), Example({"text": "well"}, 10.0)]
    batch = training_batch(head, rows)
    logits = logits_of(head, batch).squeeze(-1)
    assert all(abs(value - 50) < 20 for value in logits.tolist())
    expected = ((logits - torch.tensor([80.0, 10.0])) ** 2).mean().item() / 20**2
    assert head.loss(batch).item() == pytest.approx(expected, rel=1e-5)
    head.model.save_pretrained(tmp_path)  # type: ignore[operator]  # a transformers model
    head.tokenizer.save_pretrained(tmp_path)
    opened = head_on(str(tmp_path), Inventory(facts=facts), kind="number")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    with torch.no_grad():
        raw = plain(**{key: value for key, value in batch.items() if key != "labels"}).logits[:, 0]
    predictions = list(opened.predict(rows, forward_with(opened, CPU)))
    assert predictions == pytest.approx(raw.tolist(), rel=1e-5)
    assert predictions == pytest.approx(logits.tolist(), rel=1e-5)


@pytest.mark.parametrize("merge", [True, False])
def test_numbers_learned_with_lora_open_on_the_scale_of_the_data(tiny_model: str, tmp_path: Path, merge: bool) -> None:
    inventory = Inventory(facts={"mean": 50.0, "std": 20.0})
    head = head_on(tiny_model, inventory, kind="number")
    adapters.add_lora(head, adapters.LoraSettings(rank=2))
    learned = [parameter for _, parameter in adapters.learners(head)]
    with torch.no_grad():
        for parameter in learned:
            parameter.add_(0.1)
    head.model.eval()
    ours = list(head.predict(ROWS, forward_with(head, CPU)))
    if merge:
        adapters.merge_lora(head)
    head.model.config.save_pretrained(tmp_path)  # type: ignore[union-attr, operator]  # peft leaves it out
    head.model.save_pretrained(tmp_path)  # type: ignore[operator]  # a transformers or peft model
    head.tokenizer.save_pretrained(tmp_path)
    opened = head_on(str(tmp_path) if merge else tiny_model, inventory, kind="number")
    if not merge:
        adapters.load_lora(opened, tmp_path)
        opened.model.eval()
    assert list(opened.predict(ROWS, forward_with(opened, CPU))) == pytest.approx(ours, rel=1e-4)
    assert len(set(ours)) > 1


def test_a_base_that_was_fine_tuned_on_other_labels_gets_a_new_layer(tiny_model: str, tmp_path: Path) -> None:
    old = head_on(tiny_model)
    old.model.save_pretrained(tmp_path)  # type: ignore[operator]  # a transformers model
    old.tokenizer.save_pretrained(tmp_path)
    new = head_on(str(tmp_path), Inventory(("no", "yes"), {"no": 1, "yes": 1}))
    assert logits_of(new, training_batch(new, [Example({"text": "so"}, "yes")])).shape == (1, 2)


def test_a_decoder_without_a_pad_token_classifies_batches(tiny_model: str, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.eos_token = "[SEP]"
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64)
    GPT2Model(config).save_pretrained(tmp_path)
    head = head_on(str(tmp_path))
    together = list(head.predict(ROWS, forward_with(head, CPU)))
    alone = [next(iter(head.predict([row], forward_with(head, CPU)))) for row in ROWS]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    number = head_on(str(tmp_path), Inventory(facts={"mean": 50.0, "std": 20.0}), kind="number")  # no bias to hold 50
    (prediction,) = number.predict(ROWS[:1], forward_with(number, CPU))
    assert abs(prediction) < 25


def test_seventy_seven_labels_are_learned_and_ranked(tiny_model: str) -> None:
    labels = tuple(f"intent {index:02}" for index in range(77))
    head = head_on(tiny_model, Inventory(labels, dict.fromkeys(labels, 1)))
    rows = [Example({"text": f"word {index}"}, label) for index, label in enumerate(labels)]
    batch = training_batch(head, rows)
    assert batch["labels"].tolist() == list(range(77))
    assert head.loss(batch).item() == pytest.approx(np.log(77), rel=0.05)  # an untrained model guesses
    (prediction,) = head.predict(rows[:1], forward_with(head, CPU))
    assert isinstance(prediction, LabelScores)
    assert prediction.probabilities.sum() == pytest.approx(1)
    ranked = prediction.top(77)
    assert [p for _, p in ranked] == sorted((p for _, p in ranked), reverse=True)
