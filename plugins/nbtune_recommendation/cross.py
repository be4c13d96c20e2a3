"""The cross-encoder: reads a user's history and one item together. Sharper, and far slower than two towers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nbtune.api import Batch, Example, Feature, Forward, Inventory, Pretrained, Recipe
from nbtune_recommendation.catalogue import Catalogue
from nbtune_recommendation.options import RecommendationOptions
from nbtune_recommendation.profiles import Matcher, Scores, first_stage
from nbtune_recommendation.ranking_head import RankingHead


class CrossHead(RankingHead):
    """A match score per pair of texts; ranks the first `rerank` items of a cheap first stage, the rest below them."""

    def __init__(self, base: Pretrained, inventory: Inventory, recipe: Recipe, options: RecommendationOptions) -> None:
        super().__init__(Catalogue.of(inventory), options)
        self.tokenizer = base.tokenizer
        self.recipe = recipe
        self.seed = recipe.seed
        self.model = base.load("sequence-classification", num_labels=1)

    def encode(self, examples: Sequence[Example], *, training: bool) -> Iterator[list[Feature]]:
        """A feature a pair: when training, each liked item of a stretch, what was not liked, and sampled items."""
        for example in examples:
            if training:
                yield self._stretch(example)
            elif "item" in example.inputs:
                history = self.view(example, self.catalogue).history
                yield self._features(self.catalogue, history, [example.inputs["text"]])
            else:
                yield []

    def features_key(self) -> Mapping[str, Any]:
        return {}

    def loss(self, batch: Batch) -> Tensor:
        smooth = self.recipe.label_smoothing
        goal = batch["labels"].float() * (1 - smooth) + smooth / 2
        return F.binary_cross_entropy_with_logits(self._logits(batch), goal)

    def outputs(self, batch: Batch) -> list[NDArray[np.float32]]:
        return list(self._logits(batch).cpu().numpy())

    def decode(self, example: Example, outputs: Sequence[Any]) -> float:
        """The match of the example's item; rankings are made in `predict`."""
        return float(outputs[0]) if len(outputs) else 0.0

    def matcher(self, catalogue: Catalogue, forward: Forward) -> Matcher:
        cheap = first_stage(catalogue)

        def match(history: Sequence[int]) -> Scores:
            scores = cheap(history)
            # the user's own items need no reading: they are never shown
            scores[list(history)] = -np.inf
            count = min(self.options.rerank, len(catalogue) - len(set(history)))
            first = np.argsort(-scores, kind="stable")[:count]
            read = np.asarray(list(forward(self._features(catalogue, history, [catalogue.texts[i] for i in first]))))
            floor = float(read.min()) if len(read) else 0.0
            # below what was read, in the order of the first stage
            rest = np.where(np.isfinite(scores), scores, 0.0)
            combined: Scores = (floor - 1 + (rest - rest.max())).astype(np.float32)
            combined[first] = read
            return combined

        return match

    def fingerprint(self) -> NDArray[np.float64]:
        import torch

        with torch.no_grad():
            return np.asarray([float(parameter.float().sum()) for parameter in self.model.parameters()])

    def _logits(self, batch: Batch) -> Tensor:
        inputs = {key: value for key, value in batch.items() if key != "labels"}
        logits: Tensor = self.model(**inputs).logits
        return logits.float().squeeze(-1)

    def _stretch(self, example: Example) -> list[Feature]:
        inputs = example.inputs
        items, liked, user = inputs["items"], inputs["liked"], inputs["user"]
        random = np.random.default_rng([self.seed, max(0, example.row)])
        met = set(self.catalogue.seen(user))
        others = np.asarray([item for item in range(len(self.catalogue)) if item not in met])
        features: list[Feature] = []
        for place in range(inputs["start"], len(items)):
            history = [item for item, good in zip(items[:place], liked[:place], strict=True) if good]
            if not history:
                continue
            asked, labels = [items[place]], [float(liked[place])]
            if liked[place] and len(others):
                sampled = random.choice(others, min(self.options.negatives, len(others)), replace=False).tolist()
                asked, labels = [*asked, *sampled], [*labels, *(0.0 for _ in sampled)]
            texts = [self.catalogue.texts[item] for item in asked]
            pairs = self._features(self.catalogue, history, texts)
            features.extend({**pair, "labels": label} for pair, label in zip(pairs, labels, strict=True))
        return features

    def _features(self, catalogue: Catalogue, history: Sequence[int], texts: Sequence[str]) -> list[Feature]:
        """Pairs of the candidate and the user's items, the latest first, so that cutting drops the oldest."""
        if not texts:
            return []
        latest = [catalogue.texts[item] for item in reversed(list(history)[-self.options.history :])]
        profile = " ".join(latest)
        encoded = self.tokenizer(
            list(texts),
            [profile] * len(texts),
            truncation="longest_first",  # an item's text may by itself be longer than the model
            max_length=max(self.recipe.max_length, 16),
            return_attention_mask=True,
        )
        keys = [key for key in self.tokenizer.model_input_names if key in encoded]
        return [{key: encoded[key][row] for key in keys} for row in range(len(texts))]
