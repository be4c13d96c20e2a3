"""Settings become inputs by what their pydantic fields say, those of strangers too."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field
from pydantic_core import to_jsonable_python

from nbtune.api import TaskOptions
from nbtune.dashboards.controls import control
from nbtune.dashboards.settings import Settings
from nbtune.errors import SpecError
from nbtune.running.spec import RunSpec, make_spec
from nbtune.tasks.registry import registry


class Depth(enum.Enum):
    SHALLOW, DEEP = "shallow", "deep"


class Options(TaskOptions):
    """One field of each kind that a plugin may have."""

    deep: bool = Field(True, description="whether to look twice")
    layers: int = Field(3, ge=1)
    margin: float = Field(0.5, gt=0)
    order: Literal["first", "last", 7] = "first"
    maybe: Literal["auto"] | bool = "auto"
    separator: str | None = None
    title: str = "none"
    words: tuple[str, ...] = ()
    names: dict[str, str] = Field({})
    limit: int | None = None
    every: int | Literal["epoch"] = "epoch"
    needed: str = Field(..., description="there is no default")
    whether: bool | None = None
    share: float | None = None
    tags: list[str] = ["a", "b"]  # noqa: RUF012  # pydantic copies it
    sizes: list[int] = Field(default_factory=list)
    depth: Depth = Depth.SHALLOW
    folder: Path = Path("here")


TYPED = [
    ("deep", False, False),
    ("layers", 5, 5),
    ("margin", 0.25, 0.25),
    ("order", 7, 7),
    ("maybe", False, False),
    ("separator", ";", ";"),
    ("title", "a b", "a b"),
    ("words", "good, bad", ["good", "bad"]),
    ("words", '["a, b"]', ["a, b"]),
    ("names", '{"0" = "no"}', {"0": "no"}),
    ("limit", "12", 12),
    ("every", "50", 50),
    ("needed", "yes", "yes"),
    ("whether", False, False),
    ("share", "0.5", 0.5),
    ("tags", "b, c d", ["b", "c d"]),
    ("sizes", "3, 4", [3, 4]),
    ("depth", "deep", "deep"),
    ("folder", "there", "there"),
]


@pytest.mark.parametrize(("name", "typed", "value"), TYPED)
def test_what_is_typed_is_what_the_field_takes(name: str, typed: Any, value: Any) -> None:
    made = control(name, Options.model_fields[name])
    assert made.given() is None
    made.input.value = typed
    assert made.given() == value
    taken = getattr(Options(**{"needed": "x", name: made.given()}), name)
    made.take(to_jsonable_python(taken))
    assert made.given() == value
    made.take(None)
    assert made.given() is None


@pytest.mark.parametrize("name", list(Options.model_fields))
def test_an_input_says_what_it_is_called(name: str) -> None:
    made = control(name, Options.model_fields[name])
    assert made.input.description == name
    assert made.input.tooltip


def test_what_is_no_value_is_refused_with_a_remedy() -> None:
    made = control("limit", Options.model_fields["limit"])
    made.input.value = "{oops"
    with pytest.raises(SpecError, match="limit") as caught:
        made.given()
    assert "TOML" in caught.value.hint


@pytest.mark.parametrize("task", list(registry().tasks))
def test_nothing_is_given_before_anything_is_changed(task: str) -> None:
    settings = Settings(lambda: None)
    settings.of_task(registry().task(task))
    assert settings.given() == {}


SPECS = [
    {"learning_rate": 1e-3, "clip": 0, "lora": {"rank": 4}, "fix": ["drop_leaks"], "class_weights": {"a": 2.0}},
    {"freeze": "base", "length_grouping": False, "checkpoint_every": 500, "warmup": 10, "model": "some/where"},
    {"evaluate_every": 7, "patience": 2, "class_weights": "balanced", "multi_label": True, "delimiter": ";"},
]


@pytest.mark.parametrize("given", SPECS)
def test_the_settings_of_a_run_are_shown_and_given_again(given: dict[str, Any]) -> None:
    task = registry().task("classification")
    spec, _ = make_spec(task, given)
    settings = Settings(lambda: None)
    settings.of_task(task)
    settings.take(spec)
    assert make_spec(task, settings.given())[0] == spec


def test_every_common_setting_has_an_input_but_those_with_a_place_of_their_own() -> None:
    settings = Settings(lambda: None)
    elsewhere = {"task", "name", "data", "validation", "test", "columns", "options", "model"}
    assert set(settings.names) == set(RunSpec.model_fields) - elsewhere
