"""What a head must say to be explained: a stranger's head, with two features an example and an answer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nbtune.api import Batch, Example, Explained, Feature, Head, Inventory, Recipe, SequenceHead, token_places
from nbtune.errors import SpecError
from nbtune.evaluation.explanation import Explanation, Explanations
from nbtune.running.explaining import explain_example
from nbtune.running.model import Model
from nbtune.tasks.explained import explains
from nbtune.tasks.pretrained import pretrained
from nbtune.tasks.registry import registry
from nbtune.training.devices import choose_device

EXAMPLE = Example({"text": "the golden house", "text_pair": "a long road"})


class BothOrders(SequenceHead):
    """A pair read in both orders, as in docs/plugins.md."""

    def encode(self, examples: Sequence[Example], *, training: bool) -> list[list[Feature]]:
        given = super().encode(examples, training=training)
        swapped = super().encode([swap(example) for example in examples], training=training)
        return [one + other for one, other in zip(given, swapped, strict=True)]

    def decode(self, example: Example, outputs: Sequence[Any]) -> float:
        given, swapped = super().decode(example, outputs[:1]), super().decode(example, outputs[1:])
        return float(given - swapped) / 2


class ExplainedOrders(BothOrders):
    def explained(self, example: Example, prediction: float, target: str | None) -> Explained:
        given, swapped = self.encode([example], training=False)[0]
        longest = self.recipe.max_length
        places = token_places(self.tokenizer, example.inputs, given, max_length=longest)
        others = token_places(self.tokenizer, swap(example).inputs, swapped, max_length=longest)
        names = {"text": "text_pair", "text_pair": "text"}

        def score(batch: Batch) -> torch.Tensor:
            share = batch.pop("share")
            logits: torch.Tensor = self.model(**batch).logits
            return logits.squeeze(-1) * share

        return Explained(
            target="the first",
            probability=None,
            features=[{**given, "share": 0.5}, {**swapped, "share": -0.5}],
            places=[places, [place and (names[place[0]], *place[1:]) for place in others]],
            score=score,
            unit="lead",
        )


def swap(example: Example) -> Example:
    inputs = {"text": example.inputs["text_pair"], "text_pair": example.inputs["text"]}
    return replace(example, inputs=inputs, target=None)


def model_of(kind: type[SequenceHead], tiny_model: str, folder: Path) -> Model:
    torch.manual_seed(0)
    inventory = Inventory(facts={"mean": 0.0, "std": 1.0, "classes": 0, "convention": ""})
    recipe = Recipe(max_length=32)
    head = kind(pretrained(tiny_model), inventory, recipe, kind="number")
    with torch.no_grad():  # a fresh layer hardly tells anything apart
        for parameter in head.model.parameters():
            parameter.mul_(3)
    return Model(folder, registry().task("sentiment"), head, inventory, recipe, choose_device("cpu", "fp32"))


def single(model: Model, example: Example) -> Explanation:
    found = explain_example(model, example, None)
    assert isinstance(found, Explanation)
    return found


def test_an_answer_of_several_features_is_explained_as_a_whole(tiny_model: str, tmp_path: Path) -> None:
    model = model_of(ExplainedOrders, tiny_model, tmp_path)
    (prediction,) = model.predict([EXAMPLE])
    found = single(model, EXAMPLE)
    assert found.score == pytest.approx(prediction, abs=1e-5)
    assert [word.text for word in found.words] == ["the", "golden", "house", "a", "long", "road"]
    assert [word.source for word in found.words] == ["text"] * 3 + ["text_pair"] * 3
    assert sum(word.gradients for word in found.words) == pytest.approx(found.score - found.baseline, abs=1e-3)
    swapped = single(model, swap(EXAMPLE))
    ours = {(word.source, word.text): word.gradients for word in found.words}
    theirs = {({"text": "text_pair"}.get(w.source, "text"), w.text): -w.gradients for w in swapped.words}
    assert theirs == pytest.approx(ours, abs=1e-5)  # what speaks for one order speaks against the other


def test_a_head_that_answers_in_its_own_way_must_explain_itself(tiny_model: str, tmp_path: Path) -> None:
    assert explains(model_of(SequenceHead, tiny_model, tmp_path).head)
    assert explains(model_of(ExplainedOrders, tiny_model, tmp_path).head)
    # SequenceHead's explanation would be that of one order alone
    assert not explains(model_of(BothOrders, tiny_model, tmp_path).head)


class Silent(BothOrders):
    """Has nothing to say of its answers, and asks its base class."""

    def explained(self, example: Example, prediction: Any, target: str | None) -> Any:
        return Head.explained(self, example, prediction, target)


def test_a_head_may_explain_nothing(tiny_model: str, tmp_path: Path) -> None:
    model = model_of(Silent, tiny_model, tmp_path)
    found = explain_example(model, EXAMPLE, None)
    assert isinstance(found, Explanations)
    assert not list(found)
    assert "nothing to explain" in found.notes[0]
    assert "nothing to explain" in repr(found)
    with pytest.raises(SpecError, match="no 'Paris' to explain"):
        explain_example(model, EXAMPLE, "Paris")


def test_which_built_in_heads_explain_themselves() -> None:
    from nbtune_classification.head import MultiLabelHead
    from nbtune_ner.head import NerHead
    from nbtune_recommendation.towers import TowersHead

    expected: dict[type[Head], bool] = {MultiLabelHead: True, NerHead: True, TowersHead: False}
    assert {kind: explains(object.__new__(kind)) for kind in expected} == expected


def test_occlusion_is_bounded_in_long_texts(tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbtune.running.explaining.MOST_OCCLUDED", 2)
    found = single(model_of(ExplainedOrders, tiny_model, tmp_path), EXAMPLE)
    tried = [word for word in found.words if not np.isnan(word.occlusion)]
    assert {word.text for word in tried} == {word.text for word in found.top(2)}
    assert "occlusion was tried on the 2 words" in found.notes[0]
