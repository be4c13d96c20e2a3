"""A few steps of the real loop that stand for a whole training: how long it would take.

One step is taken at each of a dozen quantiles of their cost, and the largest for the memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nbtune.events import Stepped
from nbtune.training.batches import epoch_batches
from nbtune.training.job import Job
from nbtune.training.loop import train

_QUANTILES = 12
_STEPPING = 5.0
"""Seconds of steps after which no further one is measured, once there are `_LEAST`."""
_LEAST = 3


class TrialSteps:
    """The optimizer steps of the first epoch, of which a few are taken. `share` is that of the training examples whose
    features the job has; `total` counts the steps of all epochs and all examples."""

    def __init__(self, job: Job, share: float) -> None:
        s = job.settings
        self.job = job
        batches = epoch_batches(job.lengths, s.batch_size, seed=s.seed, epoch=0, grouped=job.state.grouped)
        cost = np.array([self._cost(batch) for batch in batches], dtype=np.float64)
        self.starts = np.arange(0, len(batches), s.accumulate)
        self.costs = np.add.reduceat(cost, self.starts)
        self.share = share
        self.total = max(1, round(len(self.starts) / share)) * s.epochs
        self.measured = 0

    def measure(self, *, again: bool) -> float:
        """Seconds of all steps. `again`: what frozen layers give is kept after the first epoch, so that the others are
        measured apart."""
        order = np.argsort(self.costs, kind="stable")
        places = order[np.unique(((np.arange(_QUANTILES) + 0.5) / _QUANTILES * len(order)).astype(int))]
        places = np.random.default_rng(0).permutation(places)  # cut short, they still stand for all
        events = iter(train(self.job))
        next(events)  # Started
        middle = order[len(order) // 2]
        first = self._take(events, middle)
        warm = self._take(events, middle)
        rate, used = self._rate(events, places)
        later = self._rate(events, used)[0] if again and self.job.settings.epochs > 1 else rate
        self._take(events, order[-1])  # the most memory
        epochs = rate + (self.job.settings.epochs - 1) * later
        return max(0.0, first - warm) + float(self.costs.sum()) / self.share * epochs

    def _rate(self, events: Iterator[Any], places: NDArray[np.int64]) -> tuple[float, NDArray[np.int64]]:
        """Seconds a unit of cost, and the steps that were taken to tell."""
        spent = cost = 0.0
        for done, place in enumerate(places.tolist()):
            if spent > _STEPPING and done >= _LEAST:
                return spent / cost, places[:done]
            spent += self._take(events, place)
            cost += self.costs[place]
        return spent / cost, places

    def _take(self, events: Iterator[Any], place: int) -> float:
        """Seconds of the step at a place of the epoch: between two events, a loop may be anywhere."""
        self.job.state.position = int(self.starts[place])
        began = time.perf_counter()
        while not isinstance(next(events), Stepped):
            pass
        if self.job.device.kind == "cuda":
            torch.cuda.synchronize(self.job.device.device)
        self.measured += 1
        return time.perf_counter() - began

    def _cost(self, batch: NDArray[np.int64]) -> float:
        """What the time of a batch goes by: its tokens, and those of its padding where it is computed; its rows where
        the head looks texts up by itself."""
        lengths = self.job.lengths[batch]
        if not self.job.lengths.any():
            return float(len(batch))
        return float(lengths.sum() if self.job.shortcuts.packs else lengths.max() * len(lengths))
