"""The head of multi-label classification: the shared one, with a tuned threshold for each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbtune.api import Example, Forward, Inventory, Pretrained, Recipe, SequenceHead
from nbtune_classification.thresholds import best_thresholds


class MultiLabelHead(SequenceHead):
    """A probability for each label of its own, and the labels that reach their thresholds."""

    def __init__(self, base: Pretrained, inventory: Inventory, recipe: Recipe) -> None:
        super().__init__(base, inventory, recipe, kind="multi")

    def conclude(self, train: Sequence[Example], validation: Sequence[Example], forward: Forward) -> None:
        if not validation:
            return
        labels = self.inventory.labels
        gold = np.array([[label in example.target for label in labels] for example in validation])
        predictions = self.predict(validation, forward)
        self.thresholds = best_thresholds(gold, np.stack([scores.probabilities for scores in predictions]))

    def state(self) -> dict[str, Any]:
        return {"thresholds": dict(zip(self.inventory.labels, self.thresholds.tolist(), strict=True))}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.thresholds = np.array([state["thresholds"][label] for label in self.inventory.labels])
