"""The contract of a task: a dataset adapter, a head and metrics.

A task is found through the hook `nbtune_tasks`; from then on it is ordinary typed methods. Only `read`, `head`
and `metrics` must be written; everything else has a default that suits a task with one label a row.
"""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from nbtune.tasks.head import Forward, Head, Recipe
from nbtune.tasks.label_metrics import LabelScores
from nbtune.tasks.metrics import MetricSet
from nbtune.tasks.panels import Panel
from nbtune.tasks.slices import Slice
from nbtune.values import Column, ColumnMap, Example, Finding, Inventory, Part, Problem

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.tasks.pretrained import Pretrained


_written = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


class TaskOptions(BaseModel):
    """Settings of a task's own, written beside the common ones. Subclass it; give each field a description."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Baseline:
    """A cheap rival that every result is shown beside.

    `predict(train, examples)` learns from the training examples and answers the others, in the form of the
    head's own predictions.
    """

    name: str
    predict: Callable[[Sequence[Example], Sequence[Example]], Sequence[Any]]


class Task(ABC):
    """What a plugin contributes. `options` holds the task's own settings once `configured`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    headline: ClassVar[str]
    Options: ClassVar[type[TaskOptions]] = TaskOptions
    minimum_labels: ClassVar[int] = 2
    """The fewest different labels that make sense to train on; 0 for tasks without labels."""
    fixes: ClassVar[tuple[str, ...]] = ("normalise_text", "drop_leaks", "drop_conflicts", "drop_duplicates")
    """What `fix = [...]` may do to this task's data, of `nbtune.values.FIXES`."""
    samples: ClassVar[Path | None] = None
    """Folder of sample data with train, validation and test files, for `sample:NAME`."""

    options: Any

    def __init__(self) -> None:
        self.options = self.Options()

    def configured(self, settings: Mapping[str, Any]) -> Self:
        """A copy of this task with `settings` as its options.

        Raises:
            pydantic.ValidationError: a setting is unknown or has a wrong value.
        """
        task = copy.copy(self)
        task.options = self.Options(**settings)
        return task

    # --- dataset adapter

    @abstractmethod
    def read(self, table: pd.DataFrame, columns: ColumnMap, part: Part) -> Iterator[Example | Problem]:
        """One `Example`, or the `Problem` with it, for each row of the table, in order.

        For `predict` rows, target columns may be missing.
        """

    def adjust_columns(self, table: pd.DataFrame, columns: ColumnMap) -> ColumnMap:
        """Correct what the core guessed (one-hot label columns, say). By default, leave it."""
        return columns

    def labels_of(self, example: Example) -> Sequence[str]:
        """The names of the labels this example uses. By default, the target if it is a string."""
        return (example.target,) if isinstance(example.target, str) else ()

    def order_labels(self, labels: Iterable[str]) -> tuple[str, ...]:
        """The labels in the order of the model's outputs. By default, sorted, numbers by value."""
        names = set(labels)
        if all(name.lstrip("-").isdigit() for name in names):
            return tuple(sorted(names, key=int))
        return tuple(sorted(names))

    def inventory(self, train: Sequence[Example]) -> Inventory:
        """What must be known from the training examples. By default, labels, their counts and the number of rows."""
        counts = Counter(label for example in train for label in self.labels_of(example))
        labels = self.order_labels(counts)
        return Inventory(labels=labels, counts={label: counts[label] for label in labels}, facts={"rows": len(train)})

    def arrange(self, examples: Sequence[Example], inventory: Inventory, part: Part) -> Sequence[Example]:
        """Regroup rows into what the head learns from or is scored on (one example a user, say)."""
        return examples

    def split(
        self, examples: Sequence[Example], fractions: Mapping[Part, float], seed: int
    ) -> Mapping[Part, Sequence[Example]] | None:
        """A split of the task's own (by time, by user). None: stratified, with duplicates kept together."""
        return None

    def stratum(self, example: Example) -> str:
        """What a stratified split keeps in proportion. By default, the set of labels."""
        return "|".join(sorted(set(self.labels_of(example))))

    def identity(self, example: Example) -> str:
        """Examples of equal identity are duplicates. By default, the inputs, without case and outer space."""
        inputs = {key: value.strip() if isinstance(value, str) else value for key, value in example.inputs.items()}
        return _written(inputs).casefold()

    def check_table(self, table: pd.DataFrame, columns: ColumnMap, part: Part) -> Iterable[Finding]:
        """Checks of cells as they were written, where reading them hides something (tags that break their scheme)."""
        return ()

    def with_texts(self, example: Example, change: Callable[[str], str]) -> Example | None:
        """The example with each of its texts changed; None where its target would no longer fit (spans count
        characters). By default, the inputs that are strings and come from a column of text."""
        kinds = {column.name: column.kind for column in self.columns}
        if "spans" in kinds.values() or "tokens" in kinds.values():
            return None
        inputs = {
            name: change(value) if isinstance(value, str) and kinds.get(name, "text") == "text" else value
            for name, value in example.inputs.items()
        }
        return replace(example, inputs=inputs)

    def check(self, parts: Mapping[Part, Sequence[Example]], inventory: Inventory) -> Iterable[Finding]:
        """Checks of the task's own, beside those the core makes for every task. An `error` stops the run."""
        return ()

    def answer(self, example: Example) -> Any:
        """The gold answer as people write it into a file of corrections, plain JSON. By default, the target."""
        return example.target

    def corrected(self, example: Example, answer: Any) -> Example:
        """The example with another gold answer, as `answer` would give it.

        Raises:
            ValueError: it is no answer to this example; the words go on after "the answer".
        """
        if type(answer) is not type(example.target) or not _named(answer):
            raise ValueError(f"must be {_form(example.target)}, as in the data, not {answer!r:.80}")
        return replace(example, target=answer)

    def answer_in_words(self, example: Example, answer: Any) -> str:
        """An answer, or the part of one that is a list, for a table. By default, the labels with commas."""
        return ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer)

    def read_samples(self) -> Mapping[str, pd.DataFrame] | None:
        """Sample tables by part, where they are not simply the files in `samples`."""
        return None

    # --- head

    @abstractmethod
    def head(self, base: Pretrained, inventory: Inventory, recipe: Recipe) -> Head:
        """The head on a pre-trained base; also called to open a saved model, whose folder is then the base."""

    # --- metrics

    @abstractmethod
    def metrics(self, inventory: Inventory) -> MetricSet:
        """How predictions are scored."""

    def tables(
        self, examples: Sequence[Example], predictions: Sequence[Any], inventory: Inventory
    ) -> Mapping[str, pd.DataFrame | str]:
        """What a report shows beside the metrics: title -> table or preformatted text."""
        return {}

    def baselines(self, inventory: Inventory) -> Sequence[Baseline]:
        """Cheap rivals to be scored beside the model, the simplest first."""
        return ()

    def slices(
        self, examples: Sequence[Example], predictions: Sequence[Any], train: Sequence[Example], inventory: Inventory
    ) -> Iterable[Slice]:
        """Parts of what was scored that are worth a look of their own, beside those that every task gets: what
        training showed against what it did not, say."""
        return ()

    def confidences(self, example: Example, prediction: Any) -> Iterable[tuple[float, bool]]:
        """How sure the model was of each thing it said of an example (0 to 1), and whether it was right; by default
        for `LabelScores`: of the label it chose, or, with several labels a row, of each."""
        if not isinstance(prediction, LabelScores) or example.target is None:
            return
        if not prediction.multi:
            yield float(prediction.probabilities[prediction.chosen[0]]), prediction.names[0] == example.target
            return
        gold = set(example.target)
        for label, probability in zip(prediction.labels, prediction.probabilities, strict=True):
            yield float(probability), label in gold

    # --- predictions for people

    def to_row(self, example: Example, prediction: Any) -> dict[str, Any]:
        """The columns that `Run.predict` adds for one prediction."""
        return {"prediction": prediction}

    def render(self, example: Example, prediction: Any) -> str | None:
        """HTML of one prediction, with every piece of data passed through `nbtune.api.escape`; None: a table row."""
        return None

    def actions(self) -> Mapping[str, Callable[..., Any]]:
        """Methods a `Run` of this task gains (`recommend`): name -> function(model, *args, **kwargs).

        `model` is the run's opened `nbtune.api.Model`.
        """
        return {}

    def panels(self) -> Sequence[Panel]:
        """What the dashboard shows of a run of this task beside what it shows of every run."""
        return ()


def _named(answer: Any) -> bool:
    """Whether the labels of an answer are texts that are not empty."""
    return all(isinstance(label, str) and label for label in answer) if isinstance(answer, list) else answer != ""


def _form(target: Any) -> str:
    forms: dict[type, str] = {str: "a label", list: "a list of labels"}
    return forms.get(type(target), f"a {type(target).__name__}")


__all__ = ["Baseline", "Forward", "Head", "Recipe", "Task", "TaskOptions"]
