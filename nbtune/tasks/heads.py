"""Heads that several tasks need. Imports torch: reach it through `nbtune.api`, which loads it on use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nbtune.errors import SpecError, did_you_mean
from nbtune.tasks.explained import Explained, Place, token_places
from nbtune.tasks.head import Batch, Head, Recipe
from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.metrics import Floats
from nbtune.tasks.pretrained import Pretrained
from nbtune.values import Example, Feature, Inventory

Kind = Literal["single", "multi", "number"]

_PROBLEM_TYPES = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "number": "regression",
}


class SequenceHead(Head):
    """One answer for a text or a pair of texts, through `AutoModelForSequenceClassification`.

    Reads `example.inputs["text"]` and, where present, `["text_pair"]`. The target is a label's name (`single`),
    a list of names (`multi`) or a number (`number`). `decode` gives `LabelScores` (softmax and the most probable
    label, or a sigmoid each and the labels that reach `thresholds`), or the number as a float.

    Numbers are learned as deviations from `inventory.facts["mean"]` in units of `["std"]`, where given, so the loss is
    in squared standard deviations. What the model answers keeps the scale of the data.
    """

    def __init__(self, base: Pretrained, inventory: Inventory, recipe: Recipe, *, kind: Kind = "single") -> None:
        self.tokenizer = base.tokenizer
        self.inventory = inventory
        self.recipe = recipe
        self.kind: Kind = kind
        self.thresholds: Floats = np.full(len(inventory.labels), 0.5)
        self._index = {label: index for index, label in enumerate(inventory.labels)}
        self._weights: Tensor | None = class_weight_tensor(inventory, recipe, kind)
        self._scale = float(inventory.facts.get("std") or 1.0)
        names: dict[str, Any] = (
            {"num_labels": 1}
            if kind == "number"
            else {"id2label": dict(enumerate(inventory.labels)), "label2id": self._index}
        )
        # a base that was fine-tuned on other labels gets a new last layer
        self.model = base.load(
            "sequence-classification", problem_type=_PROBLEM_TYPES[kind], ignore_mismatched_sizes=True, **names
        )
        self._give_pad_token()
        if kind == "number":
            self._standardise()

    def encode(self, examples: Sequence[Example], *, training: bool) -> list[list[Feature]]:
        texts = [example.inputs["text"] for example in examples]
        pairs = [example.inputs.get("text_pair") for example in examples]
        second = [pair or "" for pair in pairs] if any(pair is not None for pair in pairs) else None
        encoded = self.tokenizer(
            texts, second, truncation=True, max_length=self.recipe.max_length, return_attention_mask=True
        )
        keys = [key for key in self.tokenizer.model_input_names if key in encoded]
        rows: list[list[Feature]] = []
        for position, example in enumerate(examples):
            feature: dict[str, Any] = {key: encoded[key][position] for key in keys}
            if training:
                feature["labels"] = self._target(example)
            rows.append([feature])
        return rows

    def features_key(self) -> Mapping[str, Any]:
        return {"kind": self.kind}

    def loss(self, batch: Batch) -> Tensor:
        logits = self._logits(batch)
        labels = batch["labels"]
        smoothing = self.recipe.label_smoothing
        if self.kind == "number":
            return F.mse_loss(logits.squeeze(-1) / self._scale, labels.float() / self._scale)
        weights = None if self._weights is None else self._weights.to(logits.device)
        if self.kind == "multi":
            # each label is a choice of two, so smoothing moves it towards a half
            goal = labels.float() * (1 - smoothing) + smoothing / 2
            return F.binary_cross_entropy_with_logits(logits, goal, pos_weight=weights)
        return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)

    def outputs(self, batch: Batch) -> list[NDArray[np.float32]]:
        return list(self._logits(batch).cpu().numpy())

    def decode(self, example: Example, outputs: Sequence[NDArray[np.float32]]) -> Any:
        logits = outputs[0].astype(np.float64)
        if self.kind == "number":
            return float(logits[0])
        logits = logits / self.temperature
        if self.kind == "multi":
            return LabelScores.above(self.inventory.labels, 0.5 * (1 + np.tanh(logits / 2)), self.thresholds)
        odds = np.exp(logits - logits.max())
        return LabelScores.best(self.inventory.labels, odds / odds.sum())

    def explained(self, example: Example, prediction: Any, target: str | None) -> Explained | list[Explained]:
        """The most probable label, or the one named; of several labels a row, those decided for. Their log-odds are
        explained: log p / (1 - p)."""
        feature = self.encode([example], training=False)[0][0]
        places = token_places(self.tokenizer, example.inputs, feature, max_length=self.recipe.max_length)

        def answer(label: int) -> Explained:
            return Explained(
                target=self.inventory.labels[label],
                probability=float(prediction.probabilities[label]),
                features=[feature],
                places=[places],
                score=lambda batch: log_odds(self._logits(batch), label, multi=self.kind == "multi"),
            )

        if self.kind == "number":
            return self._explained_number(prediction, target, feature, places)
        if target is not None:
            if target not in self._index:
                raise SpecError(f"the model knows no label {target!r}", did_you_mean(target, self.inventory.labels))
            return answer(self._index[target])
        best = int(np.argmax(prediction.probabilities))
        return [answer(label) for label in prediction.chosen or (best,)] if self.kind == "multi" else answer(best)

    def _explained_number(
        self, prediction: float, target: str | None, feature: Feature, places: list[Place | None]
    ) -> Explained:
        if target is not None:
            raise SpecError(f"the model gives a number and knows no label {target!r}", "leave the target out")
        return Explained(
            target=f"{prediction:.4g}",
            probability=None,
            features=[feature],
            places=[places],
            score=lambda batch: self._logits(batch).squeeze(-1),
            unit="predicted number",
        )

    def weigh(self, batch: Batch) -> float:
        # a weighted mean divides by the weights of the labels present (torch.nn.CrossEntropyLoss)
        if self.kind == "single" and self._weights is not None:
            return float(self._weights[batch["labels"].cpu()].sum())
        return float(len(batch["labels"]))

    def _logits(self, batch: Batch) -> Tensor:
        """In float32, whatever the precision; shape [features, labels]."""
        logits: Tensor = self.model(**{key: value for key, value in batch.items() if key != "labels"}).logits
        return logits.float()

    def _target(self, example: Example) -> Any:
        if self.kind == "number":
            return float(example.target)
        if self.kind == "multi":
            present = set(example.target)
            return [1.0 if label in present else 0.0 for label in self.inventory.labels]
        return self._index[example.target]

    def _give_pad_token(self) -> None:
        """Decoders often have no padding; without it they cannot tell where a text ends."""
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        config: Any = self.model.config
        if getattr(config, "pad_token_id", None) is None:
            config.pad_token_id = self.tokenizer.pad_token_id

    def _standardise(self) -> None:
        """Let the last layer learn standardised numbers, whatever the scale of the data."""
        config: Any = self.model.config
        trained = getattr(config, "target_scale", None) is not None  # a saved model, on the scale of its data
        config.target_scale = [float(self.inventory.facts.get("mean", 0.0)), self._scale]
        for name, module in list(self.model.named_modules()):
            if isinstance(module, nn.Linear) and module.out_features == 1:
                self.model.set_submodule(name, _Standardised(module, *config.target_scale, trained=trained))


class _Standardised(nn.Linear):
    """A last layer with parameters for standardised numbers, which answers, and is saved, on the scale of the data.

    Adam steps by the learning rate whatever the gradient, so a plain layer would learn targets of 0 to 100 a hundred
    times slower than targets of 0 to 1. Saved, it is a plain layer, so the model needs no nbtune to give the same.
    """

    def __init__(self, layer: nn.Linear, mean: float, spread: float, *, trained: bool) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None)
        self.mean = mean if layer.bias is not None else 0.0  # a plain layer without a bias could not hold it
        self.spread = spread
        values = {key: value.detach().clone() for key, value in layer.named_parameters()}
        if trained:
            self.load_state_dict(values)
            return
        with torch.no_grad():
            for key, parameter in self.named_parameters():
                parameter.copy_(values[key])

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        # in float32, because 8 bits of mantissa cannot hold both a mean and small deviations from it
        return super().forward(input).float() * self.spread + self.mean

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = destination[f"{prefix}weight"] * self.spread
        if self.bias is not None:
            destination[f"{prefix}bias"] = destination[f"{prefix}bias"] * self.spread + self.mean

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        own = {key: value for key, value in state_dict.items() if key.startswith(prefix)}
        if f"{prefix}weight" in own:
            own[f"{prefix}weight"] = own[f"{prefix}weight"] / self.spread
        if f"{prefix}bias" in own:
            own[f"{prefix}bias"] = (own[f"{prefix}bias"] - self.mean) / self.spread
        super()._load_from_state_dict(own, prefix, *rest)


def log_odds(logits: Tensor, label: int, *, multi: bool = False) -> Tensor:
    """log p / (1 - p) of a label, shape [rows], from logits of shape [rows, labels]; `multi` for labels that do not
    exclude each other. Unlike p it does not run into 1, where nothing would seem to matter."""
    if multi:
        return logits[:, label]
    others = torch.cat((logits[:, :label], logits[:, label + 1 :]), dim=1)
    return logits[:, label] - others.logsumexp(dim=1)


def class_weight_tensor(inventory: Inventory, recipe: Recipe, kind: Kind = "single") -> Tensor | None:
    """Weights a label, shape [labels], or None for equal weights.

    `balanced` gives rows / (labels * count) for single labels (King and Zeng, 2001, as in scikit-learn), and
    negatives / positives, at most 100, for multi-label's positive weights. Labels a mapping does not name weigh 1.

    Raises:
        SpecError: a mapping names an unknown label, or a weight is not positive.
    """
    chosen = recipe.class_weights
    if chosen is None or kind == "number":
        return None
    if isinstance(chosen, Mapping):
        return _given_weights(inventory, chosen)
    counts = torch.tensor([float(max(1, inventory.counts.get(label, 0))) for label in inventory.labels])
    if kind == "multi":
        rows = float(inventory.facts.get("rows", counts.sum().item()))
        return ((rows - counts).clamp(min=1.0) / counts).clamp(max=100.0)
    return counts.sum() / (len(counts) * counts)


def _given_weights(inventory: Inventory, chosen: Mapping[str, float]) -> Tensor:
    for label, weight in chosen.items():
        if label not in inventory.labels:
            raise SpecError(f"class_weights names an unknown label {label!r}", did_you_mean(label, inventory.labels))
        if not 0 < weight < float("inf"):
            raise SpecError(f"the class weight of {label!r} is {weight}", "give a positive number")
    return torch.tensor([float(chosen.get(label, 1.0)) for label in inventory.labels])
