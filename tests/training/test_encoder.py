"""The packed forward gives what the model's own forward gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
)

from nbtune.tasks.reading import tokens_read
from nbtune.training.attention import LONG
from nbtune.training.dropout import Masks
from nbtune.training.encoder import PackedForward, first_token_suffices
from nbtune.training.packing import Packing, parts_of_like_length

SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_labels": 3,
    "pad_token_id": 1,
}
MODELS = {
    "bert tokens": lambda: BertForTokenClassification(BertConfig(**SIZES)),
    "bert texts": lambda: BertForSequenceClassification(BertConfig(**SIZES)),
    "roberta tokens": lambda: RobertaForTokenClassification(RobertaConfig(**SIZES)),
    "roberta texts": lambda: RobertaForSequenceClassification(RobertaConfig(**SIZES)),
}
LENGTHS = {
    "no padding": [9, 9, 9],
    "much padding": [2, 30, 7, 1],
    "little padding": [60] * 9 + [59],
    "long": [LONG + 40, LONG, 5],
    "long, no padding": [LONG + 1] * 2,
    "long, little padding": [LONG + 1] * 3 + [LONG],
}


MASKS = {
    "left": torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]),
    "a hole": torch.tensor([[1, 1, 0, 1, 1], [1, 1, 1, 1, 0]]),
    "an empty text": torch.tensor([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]),
    "floats": torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0]]),
    "other numbers": torch.tensor([[2, 2, 2, 0, 0]]),
}


def padding(lengths: list[int]) -> torch.Tensor:
    """The attention mask of texts of these lengths."""
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


def replace(model: Any) -> PackedForward:
    """Let the model's encoder use the packed forward."""
    forward = PackedForward(model.base_model, Masks(0))
    model.base_model.forward = forward
    if "Sequence" in type(model).__name__:
        first_token_suffices(model, forward)
    return forward


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("kind", MODELS)
def test_logits_and_gradients_are_those_of_the_model(kind: str, lengths: list[int]) -> None:
    torch.manual_seed(0)
    model = MODELS[kind]().eval()  # without dropout
    mask = padding(lengths)
    ids = torch.randint(4, 60, mask.shape) * mask + (1 - mask)

    def results() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        model.zero_grad()
        logits = model(input_ids=ids, attention_mask=mask).logits
        if logits.dim() == 3:
            logits = logits * mask[..., None]
        (logits**2).sum().backward()
        gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        return logits.detach(), gradients

    expected, wanted = results()
    replace(model)
    logits, gradients = results()
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-6)
    assert gradients.keys() == wanted.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-3, atol=1e-5, msg=name)
    with torch.inference_mode():
        predicted = model(input_ids=ids, attention_mask=mask).logits
    if predicted.dim() == 3:
        predicted = predicted * mask[..., None]
    torch.testing.assert_close(predicted, expected, rtol=1e-4, atol=1e-6)


def test_what_it_does_not_know_is_left_to_the_model() -> None:
    model = MODELS["bert tokens"]().eval()
    replace(model)
    out = model(input_ids=torch.tensor([[5, 6]]), output_hidden_states=True)
    assert len(out.hidden_states) == 4


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("kind", ["bert tokens", "bert texts"])
def test_masks_that_are_not_padding_on_the_right_are_left_to_the_model(kind: str, mask: torch.Tensor) -> None:
    model = MODELS[kind]().eval()
    ids = torch.randint(4, 60, mask.shape)
    expected = model(input_ids=ids, attention_mask=mask).logits
    replace(model)
    torch.testing.assert_close(model(input_ids=ids, attention_mask=mask).logits, expected)


