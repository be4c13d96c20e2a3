"""The settings of a training: the few that matter in sight, the others and the task's own folded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbtune.dashboards.controls import Control, control
from nbtune.dashboards.look import Fold, column, entry, suggesting
from nbtune.running.spec import DATA_SETTINGS, RunSpec

if TYPE_CHECKING:
    from nbtune.tasks.task import Task

_FIRST = ("epochs", "batch_size", "learning_rate", "max_length")
_ELSEWHERE = DATA_SETTINGS | {"model"}
"""Data, name and model have inputs of their own."""


class Settings:
    """`given` are those that differ from their defaults, flat, as in the body of a cell."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        fields = {name: field for name, field in RunSpec.model_fields.items() if name not in _ELSEWHERE}
        self._common = {name: control(name, field) for name, field in fields.items()}
        self._own: dict[str, Control] = {}
        self.name = entry("name", placeholder="task-1, task-2, …", tooltip="name of the run and its folder")
        words = "alias, hub id or folder of the pre-trained model"
        self.model = suggesting("model", "minilm-l6", _models(), tooltip=words)
        self._place = column()
        self._advanced = [each.widget for name, each in self._common.items() if name not in _FIRST]
        self.widget = column(
            self.name,
            self.model,
            *(self._common[name].widget for name in _FIRST),
            self._place,
            Fold(f"More settings of the training ({len(self._advanced)})", column(*self._advanced)).widget,
        )
        for place in (self.name, self.model):
            place.observe(lambda _: changed(), names="value")
        for each in self._common.values():
            each.watch(changed)

    @property
    def names(self) -> tuple[str, ...]:
        """The common settings that have an input here."""
        return tuple(self._common)

    def of_task(self, task: Task) -> None:
        """Offer the settings of this task's own."""
        fields = type(task).Options.model_fields
        self._own = {name: control(name, field) for name, field in fields.items()}
        for each in self._own.values():
            each.watch(self._changed)
        words = f"Settings of {task.name} ({len(fields)})"
        self._place.children = (Fold(words, column(*(each.widget for each in self._own.values()))).widget,) * bool(
            fields
        )

    def given(self) -> dict[str, Any]:
        """Settings that are not as by default.

        Raises:
            SpecError: something typed is no value.
        """
        found: dict[str, Any] = {}
        if self.model.value.strip() != RunSpec.model_fields["model"].default:
            found["model"] = self.model.value.strip()
        for each in (*self._common.values(), *self._own.values()):
            value = each.given()
            if value is not None:
                found[each.name] = value
        return found

    def options(self) -> dict[str, Any]:
        """The task's own settings alone."""
        return {name: value for name, each in self._own.items() if (value := each.given()) is not None}

    def take(self, spec: RunSpec) -> None:
        """Show the settings of a run; its name stays its own."""
        values: Mapping[str, Any] = spec.model_dump(mode="json", exclude_none=True)
        self.model.value = spec.model
        for name, each in self._common.items():
            off = name not in values and each.default is not None
            each.take(0 if off else values.get(name))  # a clipping that was switched off is written 0
        for name, each in self._own.items():
            each.take(spec.options.get(name))

    def use(self, name: str, value: Any) -> None:
        """Change one of the common settings."""
        self._common[name].take(value)


def _models() -> list[str]:
    from nbtune.tasks.pretrained import ALIASES

    return list(ALIASES)
