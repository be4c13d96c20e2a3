"""The full settings of a run, as people type them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from nbtune.drawing import Bundle, Picture, markdown_table, panel, table, text_table
from nbtune.errors import SpecError, did_you_mean
from nbtune.tasks.task import Task
from nbtune.values import FIXES


class Lora(BaseModel):
    """Low-rank adapters instead of full fine-tuning."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(8, ge=1, description="rank of the update of each adapted weight")
    alpha: int = Field(16, ge=1, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout before the adapters")
    targets: tuple[str, ...] | None = Field(None, description="module names to adapt; all linear layers by default")
    merge: bool = Field(True, description="fold the adapters into the saved model, so that it needs no peft")


def _lora(value: Any) -> Any:
    """`lora = true` and `lora = 16` (a rank) are short for a table."""
    if value is True:
        return {}
    if value is False:
        return None
    return {"rank": value} if isinstance(value, int) else value


class RunSpec(BaseModel):
    """Every setting common to all tasks; `options` holds the task's own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    task: str
    name: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name of the run and its folder"
    )
    data: str = Field("", description="where the training data came from")
    validation: str = Field("", description="where the validation data came from; split from `data` if not given")
    test: str = Field("", description="where the test data came from")
    columns: dict[str, str | list[str]] = Field({}, description="which column of the table is which of the task's")
    bad_rows: Literal["error", "drop"] = Field("error", description="what to do with rows that cannot be used")
    corrections: str = Field("", description="file of corrected answers, applied as data is read; no data is changed")
    fix: tuple[str, ...] = Field((), description=f"safe fixes of the data: {', '.join(FIXES)}")
    group: str = Field(
        "", description="column whose values tie rows together (a document, a user): never parted, intervals over them"
    )
    validation_fraction: float = Field(
        0.1, gt=0, lt=1, description="share of the data held out when no validation is given"
    )
    test_fraction: float = Field(0.0, ge=0, lt=1, description="share of the data held out as test when none is given")

    model: str = Field("minilm-l6", min_length=1, description="alias, hub id or folder of the pre-trained model")
    trust_remote_code: bool = Field(
        False, description="run code that comes with the model; only if you trust its author"
    )
    max_length: int | None = Field(None, ge=8, description="longest input in tokens; the model's own limit by default")
    freeze: Annotated[int, Field(ge=0)] | Literal["base"] = Field(
        0, description='lower layers that do not learn, or "base" to train the head alone'
    )
    lora: Annotated[Lora | None, BeforeValidator(_lora)] = Field(
        None, description="train low-rank adapters: true, a rank or a table"
    )

    epochs: int = Field(3, ge=1, description="passes over the training data")
    batch_size: int = Field(16, ge=1, description="features a micro-batch")
    accumulate: int = Field(1, ge=1, description="micro-batches a step; the effective batch is batch_size x accumulate")
    learning_rate: float = Field(5e-5, gt=0, lt=10, description="peak learning rate")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="AdamW, or SGD with momentum")
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="learning rate after the warm-up")
    warmup: float = Field(0.06, ge=0, description="warm-up: a share of all steps below 1, a number of steps from 1 on")
    weight_decay: float = Field(0.01, ge=0, description="decay of weights; none on biases and norms")
    clip: float | None = Field(1.0, gt=0, description="largest gradient norm; 0 or false switches clipping off")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all labels")
    class_weights: Literal["balanced"] | dict[str, float] | None = Field(
        None, description='"balanced", or a weight a label'
    )
    patience: int | None = Field(
        None, ge=1, description="stop after this many evaluations without a better headline score"
    )
    evaluate_every: int | Literal["epoch"] = Field("epoch", description='steps between evaluations, or "epoch"')
    checkpoint_every: str | int = Field(
        "60s",
        description='time ("60s", "5min"; longer where checkpoints would cost over 2%) or steps between checkpoints',
    )
    length_grouping: Literal["auto"] | bool = Field(
        "auto", description="batches of like length, which saves padding; auto: where padding is computed"
    )
    keep_frozen: bool = Field(True, description="compute what frozen layers give once a text, not once an epoch")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="precision of the arithmetic")
    cache: bool = Field(True, description="keep the encoded texts on disk for later runs on the same data")
    device: str = Field("auto", description='"auto", "cpu", "cuda", "cuda:1" or "mps"')
    deterministic: bool = Field(
        False, description="on CUDA too, the same numbers each time; slower. A CPU needs no such setting"
    )
    seed: int = Field(0, ge=0, description="seed of the split, the new weights, the order and dropout")
    calibrate: bool = Field(False, description="fit a temperature on validation data, so that sure means right")
    seeds: int = Field(1, ge=1, le=100, description="how often to train, with seeds one apart, to know their spread")
    split_seed: int | None = Field(None, ge=0, description="seed of the split alone; by default, seed")

    options: dict[str, Any] = Field({}, description="the task's own settings")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        written = self.model_dump(mode="json", exclude_none=True)
        rows = [(name, str(value)) for name, value in written.items() if value not in ("", {}, [])]
        return Picture(
            html=panel(table(("setting", ""), rows)),
            markdown=markdown_table(("setting", ""), rows),
            text=text_table(("setting", ""), rows),
        )._repr_mimebundle_()

    def for_reading(self) -> dict[str, Any]:
        """What `nbtune.data.prepare.prepare` is told of these settings."""
        names = ("columns", "bad_rows", "validation_fraction", "test_fraction", "fix", "corrections", "group")
        seed = self.seed if self.split_seed is None else self.split_seed
        return {**{name: getattr(self, name) for name in names}, "seed": seed}

    @field_validator("clip", mode="before")
    @classmethod
    def _no_clip(cls, value: Any) -> Any:
        return None if value in (0, False) else value

    @field_validator("fix", mode="before")
    @classmethod
    def _known_fixes(cls, value: Any) -> Any:
        names = (value,) if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)):
            return value
        unknown = [name for name in names if isinstance(name, str) and name not in FIXES]
        if unknown:
            raise ValueError(f"there is no fix {unknown[0]!r}; {did_you_mean(unknown[0], FIXES)}")
        return tuple(name for name in FIXES if name in names)  # whatever order they were written in

    @field_validator("evaluate_every")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be at least 1 step")
        return value

    @field_validator("checkpoint_every")
    @classmethod
    def _interval(cls, value: str | int) -> str | int:
        interval(value)
        return value


DATA_SETTINGS = frozenset({"task", "name", "data", "validation", "test", "columns", "options"})
"""Fields that are not knobs of the training."""


def make_spec(task: Task, settings: Mapping[str, Any]) -> tuple[RunSpec, Task]:
    """Check settings typed flat (common ones and the task's own together); gives the spec and the configured task.

    Raises:
        SpecError: a setting is unknown (the nearest is offered), of the wrong type or out of range.
    """
    common = set(RunSpec.model_fields) - {"task", "options"}
    own = set(type(task).Options.model_fields)
    for name in settings:
        if name not in common | own:
            raise SpecError(
                f"there is no setting {name!r} for the task {task.name!r}", did_you_mean(name, sorted(common | own))
            )
    options = {name: value for name, value in settings.items() if name in own}
    rest = {name: value for name, value in settings.items() if name not in own}
    try:
        configured = task.configured(options)
        # options as the task understood them, so that spec.toml is complete
        plain = configured.options.model_dump(mode="json", exclude_none=True)
        spec = RunSpec(task=task.name, options=plain, **rest)
    except ValidationError as error:
        raise explain(error, {**RunSpec.model_fields, **type(task).Options.model_fields}) from None
    for fix in spec.fix:
        if fix not in task.fixes:
            can = f"it has: {', '.join(task.fixes)}" if task.fixes else "it has none"
            raise SpecError(f"the task {task.name!r} has no fix {fix!r}", can)
    return spec, configured


def read_spec(text: str) -> RunSpec:
    """The spec of a `spec.toml`.

    Raises:
        SpecError: it is not TOML or holds settings of another version.
    """
    try:
        return RunSpec(**tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"spec.toml is damaged: {error}", "repair the line, or start a new run") from None
    except ValidationError as error:
        raise explain(error, dict(RunSpec.model_fields)) from None


def write_spec(spec: RunSpec) -> str:
    """The spec as TOML; settings that are None are left out."""
    import tomli_w

    content = spec.model_dump(mode="json", exclude_none=True)
    content.setdefault("clip", 0)  # left out it would mean the default
    return tomli_w.dumps(content)


def interval(value: str | int) -> tuple[float | None, int | None]:
    """`"60s"` -> (60.0, None) seconds; `500` -> (None, 500) steps.

    Raises:
        ValueError: neither.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return None, value
    units = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
    if isinstance(value, str):
        number = value.strip().rstrip("abcdefghijklmnopqrstuvwxyz ")
        unit = value.strip()[len(number) :].strip()
        if unit in units and number.replace(".", "", 1).isdigit() and float(number) > 0:
            return float(number) * units[unit], None
    raise ValueError('must be a number of steps, or a time such as "60s" or "5min"')


def explain(error: ValidationError, fields: Mapping[str, Any]) -> SpecError:
    """The first problem of a validation error in one sentence, with the setting's meaning as the hint."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"] if not str(part).startswith(("constrained", "function", "literal"))]
    name = place[0] if place else "spec"
    if first["type"] == "extra_forbidden" and name == "lora":
        return SpecError(f"there is no setting lora.{place[-1]}", did_you_mean(place[-1], Lora.model_fields))
    dotted = ".".join(place[:2]) if name in ("lora", "columns", "class_weights") else name
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        said = "may hold letters, digits, dots, dashes and underscores, and begins with a letter or digit"
    said = said[0].lower() + said[1:]
    meaning = getattr(fields.get(name), "description", None)
    default = getattr(fields.get(name), "default", None)
    hint = f"{name}: {meaning}" if meaning else ""
    if hint and default is not None and not repr(default).startswith("PydanticUndefined") and default != {}:
        hint += f" (default {default!r})"
    return SpecError(f"{dotted} = {first['input']!r}: {said}", hint)
