"""`%nbtune inspect`: a look at data before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nbtune.errors import NbtuneError, TrainingError
from nbtune.notebook.machine import memory_limit
from nbtune.notebook.picture import Bundle, Picture
from nbtune.values import Example, Finding

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from nbtune.data.prepare import Prepared
    from nbtune.running.estimates import Estimate
    from nbtune.running.spec import RunSpec
    from nbtune.tasks.head import Recipe
    from nbtune.tasks.pretrained import Pretrained
    from nbtune.tasks.task import Task

_SAMPLED = 2000
"""Examples whose tokens are counted; more would say the same, later."""
_PERCENTILES = (50, 90, 95, 99, 100)
_LENGTHS = (64, 128, 256, 512)
_TINY = 50
"""Training examples below which scores hang on chance."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of one of the task's inputs. `percentiles` are at 50, 90, 95, 99 and 100 percent.

    `cut` maps a max_length to the share of examples that are longer, special tokens included.
    """

    field: str
    counted: int
    percentiles: tuple[int, ...]
    cut: Mapping[int, float]


@dataclass(frozen=True, repr=False)
class Inspection:
    """What was found. `prepared` holds the examples as the task reads them; `estimates` what a training would take, or
    None, with `unmeasured` saying why. `findings` are the worst first."""

    task: str
    model: str
    prepared: Prepared
    lengths: tuple[Lengths, ...]
    findings: tuple[Finding, ...]
    estimates: Estimate | None = None
    unmeasured: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> Mapping[str, int]:
        """How often each label occurs in training, the most frequent first."""
        return dict(sorted(self.prepared.inventory.counts.items(), key=lambda item: -item[1]))

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: severity, message, remedy, fix, count, and the first of the rows."""
        import pandas as pd

        columns = ["severity", "message", "remedy", "fix", "count", "rows"]
        return pd.DataFrame(
            [{name: getattr(each, name) for name in columns} for each in self.findings], columns=columns
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return self._picture()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self._picture().text

    def _picture(self) -> Picture:
        from nbtune.notebook.inspection_drawn import picture

        return picture(self)


def inspect(
    task: str,
    data: Any,
    *,
    estimates: bool = True,
    namespace: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Inspection:
    """Read `data` as `task` would and look at it. `settings` are those of `nbtune.finetune`; rows that cannot be used
    are left out and reported, and so is what would stop a training. Unless `estimates` is False, a few steps are taken
    to tell how long it would take.

    Raises:
        SpecError, DataError, ModelError: the data cannot be read at all, or a setting is wrong.
    """
    from nbtune.data.checks import ranked
    from nbtune.data.prepare import prepare
    from nbtune.running.launch import recipe_of
    from nbtune.running.spec import make_spec
    from nbtune.tasks.pretrained import pretrained
    from nbtune.tasks.registry import registry

    began = time.perf_counter()
    parts = {part: settings.pop(part) for part in ("validation", "test") if part in settings}
    spec, configured = make_spec(registry().task(task), {"bad_rows": "drop", **settings})
    base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
    recipe = recipe_of(spec, base)
    prepared = prepare(
        configured,
        data=data,
        **parts,
        **spec.for_reading(),
        thorough=True,
        namespace=namespace,
    )
    reading = time.perf_counter() - began
    limits = {limit for limit in (*_LENGTHS, recipe.max_length, base.longest) if 0 < limit <= base.longest}
    # rows as read: a task may have regrouped them into examples that hold no text
    not_text = {column.name for column in configured.columns if column.kind not in ("text", "tokens", "spans")}
    lengths = tuple(_lengths(prepared.raw["train"], not_text, base.tokenizer, sorted(limits)))
    measured, unmeasured, more = None, "not asked for", list(_own_findings(prepared, lengths, recipe))
    if any(finding.severity == "error" for finding in prepared.findings):
        unmeasured = "the data cannot be learned from as it is"
    elif estimates:
        measured, unmeasured, found = _measured(spec, configured, base, recipe, prepared)
        more += found
    if measured is not None:  # a training reads the data as well
        stages = {"reading the data": reading, **measured.stages}
        measured = replace(measured, stages=stages, seconds=sum(stages.values()))
    return Inspection(
        task=task,
        model=spec.model,
        prepared=prepared,
        lengths=lengths,
        findings=ranked([*prepared.findings, *more]),
        estimates=measured,
        unmeasured=unmeasured,
        settings={"epochs": spec.epochs, "batch_size": spec.batch_size, "max_length": recipe.max_length},
    )


def _measured(
    spec: RunSpec, task: Task, base: Pretrained, recipe: Recipe, prepared: Prepared
) -> tuple[Estimate | None, str, list[Finding]]:
    """What a training would take, or why that is not known, and what it means."""
    from nbtune.running.estimates import estimate

    try:
        found = estimate(spec, task, base, recipe, prepared)
    except TrainingError as error:  # which the training would end with, too
        return None, error.message, [Finding("warning", error.message, error.hint)]
    except NbtuneError as error:
        return None, error.message, []
    limit, whose = memory_limit()
    if found.memory is None or limit is None or found.memory <= limit:
        return found, "", []
    words = f"the training would need {found.memory / 1e9:.1f} GB of memory, more than {whose} ({limit / 1e9:.1f} GB)"
    remedy = "use a smaller batch_size with accumulate, a smaller max_length, freeze or lora"
    return found, "", [Finding("warning", words, remedy)]


def _own_findings(prepared: Prepared, lengths: Sequence[Lengths], recipe: Recipe) -> Iterator[Finding]:
    size = len(prepared.parts["train"])
    if size < _TINY:
        yield Finding(
            "note",
            f"only {size:,} training example{'' if size == 1 else 's'}: how good a model gets hangs on chance",
            "add examples, and compare several seeds before believing a score",
        )
    for each in lengths:
        share = each.cut.get(recipe.max_length, 0.0)
        if share > 0:
            yield Finding(
                "warning" if share >= 0.05 else "note",
                f"{100 * share:.1f}% of {each.field} are longer than max_length = {recipe.max_length} tokens: what is"
                " beyond is not read, or in windows of its own where the task makes some",
                "a larger max_length reads more, and takes longer",
            )


def _lengths(
    examples: Sequence[Example], not_text: Set[str], tokenizer: PreTrainedTokenizerBase, limits: Sequence[int]
) -> Iterator[Lengths]:
    import numpy as np

    from nbtune.tasks.pretrained import quiet

    step = max(1, len(examples) // _SAMPLED)
    some = examples[::step][:_SAMPLED]
    for name in dict.fromkeys(name for example in some for name in example.inputs):
        texts = [text for example in some if (text := _text(example.inputs.get(name)))]
        if not texts or name in not_text:
            continue
        with quiet():  # a text longer than the model is what we are here to find
            counts = np.asarray([len(ids) for ids in tokenizer(texts, truncation=False)["input_ids"]])
        percentiles = tuple(int(value) for value in np.percentile(counts, _PERCENTILES))
        yield Lengths(name, len(counts), percentiles, {limit: float((counts > limit).mean()) for limit in limits})


def _text(value: Any) -> str:
    """The text of an input: a string, or words joined; "" for what is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(word, str) for word in value):
        return " ".join(value)
    return ""
