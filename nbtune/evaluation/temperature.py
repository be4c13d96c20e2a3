"""One number by which scores are divided before they become probabilities, so that these tell how often the model is
right (Guo et al., 2017, section 4.2). It changes no answer, only how sure the model says it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbtune.tasks.metrics import Floats

SPAN = (0.05, 20.0)
"""Temperatures that are looked at: beyond them the validation data is hardly a sample of anything."""
_LEAST = 1e-12


def fit_temperature(probabilities: Floats, given: NDArray[np.int64]) -> float:
    """The temperature with the least mean log loss; 1 where nothing is known.

    `probabilities`, shape [units, labels], are those at temperature 1; `given` are positions of the gold labels, those
    below 0 unknown, shape [units].
    """
    from scipy.optimize import minimize_scalar

    known = given >= 0
    if not known.any():
        return 1.0
    logits, gold = np.log(np.maximum(probabilities[known], _LEAST)), given[known]

    def loss(log_temperature: float) -> float:
        return log_loss(logits / np.exp(log_temperature), gold)

    found = minimize_scalar(loss, bounds=np.log(SPAN), method="bounded", options={"xatol": 1e-4})
    # a flat curve has no minimum worth leaving 1 for
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def log_loss(logits: Floats, gold: NDArray[np.int64]) -> float:
    """The mean negative log probability of the gold labels, from scores of shape [units, labels]."""
    highest = logits.max(axis=1, keepdims=True)
    total = highest[:, 0] + np.log(np.exp(logits - highest).sum(axis=1))
    return float(np.mean(total - logits[np.arange(len(gold)), gold]))
