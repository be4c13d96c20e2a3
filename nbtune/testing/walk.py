"""What the stages of a walk share: what was found so far, how a breach is worded, and when two values are alike."""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nbtune.data.prepare import Prepared
from nbtune.errors import NbtuneError
from nbtune.running.model import Model
from nbtune.running.spec import RunSpec, make_spec
from nbtune.tasks.head import Head, Recipe
from nbtune.tasks.pretrained import Pretrained
from nbtune.tasks.task import Task
from nbtune.values import ColumnMap, Example


@dataclass
class Walk:
    """A task on its way through the stages; each stage fills in what the next ones need."""

    task: Task
    rows: Any
    overrides: dict[str, Any]
    model: str | Path | None
    workspace: Path

    chosen: ColumnMap = field(init=False)
    prepared: Prepared = field(init=False)
    asked: list[Example] = field(init=False)
    """The rows as they are read to be predicted: without targets."""
    base: Pretrained = field(init=False)
    recipe: Recipe = field(init=False)
    head: Head = field(init=False)
    predictions: list[Any] = field(init=False)
    """Of the held-out examples."""
    opened: Model = field(init=False)
    """The model after one epoch, as it was saved."""
    features: int = 0
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def held_out(self) -> Sequence[Example]:
        return self.prepared.parts["validation"]

    def spec(self) -> RunSpec:
        """One short epoch on the CPU."""
        settings = {
            **self.task.options.model_dump(mode="json", exclude_none=True),
            "name": "trial",
            "model": str(self.model or "tiny"),
            "max_length": self.recipe.max_length,
            "epochs": 1,
            "batch_size": 8,
            "learning_rate": 1e-3,
            "device": "cpu",
            "precision": "fp32",
        }
        return make_spec(self.task, settings)[0]


Check: TypeAlias = "Callable[[Walk], Iterator[str]]"
"""A stage: yields one sentence a breach, what is wrong and then what to do."""


def breaches(check: Check, walk: Walk) -> list[str]:
    """All that a stage finds; what a stranger's code raises is one more, with the line it came from."""
    found: list[str] = []
    try:
        found.extend(check(walk))  # keeps what was yielded before a raise
    except Exception as error:  # a stranger's code
        found.append(raised(error, walk.task))
    return found


def raised(error: Exception, task: Task) -> str:
    """An error in one sentence, and where in the plugin it came from."""
    if isinstance(error, NbtuneError):
        text = f"{error.message}; {error.hint}" if error.hint else error.message
    else:
        text = f"{type(error).__name__}: {error}"
    file = getattr(sys.modules.get(type(task).__module__), "__file__", None)
    home = str(Path(file).parent) if file else ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if home and frame.filename.startswith(home)]
    if not frames:
        return text
    last = frames[-1]
    return f"{frames[0].name} raised {text} ({Path(last.filename).name}, line {last.lineno})"


def not_plain(value: Any, path: str) -> str:
    """Where `value` holds what JSON cannot give back as it was; "" if it is plain throughout."""
    if value is None or isinstance(value, (str, bool, int)):
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{path} is {value}"
    if isinstance(value, list):
        return next((found for i, item in enumerate(value) if (found := not_plain(item, f"{path}[{i}]"))), "")
    if isinstance(value, Mapping):
        odd = [key for key in value if not isinstance(key, str)]
        if odd:
            return f"{path} has the key {odd[0]!r}, a {type(odd[0]).__name__}"
        return next((found for key, item in value.items() if (found := not_plain(item, f"{path}[{key!r}]"))), "")
    return f"{path} is a {type(value).__name__}"


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same up to rounding, however they are nested."""
    if isinstance(one, (str, bytes, bool, type(None))):
        return bool(one == other)
    if isinstance(one, (int, float, np.number)):
        return isinstance(other, (int, float, np.number)) and _close(one, other)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.shape == other.shape and _close(one, other)
    if is_dataclass(one) and not isinstance(one, type):
        names = [each.name for each in fields(one)]
        return type(one) is type(other) and all(alike(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, Mapping):
        same_keys = isinstance(other, Mapping) and one.keys() == other.keys()
        return same_keys and all(alike(value, other[key]) for key, value in one.items())
    if isinstance(one, Sequence):
        same_size = isinstance(other, Sequence) and len(one) == len(other)
        return same_size and all(map(alike, one, other))
    if isinstance(one, Set) or not hasattr(one, "__dict__"):
        return bool(one == other)
    return type(one) is type(other) and alike(vars(one), vars(other))


def _close(one: Any, other: Any) -> bool:
    first, second = np.asarray(one), np.asarray(other)
    if first.dtype.kind not in "fiub" or second.dtype.kind not in "fiub":
        return bool(np.array_equal(first, second))
    return bool(np.allclose(first, second, rtol=1e-3, atol=1e-4, equal_nan=True))
