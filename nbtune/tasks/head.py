"""The head: a base model with what turns examples into its inputs and its outputs into predictions.

This module imports no torch, so that a plugin can be listed and its columns guessed without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from nbtune.tasks.judging import Judgement, judged
from nbtune.values import Example, Feature

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedTokenizerBase

    from nbtune.tasks.explained import Explained

Batch: TypeAlias = "dict[str, Tensor]"
"""Features padded together: name -> tensor of shape [features, longest] or [features]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The settings of a run that a head must know. `max_length` counts tokens, special ones included."""

    max_length: int
    label_smoothing: float = 0.0
    class_weights: Literal["balanced"] | Mapping[str, float] | None = None
    seed: int = 0


class Forward(Protocol):
    """Runs features through `Head.outputs` in efficient batches; one output a feature, in the order given."""

    def __call__(self, features: Iterable[Feature]) -> Iterator[Any]: ...


class Head(ABC):
    """What a task builds on a pre-trained model. Subclasses set `model` and `tokenizer`.

    `model` is the `torch.nn.Module` whose parameters are trained; where it is a `transformers` model, the run's
    `model/` folder loads with plain `transformers`.
    """

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    temperature: float = 1.0
    """What `decode` and `judge` divide scores by before they become probabilities; fitted where the user asks."""

    @abstractmethod
    def encode(self, examples: Sequence[Example], *, training: bool) -> Iterable[list[Feature]]:
        """The features of each example, in order; several where the text is longer than the model.

        Called with up to 1,000 examples at once, so that fast tokenizers run over the lot.
        With `training`, features carry what `loss` needs (`labels`).
        """

    def features_key(self) -> Mapping[str, Any] | None:
        """What `encode(training=True)` depends on that the core cannot know, as plain JSON values; None: on anything.

        Features of a head that answers are kept on disk and used again by a later run with the same examples (their
        rows too), tokenizer, model configuration, task options, inventory, recipe, code and answer. So answer only
        (most often with `{}`) where `encode` draws no chance but from `recipe.seed`, and leaves nothing behind in the
        head that `loss` needs. The class that writes `encode` must answer for itself: what a base class says does
        not count.
        """
        return None

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of a training batch, a scalar on the model's device."""

    @abstractmethod
    def outputs(self, batch: Batch) -> Sequence[Any]:
        """The model's raw outputs, one a feature, as NumPy arrays without padding. Called without gradients."""

    @abstractmethod
    def decode(self, example: Example, outputs: Sequence[Any]) -> Any:
        """The prediction for an example from the outputs of all its features. `example.target` may be None."""

    def weigh(self, batch: Batch) -> float:
        """Over how much the mean of `loss` runs: features by default, tokens for token tasks.

        Micro-batches that share a step are averaged with these weights, so that accumulation gives the
        same step as one large batch. The batch is still in the host's memory. 0 leaves it out of the step.
        """
        return float(len(next(iter(batch.values()))))

    def padding(self) -> Mapping[str, int]:
        """What ragged keys are padded with, where it is not the tokenizer's pad, 0, or -100 for `labels`."""
        return {}

    def predict(self, examples: Sequence[Example], forward: Forward) -> Iterator[Any]:
        """Predictions in order. Override where they need more than outputs of their own features
        (a ranking over all items, generated text)."""
        return decoded(self, examples, forward, self.decode)

    def judge(self, example: Example, outputs: Sequence[Any]) -> Judgement | None:
        """What the model thinks of every label of an example, from the outputs of all its features: wrong labels are
        found with it, and texts worth labelling. `example.target` may be None. By default what is behind the
        `LabelScores` that `decode` gives; None: the answers are no labels. Override it where a text has many."""
        return judged(self.decode(example, outputs), example.target)

    def explained(self, example: Example, prediction: Any, target: str | None) -> Explained | Sequence[Explained]:
        """What `Run.explain` explains of the prediction for an example: one answer, or, in tasks that may give any
        number of answers a text, a sequence of them, empty where there is nothing to explain. `target` picks one by its
        name.

        By default nothing, and `Run.explain` says that answers are not explained. The class that writes `encode`,
        `outputs`, `decode` or `predict` must answer for itself: what a base class says does not count.

        Raises:
            SpecError: there is no such `target`.
        """
        return ()

    def conclude(self, train: Sequence[Example], validation: Sequence[Example], forward: Forward) -> None:
        """Fit what is learned after the weights: decision thresholds, a ranker. The best weights are loaded."""

    def state(self) -> dict[str, Any]:
        """What `conclude` fitted, as plain JSON values; saved with the model."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""

    def extra_modules(self) -> Mapping[str, nn.Module]:
        """Modules trained beside `model` (a scorer on top of an encoder): name -> module, saved next to it."""
        return {}

    def save_assets(self, folder: Path) -> None:
        """Write large things that are not weights (a catalogue's vectors) into the model folder."""

    def load_assets(self, folder: Path) -> None:
        """Read back what `save_assets` wrote; the model may be used without it."""


def decoded(
    head: Head, examples: Sequence[Example], forward: Forward, decode: Callable[[Example, Sequence[Any]], Any]
) -> Iterator[Any]:
    """What `decode` makes of each example and the outputs of its features, in order."""
    counts: list[int] = []

    def features() -> Iterator[Feature]:
        for start in range(0, len(examples), 1000):
            for encoded in head.encode(examples[start : start + 1000], training=False):
                counts.append(len(encoded))
                yield from encoded

    results = forward(features())
    for position, example in enumerate(examples):
        own: list[Any] = []
        # the first output of an example is pulled before its count is known: pulling is what encodes it
        while len(counts) <= position or len(own) < counts[position]:
            own.append(next(results))
        yield decode(example, own)
