"""The losses of the steps just taken, read from the device only as often as somebody looks: reading waits for it."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtune.errors import TrainingError
from nbtune.events import Stepped
from nbtune.training.job import Job

READ_EVERY = 0.5
"""Seconds between two reads of the loss from the device: as often as a display redraws."""


class Window:
    """The losses not read yet, with the rows of their batches."""

    def __init__(self, job: Job, began: float) -> None:
        self.job = job
        self.began = began
        self.read_at = time.monotonic()
        self.losses: list[Tensor] = []
        self.norms: list[Tensor] = []
        self.groups: list[list[NDArray[np.int64]]] = []
        self.tokens = 0
        self.examples = 0
        self.rate = 0.0

    def add(self, loss: Tensor, norm: Tensor, groups: list[NDArray[np.int64]], rate: float) -> Stepped:
        self.losses.append(loss)
        self.norms.append(norm)
        self.groups.append(groups)
        self.rate = rate
        indices = np.concatenate(groups)
        self.tokens += int(self.job.lengths[indices].sum())
        self.examples += len(indices)
        # on a CPU there is nothing to wait for, and a loss that is not finite is named at once
        due = self.job.device.kind == "cpu" or time.monotonic() - self.read_at >= READ_EVERY
        # where every run must tell the same, what is told may not hang on a clock
        due = due or torch.are_deterministic_algorithms_enabled()
        return self._event(read=due)

    def close(self) -> Stepped | None:
        """The last event if there are losses left to read."""
        return self._event(read=True) if self.losses else None

    def _event(self, read: bool) -> Stepped:
        loss, norm = self._read() if read else (None, None)
        state = self.job.state
        state.seconds = time.monotonic() - self.began
        event = Stepped(
            step=state.step,
            epoch=state.epoch + min(1.0, state.position / self.job.batches_per_epoch),
            learning_rate=self.rate,
            tokens=self.tokens,
            examples=self.examples,
            seconds=state.seconds,
            loss=loss,
            gradient_norm=norm,
        )
        self.tokens = self.examples = 0
        return event

    def _read(self) -> tuple[float, float]:
        losses = torch.stack(self.losses).tolist()
        norm = float(self.norms[-1])
        for offset, value in enumerate(losses):
            if not math.isfinite(value):
                self._refuse(value, self.job.state.step - len(losses) + 1 + offset, self.groups[offset])
        self.losses, self.norms, self.groups = [], [], []
        self.read_at = time.monotonic()
        return sum(losses) / len(losses), norm

    def _refuse(self, value: float, step: int, groups: list[NDArray[np.int64]]) -> None:
        owners = sorted({int(self.job.features.owners[index]) for group in groups for index in group})
        rows = [self.job.rows[owner] if self.job.rows else owner for owner in owners]
        s = self.job.settings
        advice = f"try learning_rate = {s.learning_rate / 10:g}"
        advice += ", a longer warmup" if s.warmup < 0.1 else ""
        advice += ", clip = 1.0" if s.clip is None else ""
        advice += ', precision = "fp32"' if self.job.device.precision != "fp32" else ""
        raise TrainingError(
            f"the loss became {value} at step {step}, on training rows {', '.join(map(str, rows[:16]))}"
            + (" ..." if len(rows) > 16 else ""),
            advice + ", or look at those rows",
        )
