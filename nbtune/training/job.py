"""What a training is given, and where it is: settings, state, and the job that holds both."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.events import Preparing
from nbtune.tasks.head import Head
from nbtune.tasks.metrics import MetricSet, Scored
from nbtune.training import adapters, optimizers
from nbtune.training.checkpoints import Snapshot
from nbtune.training.devices import Device
from nbtune.training.randomness import random_state, set_random_state
from nbtune.training.shortcuts import Shortcuts

Evaluate = Callable[[], Generator[Preparing, None, Scored]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How to learn; the fields mean what `nbtune.running.spec.RunSpec` says."""

    epochs: int
    batch_size: int
    accumulate: int = 1
    learning_rate: float
    optimizer: optimizers.OptimizerName = "adamw"
    schedule: optimizers.ScheduleName = "linear"
    warmup: float = 0.06
    weight_decay: float = 0.01
    clip: float | None = 1.0
    patience: int | None = None
    evaluate_every: int | None = None  # steps; None: once an epoch
    length_grouping: bool | None = None  # None: where padding costs something
    keep_frozen: bool = True
    seed: int = 0


@dataclass(slots=True)
class LoopState:
    """Where the loop is: what a resume needs beside weights, optimizer and random state."""

    step: int = 0
    epoch: int = 0
    position: int = 0  # batches of this epoch already used
    best: dict[str, float] | None = None
    best_step: int | None = None
    evaluations_since_best: int = 0
    evaluated_at: int = -1
    seconds: float = 0.0
    rows_at_once: int | None = None  # less than a micro-batch after memory ran out
    grouped: bool = True  # batches of like length; part of the state, because it decides their order


@dataclass
class Job:
    """Everything the loop needs. `evaluate` yields progress and returns the validation scores."""

    run: str
    task: str
    model: str
    head: Head
    features: FeatureSet
    device: Device
    settings: LoopSettings
    control: Control
    metrics: MetricSet
    evaluate: Evaluate | None = None
    rows: Sequence[int] = ()  # the table row of each example, for messages
    validation_examples: int = 0
    state: LoopState = field(default_factory=LoopState)
    best_weights: dict[str, Tensor] | None = None

    def __post_init__(self) -> None:
        for module in adapters.modules(self.head).values():
            module.to(self.device.device)
        s = self.settings
        again = s.keep_frozen and s.epochs > 1  # what is used once is not worth keeping
        self.shortcuts = Shortcuts(self.head, self.features, self.device, s.seed, keep_frozen=again)
        self.state.grouped = not self.shortcuts.packs if s.length_grouping is None else s.length_grouping
        self.lengths = self.features.lengths()
        self.batches_per_epoch = -(-len(self.features) // s.batch_size)
        self.steps_per_epoch = -(-self.batches_per_epoch // s.accumulate)
        self.total_steps = self.steps_per_epoch * s.epochs
        self.optimizer = optimizers.make_optimizer(
            self.head, s.optimizer, learning_rate=s.learning_rate, weight_decay=s.weight_decay
        )
        self.schedule = optimizers.make_schedule(
            self.optimizer,
            s.schedule,
            warmup_steps=optimizers.warmup_steps(s.warmup, self.total_steps),
            total_steps=self.total_steps,
        )
        self.scaler = torch.amp.GradScaler(self.device.kind, enabled=self.device.needs_scaling)

    def weights(self) -> dict[str, Tensor]:
        """What has learned so far (frozen weights are the base's own), and what counts along beside it (buffers)."""
        return {name: tensor.detach() for name, tensor in self._learned()}

    def keep_best(self) -> None:
        """Keep a copy of the weights, in the host's memory, as those of the best evaluation."""
        self.best_weights = {name: tensor.to("cpu", copy=True) for name, tensor in self.weights().items()}

    def load_best(self) -> None:
        """Bring the best weights back; nothing happens before there are any."""
        if self.best_weights is not None:
            self.load_weights(self.best_weights)

    def snapshot(self) -> Snapshot:
        """Weights, optimizer state and everything else a resume needs; tensors are not copied."""
        state = {
            "loop": asdict(self.state),
            "schedule": {"base_lrs": list(self.schedule.base_lrs), "last_epoch": self.schedule.last_epoch},
            "scaler": self.scaler.state_dict(),
            "random": random_state(),
            "masks": self.shortcuts.masks.state(),
        }
        return Snapshot(self.weights(), self.optimizer.state_dict(), self.best_weights, state)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot."""
        state = snapshot.state
        self.load_weights(snapshot.weights)
        self.best_weights = None if snapshot.best is None else dict(snapshot.best)
        if snapshot.optimizer["param_groups"]:
            self.optimizer.load_state_dict(dict(snapshot.optimizer))
        self.schedule.base_lrs = list(state["schedule"]["base_lrs"])
        self.schedule.last_epoch = state["schedule"]["last_epoch"]
        self.scaler.load_state_dict(state["scaler"])
        self.state = LoopState(**state["loop"])
        set_random_state(state["random"])
        self.shortcuts.masks.restore(state["masks"])

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy weights that `weights()` gave into the model."""
        with torch.no_grad():
            for name, tensor in self._learned():
                tensor.copy_(weights[name])

    def _learned(self) -> Iterator[tuple[str, Tensor]]:
        yield from adapters.learners(self.head)
        for prefix, module in adapters.modules(self.head).items():
            kept = module.state_dict(keep_vars=True)
            for name, buffer in module.named_buffers():
                if name in kept:  # others are made again with the module
                    yield f"{prefix}.{name}", buffer

    def step_random_state(self) -> tuple[Tensor, Any]:
        """The generators that a forward pass draws from (torch's, and that of the masks), so that a step that is begun
        anew draws the same; cheaper than `random_state`, since it is taken at every step."""
        cuda = self.device.kind == "cuda"
        state = torch.cuda.get_rng_state(self.device.device) if cuda else torch.get_rng_state()
        return state, self.shortcuts.masks.state()

    def set_step_random_state(self, state: tuple[Tensor, Any]) -> None:
        if self.device.kind == "cuda":
            torch.cuda.set_rng_state(state[0], self.device.device)
        else:
            torch.set_rng_state(state[0])
        self.shortcuts.masks.restore(state[1])

    def finish(self) -> None:
        """Give the head its own modules back, with the best weights; nothing is learned after, so what only learning
        needs is let go. Safe to call again."""
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer.state.clear()
        self.load_best()
        self.best_weights = None  # named after the modules that learned
        self.shortcuts.remove()
