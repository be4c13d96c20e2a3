"""Settings as people type them: defaults, short forms, and the words for what is wrong."""

from __future__ import annotations

import tomllib
from typing import Any, ClassVar

import pytest
from pydantic import Field

from nbtune.errors import SpecError
from nbtune.running.spec import RunSpec, interval, make_spec, read_spec, write_spec
from nbtune.tasks.task import Task, TaskOptions


class _Options(TaskOptions):
    """Two settings of the task's own."""

    label_names: list[str] | None = Field(None, description="names of integer labels")
    depth: int = Field(2, ge=1, description="how deep")


class _Task(Task):
    name: ClassVar[str] = "toy"
    summary: ClassVar[str] = "a toy"
    columns: ClassVar[tuple[Any, ...]] = ()
    headline: ClassVar[str] = "accuracy"
    Options: ClassVar[type[TaskOptions]] = _Options

    def read(self, *arguments: Any) -> Any: ...

    def head(self, *arguments: Any) -> Any: ...

    def metrics(self, *arguments: Any) -> Any: ...


def test_common_settings_and_the_tasks_own_are_written_flat() -> None:
    spec, task = make_spec(_Task(), {"epochs": 2, "depth": 3})
    assert (spec.epochs, spec.learning_rate, spec.options) == (2, 5e-5, {"depth": 3})
    assert task.options.depth == 3


def test_a_misspelt_setting_gets_the_nearest_name_of_both_kinds() -> None:
    for wrong, right in (("learning_rat", "learning_rate"), ("dept", "depth")):
        with pytest.raises(SpecError) as caught:
            make_spec(_Task(), {wrong: 1})
        assert f"there is no setting {wrong!r} for the task 'toy'" in caught.value.message
        assert f"did you mean {right!r}?" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"learning_rate": 0}, "learning_rate = 0: input should be greater than 0", "peak learning rate"),
        ({"learning_rate": -1e-5}, "learning_rate = -1e-05", "default 5e-05"),
        ({"epochs": 0}, "epochs = 0: input should be greater than or equal to 1", "passes over"),
        ({"batch_size": 0}, "batch_size = 0", "features a micro-batch"),
        ({"epochs": "many"}, "epochs = 'many': input should be a valid integer", "passes over"),
        ({"epochs": 2.5}, "epochs = 2.5", "passes over"),
        ({"optimizer": "adam"}, "optimizer = 'adam': input should be 'adamw' or 'sgd'", "AdamW"),
        ({"schedule": "cosin"}, "schedule = 'cosin'", "after the warm-up"),
        ({"name": "../evil"}, "may hold letters, digits, dots", "name of the run"),
        ({"lora": {"rnk": 3}}, "there is no setting lora.rnk", "did you mean 'rank'"),
        ({"lora": {"rank": 0}}, "lora.rank = 0", "adapters"),
        ({"checkpoint_every": "soon"}, "checkpoint_every = 'soon': must be a number of steps", "checkpoints"),
        ({"evaluate_every": 0}, "evaluate_every = 0", "evaluations"),
        ({"depth": 0}, "depth = 0", "how deep"),
        ({"max_length": 2}, "max_length = 2", "longest input"),
    ],
)
def test_a_wrong_value_is_named_with_what_the_setting_means(settings: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(_Task(), settings)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(("short", "rank"), [(True, 8), (16, 16), ({"rank": 4}, 4)])
def test_lora_has_short_forms(short: Any, rank: int) -> None:
    spec, _ = make_spec(_Task(), {"lora": short})
    assert spec.lora is not None
    assert spec.lora.rank == rank


def test_a_spec_on_disk_says_the_same() -> None:
    spec, _ = make_spec(_Task(), {"lora": True, "clip": 0, "columns": {"text": "body"}, "depth": 5})
    assert spec.clip is None
    written = write_spec(spec)
    assert read_spec(written) == spec
    assert tomllib.loads(written)["lora"]["rank"] == 8


def test_a_damaged_spec_is_named() -> None:
    with pytest.raises(SpecError, match=r"spec.toml is damaged: .*line 2"):
        read_spec('task = "ner"\nepochs = = 3')


def test_every_setting_says_what_it_means() -> None:
    for name, field in RunSpec.model_fields.items():
        assert field.description or name in {"task"}, name


@pytest.mark.parametrize(("value", "meaning"), [("60s", (60.0, None)), ("5min", (300.0, None)), (200, (None, 200))])
def test_intervals_are_times_or_steps(value: Any, meaning: Any) -> None:
    assert interval(value) == meaning
