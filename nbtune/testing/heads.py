"""The head: examples to features, features to outputs, outputs to predictions."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from nbtune.data.encoding import TOKENS, FeatureSet
from nbtune.tasks.head import Head, Recipe
from nbtune.tasks.pretrained import pretrained
from nbtune.testing import explaining, judging
from nbtune.testing.tiny import save_tiny_model
from nbtune.testing.walk import Walk, alike, not_plain
from nbtune.training import adapters
from nbtune.training.batches import collate, forward_with
from nbtune.training.devices import choose_device
from nbtune.training.loop import set_training
from nbtune.values import Example

CPU = choose_device("cpu", "fp32")
MOST = 256
"""Tokens at most, whatever the model takes: the walk is to be quick."""


def check(walk: Walk) -> Iterator[str]:
    walk.base = save_tiny_model(walk.workspace / "tiny") if walk.model is None else pretrained(str(walk.model))
    walk.recipe = Recipe(max_length=min(walk.base.longest, MOST))
    torch.manual_seed(0)
    head = walk.task.head(walk.base, walk.prepared.inventory, walk.recipe)
    broken = list(_parts(head))
    yield from broken
    if broken:
        return
    walk.head = head
    broken = list(_encoding(walk))
    yield from broken
    if broken:
        return
    yield from _loss(walk)
    yield from _outputs(walk)
    yield from _predictions(walk)
    yield from _long_texts(walk)
    yield from _state(walk)
    yield from explaining.check(walk)
    yield from judging.check(walk)


def _parts(head: Any) -> Iterator[str]:
    if not isinstance(head, Head):
        yield f"head gave a {type(head).__name__}: give an nbtune.api.Head"
        return
    for attribute in ("model", "tokenizer"):
        if not hasattr(head, attribute):
            yield f"the head sets no self.{attribute}: set it in __init__"
    modules = {"model": getattr(head, "model", None), **head.extra_modules()}
    for name, module in modules.items():
        if module is not None and not isinstance(module, torch.nn.Module):
            yield f"{name} is a {type(module).__name__}: give a torch.nn.Module"


def _encoding(walk: Walk) -> Iterator[str]:
    train = walk.prepared.parts["train"]
    encoded = list(walk.head.encode(train, training=True))
    plain = list(walk.head.encode(train, training=False))
    for features, mode in ((encoded, "True"), (plain, "False")):
        if len(features) != len(train):
            yield f"encode(training={mode}) gave {len(features)} entries for {len(train)} examples: one list each"
            return
        yield from _feature_lists(features, walk.recipe.max_length)
    blind = list(walk.head.encode([dataclasses.replace(each, target=None) for each in train], training=False))
    if not alike(plain, blind):
        yield "encode(training=False) gives other features without the target: the answer leaks into the input"
    walk.features = len(FeatureSet.build(encoded))
    if not walk.features:
        yield "the training examples have no feature at all: encode at least one for each"


def _feature_lists(encoded: Sequence[Any], longest: int) -> Iterator[str]:
    """The first breach in the features, if any."""
    for features in encoded:
        if not isinstance(features, (list, tuple)):
            yield f"encode gave a {type(features).__name__} for an example: give the list of its features"
            return
        for feature in features:
            if not isinstance(feature, Mapping) or not feature:
                yield f"a feature is {feature!r}: give a dict of names to numbers or lists of numbers"
                return
            for key, value in feature.items():
                if isinstance(value, torch.Tensor) or np.asarray(value).dtype.kind not in "iufb":
                    yield f"the feature {key!r} is a {type(value).__name__}: give a number or a flat list of numbers"
                    return
                if key.endswith(TOKENS) and len(value) > longest:
                    yield f"{key} has {len(value)} tokens, the recipe allows {longest}: heed recipe.max_length"
                    return


def _loss(walk: Walk) -> Iterator[str]:
    head = walk.head
    features = [feature for each in head.encode(walk.prepared.parts["train"], training=True) for feature in each]
    set_training(head, True)
    batch = collate(features[:8], head, CPU)
    kept = {key: value.clone() for key, value in batch.items()}
    loss = head.loss(batch)
    if not isinstance(loss, torch.Tensor) or loss.ndim != 0:
        yield f"loss gave {type(loss).__name__} of shape {tuple(getattr(loss, 'shape', ()))}: give one mean, a scalar"
        return
    if not math.isfinite(loss.item()):
        yield f"the loss of a fresh model is {loss.item()}: look for a division by 0 or a log of 0"
    weight = head.weigh(kept)
    if not isinstance(weight, float) or not 0 < weight < math.inf:
        yield f"weigh gave {weight!r}: give over how many items the mean of the loss runs, a float above 0"
    if not loss.requires_grad:
        yield "the loss has no gradient: do not detach the model's outputs, and not .item() or .numpy() on the way"
        return
    torch.autograd.backward(loss)
    parameters = [p for module in adapters.modules(head).values() for p in module.parameters() if p.grad is not None]
    if not any(bool(p.grad.abs().sum() > 0) for p in parameters if p.grad is not None):
        yield "the loss moves no parameter of model or extra_modules: list every trained module there"
    for parameter in parameters:
        parameter.grad = None


def _outputs(walk: Walk) -> Iterator[str]:
    head = walk.head
    longer = _repeated(walk.held_out[0], 3)  # so that the others are padded
    encoded = head.encode([longer, *walk.held_out[:7]], training=False)
    features = [feature for each in encoded for feature in each][:8]
    if not features:
        return  # the head predicts in a way of its own
    set_training(head, False)
    with torch.inference_mode():
        outputs = head.outputs(collate(features, head, CPU))
        single = [head.outputs(collate([feature], head, CPU))[0] for feature in features]
    if len(outputs) != len(features):
        yield f"outputs gave {len(outputs)} for {len(features)} features: one each, in order"
        return
    if isinstance(outputs[0], torch.Tensor):
        yield "outputs gave tensors: end with .float().cpu().numpy(), so that memory on the device is freed"
        return
    for position, (together, alone) in enumerate(zip(outputs, single, strict=True)):
        if not alike(together, alone):
            yield (
                f"the output of feature {position} differs between a batch and alone: pass the attention mask on, and "
                "cut the padding off what you return"
            )
            return


def _predictions(walk: Walk) -> Iterator[str]:
    """In order, one each, whatever they share a batch with, and blind to the gold answer."""
    head, examples = walk.head, walk.held_out
    set_training(head, False)
    head.conclude(walk.prepared.parts["train"], examples, forward_with(head, CPU))
    walk.predictions = predict(head, examples)
    if len(walk.predictions) != len(examples):
        yield f"predict gave {len(walk.predictions)} predictions for {len(examples)} examples: one each"
        return
    if type(head).predict is Head.predict:
        yield from _independent(walk)
    turned = predict(head, list(reversed(examples)))
    if not alike(list(reversed(turned)), walk.predictions):
        yield "predictions do not follow the order of the examples: give them in the order in which they came"
    asked = predict(head, walk.asked)
    if len(asked) != len(walk.asked):
        yield f"{len(asked)} predictions for {len(walk.asked)} rows without targets: one each"


def _independent(walk: Walk) -> Iterator[str]:
    """For heads that predict from an example's own outputs; one that ranks may look at all examples and at targets."""
    head, examples = walk.head, walk.held_out
    alone = [predict(head, [example])[0] for example in examples[:8]]
    if not alike(walk.predictions[: len(alone)], alone):
        yield "predictions differ between one by one and all at once: decode must use the outputs of its own example"
    blind = predict(head, [dataclasses.replace(example, target=None) for example in examples])
    if not alike(blind, walk.predictions):
        yield "a prediction changes when the target is taken away: decode must not look at example.target"


def predict(head: Head, examples: Sequence[Example]) -> list[Any]:
    return list(head.predict(examples, forward_with(head, CPU)))


def _long_texts(walk: Walk) -> Iterator[str]:
    """Texts beyond the model must be cut or windowed, by the head: nobody else knows how."""
    long = _repeated(walk.asked[0], 300)
    yield from _feature_lists(list(walk.head.encode([long], training=False)), walk.recipe.max_length)


def _repeated(example: Example, times: int) -> Example:
    """The example with its text so many times; as it is where it has no text that stands by itself."""
    text = example.inputs.get("text")
    if not isinstance(text, str):
        return example
    return dataclasses.replace(example, inputs={**example.inputs, "text": " ".join([text] * times)})


def _state(walk: Walk) -> Iterator[str]:
    state = walk.head.state()
    found = not_plain(state, "state")
    if found:
        yield f"{found}: state is saved as JSON, give plain values"
        return
    walk.head.restore(json.loads(json.dumps(state)))
    if not alike(predict(walk.head, walk.held_out), walk.predictions):
        yield "predictions change after restore(state()): take back all that conclude fitted"
