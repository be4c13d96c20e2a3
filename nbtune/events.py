"""The events of a run: frozen, plain values, one JSON line each.

A display, the log on disk, a test and a replay all read this one stream.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

EndStatus: TypeAlias = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """Work before or beside training that takes a while (reading, encoding, evaluating). Not kept on disk."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The data was read and checked. `columns` maps the task's columns to the table's, `findings` are
    `nbtune.values.Finding`s as plain dictionaries."""

    task: str
    data: str
    columns: Mapping[str, str]
    reasons: Mapping[str, str]
    parts: Mapping[str, int]
    labels: Mapping[str, int]
    split: str = ""  # in words, where nbtune made the split
    findings: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Training begins, or goes on at `step` after a resume."""

    run: str
    task: str
    model: str
    device: str
    precision: str
    epochs: int
    total_steps: int
    step: int
    train_examples: int
    validation_examples: int
    parameters: int
    trainable: int
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """One optimizer step was taken. `loss` (mean since it was last read) is None where it was not read."""

    step: int
    epoch: float
    learning_rate: float
    tokens: int
    examples: int
    seconds: float
    loss: float | None = None
    gradient_norm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The model was scored on the validation data. `best` says that its headline metric is the best so far.

    `classes` holds the F1 of each label or type, where the task has such; older logs have none.
    """

    step: int
    epoch: float
    metrics: Mapping[str, float]
    headline: str
    best: bool
    seconds: float
    classes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Something is kept in the run's folder. `path` is relative to it.

    The model has been written, in `seconds`. A checkpoint has been taken, and training stood still for it for
    `seconds`; it is written beside the training, and a `Noted` follows where that fails.
    """

    step: int
    path: str
    kind: Literal["checkpoint", "model"]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """A setting was changed while training."""

    step: int
    setting: str
    old: float
    new: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Training waits until it is resumed or stopped."""

    step: int
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """Training goes on after a pause."""

    step: int
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something the user should read: a warning, a remedy applied."""

    step: int
    severity: Literal["warning", "note"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last event of a run."""

    status: EndStatus
    step: int
    reason: str
    seconds: float
    best: Mapping[str, float] = field(default_factory=dict)
    best_step: int | None = None


Event: TypeAlias = (
    Preparing | Prepared | Started | Stepped | Evaluated | Saved | Adjusted | Paused | Resumed | Noted | Ended
)

_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (Preparing, Prepared, Started, Stepped, Evaluated, Saved, Adjusted, Paused, Resumed, Noted, Ended)
}


def to_json(event: Event) -> str:
    """One line of JSON, the type's name under `event`. NaN and infinity are written as null."""
    return json.dumps({"event": type(event).__name__, **_finite(asdict(event))}, ensure_ascii=False)


def from_json(line: str) -> Event:
    """The event of a line that `to_json` wrote.

    Raises:
        ValueError: the line is not JSON, or names an event this version does not know.
    """
    fields: dict[str, Any] = json.loads(line)
    name = fields.pop("event", None)
    if name not in _TYPES:
        raise ValueError(f"unknown event {name!r}")
    if "findings" in fields:
        fields["findings"] = tuple(fields["findings"])
    return _TYPES[name](**fields)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