def test_an_encoder_that_is_called_by_itself_gives_every_token() -> None:
    """A head may do that with the model of a classifier, before and after the classifier was used or failed."""
    model = MODELS["bert texts"]().eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    expected = model.base_model(input_ids=ids).last_hidden_state
    forward = replace(model)
    with pytest.raises(IndexError):
        model(input_ids=torch.tensor([[5, 99]]))  # beyond the vocabulary
    torch.testing.assert_close(model.base_model(input_ids=ids).last_hidden_state, expected, rtol=1e-4, atol=1e-6)
    model(input_ids=ids)
    assert forward.first_only is False
    torch.testing.assert_close(model.base_model(input_ids=ids).last_hidden_state, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_tokens_that_are_read_are_right_and_the_others_are_not_computed(lengths: list[int]) -> None:
    torch.manual_seed(0)
    model = MODELS["bert tokens"]().eval()
    mask = padding(lengths)
    ids = torch.randint(4, 60, mask.shape)
    read = (torch.rand(mask.shape) < 0.4) & mask.bool()
    read[0, 0] = True  # at least one
    expected = model(input_ids=ids, attention_mask=mask).logits[read]
    (expected**2).sum().backward()
    wanted = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    replace(model)
    with tokens_read(read):
        logits = model(input_ids=ids, attention_mask=mask).logits
        (logits[read] ** 2).sum().backward()
        with torch.inference_mode():
            predicted = model(input_ids=ids, attention_mask=mask).logits[read]
    torch.testing.assert_close(logits[read], expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(predicted, expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(logits[~read], model.classifier.bias.expand_as(logits[~read]))  # of states that are zero
    for name, p in model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(p.grad, wanted[name], rtol=1e-3, atol=1e-5, msg=name)


def test_a_promise_about_other_texts_or_about_nothing_is_passed_over() -> None:
    model = MODELS["bert tokens"]().eval()
    ids, mask = torch.tensor([[5, 6, 7]]), torch.tensor([[1, 1, 1]])
    expected = model(input_ids=ids, attention_mask=mask).logits
    replace(model)
    for read in (torch.ones(1, 5), torch.zeros(1, 3)):
        with tokens_read(read.bool()):
            found = model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("kind", ["bert tokens", "bert texts"])
def test_in_bf16_it_is_as_exact_as_the_model_itself(kind: str, lengths: list[int]) -> None:
    torch.manual_seed(0)
    model = MODELS[kind]().eval()
    mask = padding(lengths)
    ids = torch.randint(4, 60, mask.shape)

    def logits(**autocast: Any) -> tuple[torch.Tensor, torch.Tensor]:
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, **autocast):
            out = model(input_ids=ids, attention_mask=mask).logits.float()
            out = out * mask[..., None] if out.dim() == 3 else out
        (out**2).sum().backward()
        return out.detach(), model.base_model.encoder.layer[0].attention.self.query.weight.grad.clone()

    exact, own = logits(enabled=False), logits()
    replace(model)
    for one, other, true in zip(logits(), own, exact, strict=True):
        assert (one - true).norm() < 1.5 * (other - true).norm() < 0.05 * true.norm()


def test_dropout_is_drawn_while_training() -> None:
    model = MODELS["bert texts"]().train()
    replace(model)
    ids = torch.tensor([[5, 6, 7, 8]])
    assert not torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)


def test_packing_is_undone_by_unpacking() -> None:
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    packing = Packing.of(mask)
    rectangle = torch.randn(3, 3, 2) * mask[..., None]
    rows = packing.pack(rectangle)
    assert rows.shape == (6, 2)
    assert torch.equal(packing.unpack(rows), rectangle)
    chosen, own = packing.subset(torch.tensor([[0, 1, 0], [1, 0, 1], [0, 0, 0]]).bool())
    assert torch.equal(rows[chosen], torch.stack([rectangle[0, 1], rectangle[1, 0], rectangle[1, 2]]))
    assert own.lengths == (1, 2, 0)
    assert own.unpack(rows[chosen]).shape == (3, 2, 2)


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([90, 90, 60, 50, 31, 30, *[9] * 9], [3, 3, 9]),
        ([*[9] * 9, 30, 31, 50, 60, 90, 90], [9, 3, 3]),
        ([90, 9, 60, *[9] * 9], [12]),  # in no order
        ([90, 60, 50, 31, 30, 9, 9], [7]),  # saves less than it costs
        ([30], [1]),
    ],
)
def test_texts_of_like_length_share_a_rectangle(lengths: list[int], sizes: list[int]) -> None:
    packing = Packing.of(padding(lengths).bool(), wasteful=False)
    parts = parts_of_like_length(packing, packing)
    assert [len(part.packing.lengths) for part in parts] == sizes
    assert [length for part in parts for length in part.packing.lengths] == lengths
    rows = torch.arange(sum(lengths))
    assert torch.equal(torch.cat([rows[part.keys] for part in parts]), rows)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("kind", ["bert tokens", "bert texts"])
def test_rectangles_apart_give_what_one_gives(kind: str, order: int) -> None:
    """Gradients too, and with a text of which nothing is read."""
    torch.manual_seed(0)
    model = MODELS[kind]().eval()
    mask = padding([*[5] * 5, *[9] * 5, 28, 30, 50, 60, 90, 90][::order])
    ids = torch.randint(4, 60, mask.shape)
    read = (torch.rand(mask.shape) < 0.5) & mask.bool()
    read[:10] = False

    def results() -> list[torch.Tensor]:
        model.zero_grad()
        with tokens_read(read):
            logits = model(input_ids=ids, attention_mask=mask).logits
            with torch.inference_mode():
                predicted = model(input_ids=ids, attention_mask=mask).logits
        if kind == "bert tokens":
            logits, predicted = logits[read], predicted[read]
        (logits**2).sum().backward()
        query = model.base_model.encoder.layer[0].attention.self.query.weight
        return [logits.detach(), predicted.clone(), query.grad.clone()]

    expected = results()
    replace(model)
    assert len(parts_of_like_length(*[Packing.of(mask.bool(), wasteful=False)] * 2)) > 2
    for one, other in zip(results(), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
