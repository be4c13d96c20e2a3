"""Attributions are those of the model itself, whatever forward pass it computes with, and leave it as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nbtune.errors import ModelError, PluginError
from nbtune.tasks.explained import Explained, token_places
from nbtune.tasks.head import Recipe
from nbtune.tasks.heads import SequenceHead, log_odds
from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.pretrained import pretrained
from nbtune.training.attribution import Attribution
from nbtune.training.devices import Device, choose_device
from nbtune.training.loop import set_training
from nbtune.training.shortcuts import pack_predictions
from nbtune.values import Example, Inventory

CPU = choose_device("cpu", "fp32")
EXAMPLE = Example({"text": "the golden house by the long road"})
FILLER = 103


def head_of(model: str) -> SequenceHead:
    torch.manual_seed(0)
    head = SequenceHead(pretrained(model), Inventory(labels=("no", "yes", "so")), Recipe(max_length=32))
    with torch.no_grad():  # a fresh layer hardly tells anything apart
        for parameter in head.model.parameters():
            parameter.mul_(3)
    set_training(head, False)
    return head


def explained(head: SequenceHead) -> Explained:
    found = head.explained(EXAMPLE, LabelScores.best(("no", "yes", "so"), np.array([0.2, 0.5, 0.3])), None)
    assert isinstance(found, Explained)
    return found


def words_of(answer: Explained) -> list[np.ndarray[Any, Any]]:
    return [np.array([place is not None for place in places]) for places in answer.places]


def test_the_packed_forward_gives_the_gradients_of_the_plain_one(tiny_model: str) -> None:
    plain, packed = head_of(tiny_model), head_of(tiny_model)
    pack_predictions(packed, CPU)
    found = []
    for head in (plain, packed):
        answer = explained(head)
        attribution = Attribution(head, CPU, answer, FILLER)
        masks = words_of(answer)
        single = [[mask & (np.arange(len(mask)) == token) for mask in masks] for token in np.flatnonzero(masks[0])]
        found.append((attribution.gradients(masks), attribution.occlusion(single)))
    (gradients, falls), (packed_gradients, packed_falls) = found
    np.testing.assert_allclose(packed_gradients.tokens[0], gradients.tokens[0], atol=1e-5)
    np.testing.assert_allclose(packed_falls, falls, atol=1e-5)
    assert abs(gradients.tokens[0]).max() > 1e-3


class Padding(Device):
    """As a GPU wants it: lengths are multiples of 8."""

    pad_multiple = 8  # type: ignore[assignment]


def test_padding_changes_nothing(tiny_model: str) -> None:
    head = head_of(tiny_model)
    answer = explained(head)
    masks = words_of(answer)
    assert len(masks[0]) % 8
    found = [Attribution(head, device, answer, FILLER) for device in (CPU, Padding(CPU.device, "fp32"))]
    plain, padded = (attribution.gradients(masks).tokens[0] for attribution in found)
    np.testing.assert_allclose(padded[: len(plain)], plain, atol=1e-5)
    assert not padded[len(plain) :].any()
    np.testing.assert_allclose(*(attribution.occlusion([masks]) for attribution in found), atol=1e-5)


def test_integrated_gradients_are_the_integral_of_the_gradients(tiny_model: str) -> None:
    head = head_of(tiny_model)
    answer = explained(head)
    (mask,) = words_of(answer)
    found = Attribution(head, CPU, answer, FILLER).gradients([mask])
    ids = torch.tensor([answer.features[0]["input_ids"]])
    table: Any = head.model.get_input_embeddings()  # type: ignore[operator]
    text = table(ids).detach()
    start = table(torch.where(torch.from_numpy(mask), FILLER, ids)).detach()
    count = 400  # the midpoint rule, by the model's own way in
    steps = ((torch.arange(count) + 0.5) / count)[:, None, None]
    vectors = (start + (text - start) * steps).requires_grad_(True)
    logits = head.model(inputs_embeds=vectors, attention_mask=torch.ones(count, ids.shape[1])).logits
    (slopes,) = torch.autograd.grad(log_odds(logits, 1).sum(), vectors)
    expected = ((text - start)[0] * slopes.mean(0)).sum(-1).numpy()
    np.testing.assert_allclose(found.tokens[0], expected, atol=2e-3 * abs(expected).max())
    assert found.tokens[0][~mask] == pytest.approx(0)  # special tokens were not replaced


def test_special_tokens_stay_and_words_carry_all(tiny_model: str) -> None:
    head = head_of(tiny_model)
    answer = explained(head)
    (mask,) = words_of(answer)
    assert list(mask) == [False, *[True] * 7, False]
    found = Attribution(head, CPU, answer, FILLER).gradients([mask])
    assert abs(found.missed) <= 0.02 * max(abs(found.score - found.baseline), abs(found.tokens[0]).sum() / 2)


def test_more_steps_are_taken_where_few_do_not_add_up(tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = head_of(tiny_model)
    answer = explained(head)
    few = Attribution(head, CPU, answer, FILLER).gradients(words_of(answer))
    monkeypatch.setattr("nbtune.training.attribution.TOLERANCE", 0.0)
    monkeypatch.setattr("nbtune.training.attribution.STEPS", (16, 32, 64))
    most = Attribution(head, CPU, answer, FILLER).gradients(words_of(answer))
    assert (few.steps, most.steps) == (16, 64)
    monkeypatch.setattr("nbtune.training.attribution.MOST_TOKENS", 40 * len(answer.places[0]))
    assert Attribution(head, CPU, answer, FILLER).gradients(words_of(answer)).steps == 32  # as far as allowed


def test_what_does_not_fit_into_memory_is_done_in_pieces(tiny_model: str) -> None:
    head = head_of(tiny_model)
    answer = explained(head)
    masks = words_of(answer)
    whole = Attribution(head, CPU, answer, FILLER).gradients(masks)
    sizes: list[int] = []

    def scarce(batch: Any) -> torch.Tensor:
        sizes.append(len(batch["input_ids"]))
        if sizes[-1] > 4:
            raise RuntimeError("CUDA out of memory (as if)")
        return answer.score(batch)

    small = Explained(target="yes", probability=0.5, features=answer.features, places=answer.places, score=scarce)
    np.testing.assert_allclose(
        Attribution(head, CPU, small, FILLER).gradients(masks).tokens[0], whole.tokens[0], atol=1e-5
    )
    assert max(sizes) > 4 >= sizes[-1]


def test_the_model_is_left_as_it_was_even_after_an_error(tiny_model: str) -> None:
    head = head_of(tiny_model)
    answer = explained(head)
    table: Any = head.model.get_input_embeddings()  # type: ignore[operator]

    def broken(batch: Any) -> torch.Tensor:
        raise ZeroDivisionError

    torn = Explained(target="yes", probability=0.5, features=answer.features, places=answer.places, score=broken)
    with pytest.raises(ZeroDivisionError):
        Attribution(head, CPU, torn, FILLER).gradients(words_of(answer))
    Attribution(head, CPU, answer, FILLER).gradients(words_of(answer))
    assert not table._forward_hooks
    assert all(parameter.grad is None for parameter in head.model.parameters())


def test_a_model_without_embeddings_to_look_at_is_refused(tiny_model: str) -> None:
    head = head_of(tiny_model)
    answer = explained(head)
    head.model = torch.nn.Linear(2, 2)
    with pytest.raises(ModelError, match="word embeddings of Linear"):
        Attribution(head, CPU, answer, FILLER)


def test_the_places_of_tokens_are_those_of_the_feature(tiny_model: str) -> None:
    tokenizer = pretrained(tiny_model).tokenizer
    inputs = {"text": "unbelievably golden", "text_pair": "by the road"}
    feature = {"input_ids": tokenizer(*inputs.values(), truncation=True, max_length=9)["input_ids"]}
    places = token_places(tokenizer, inputs, feature, max_length=9)
    assert places[0] is None
    assert places[-1] is None
    pieces = [inputs[place[0]][place[1] : place[2]].lower() for place in places if place is not None]
    written = tokenizer.convert_ids_to_tokens(feature["input_ids"])
    assert pieces == [piece.removeprefix("##") for piece in written if piece not in ("[CLS]", "[SEP]")]
    with pytest.raises(PluginError, match="a way of its own"):
        token_places(tokenizer, inputs, {"input_ids": [101, 102]}, max_length=9)


def test_log_odds_are_those_of_the_probabilities() -> None:
    logits = torch.tensor([[0.3, -1.2, 2.0], [40.0, 0.0, -3.0]])
    probabilities = logits.softmax(-1).double()
    expected = torch.log(probabilities[0, 1] / (1 - probabilities[0, 1]))
    assert log_odds(logits, 1)[0] == pytest.approx(float(expected), rel=1e-5)
    assert log_odds(logits, 0)[1] == pytest.approx(40.0, abs=0.1)  # where a probability would be 1
    assert torch.equal(log_odds(logits, 2, multi=True), logits[:, 2])
    two = logits[:, :2]
    assert torch.allclose(log_odds(two, 0), -log_odds(two, 1))
