"""`%nbtune inspect`: a look at data before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nbtune.drawing import (
    Markup,
    facts,
    fold,
    markdown_safe,
    markdown_table,
    number,
    panel,
    progress,
    shorten,
    table,
    tag,
    text_table,
    visible,
)
from nbtune.notebook.html import findings_list
from nbtune.notebook.picture import Bundle, Picture
from nbtune.values import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from nbtune.data.prepare import Prepared

_SAMPLED = 2000
"""Examples whose tokens are counted; more would say the same, later."""
_PERCENTILES = (50, 90, 95, 99, 100)
_LENGTHS = (64, 128, 256, 512)
_LABELS = 40


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
    """What was found. `prepared` holds the examples as the task reads them."""

    task: str
    model: str
    prepared: Prepared
    lengths: tuple[Lengths, ...]

    @property
    def labels(self) -> Mapping[str, int]:
        """How often each label occurs in training, the most frequent first."""
        return dict(sorted(self.prepared.inventory.counts.items(), key=lambda item: -item[1]))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return _picture(self)._repr_mimebundle_()

    def __repr__(self) -> str:
        return _picture(self).text


def inspect(task: str, data: Any, *, namespace: Mapping[str, Any] | None = None, **settings: Any) -> Inspection:
    """Read `data` as `task` would and look at it. `settings` are those of `nbtune.finetune`; rows that cannot be used
    are left out and reported.

    Raises:
        SpecError, DataError, ModelError: as `nbtune.finetune` would.
    """
    from nbtune.data.prepare import prepare
    from nbtune.running.spec import make_spec
    from nbtune.tasks.pretrained import pretrained
    from nbtune.tasks.registry import registry

    parts = {part: settings.pop(part) for part in ("validation", "test") if part in settings}
    spec, configured = make_spec(registry().task(task), {"bad_rows": "drop", **settings})
    base = pretrained(spec.model, trust_remote_code=spec.trust_remote_code)
    prepared = prepare(
        configured,
        data=data,
        **parts,
        columns=spec.columns,
        bad_rows=spec.bad_rows,
        validation_fraction=spec.validation_fraction,
        test_fraction=spec.test_fraction,
        seed=spec.seed,
        namespace=namespace,
    )
    longest = base.longest
    limits = sorted({limit for limit in (*_LENGTHS, spec.max_length or 0, longest) if 0 < limit <= longest})
    # rows as read: a task may have regrouped them into examples that hold no text
    not_text = {column.name for column in configured.columns if column.kind not in ("text", "tokens", "spans")}
    lengths = tuple(_lengths(prepared.raw["train"], not_text, base.tokenizer, limits))
    return Inspection(task=task, model=spec.model, prepared=prepared, lengths=lengths)


def _lengths(
    examples: Sequence[Example], not_text: Set[str], tokenizer: PreTrainedTokenizerBase, limits: Sequence[int]
) -> Iterator[Lengths]:
    import numpy as np

    from nbtune.tasks.pretrained import quiet

    step = max(1, len(examples) // _SAMPLED)
    some = examples[::step][:_SAMPLED]
    for field in dict.fromkeys(name for example in some for name in example.inputs):
        texts = [text for example in some if (text := _text(example.inputs.get(field)))]
        if not texts or field in not_text:
            continue
        with quiet():  # a text longer than the model is what we are here to find
            counts = np.asarray([len(ids) for ids in tokenizer(texts, truncation=False)["input_ids"]])
        percentiles = tuple(int(value) for value in np.percentile(counts, _PERCENTILES))
        yield Lengths(field, len(counts), percentiles, {limit: float((counts > limit).mean()) for limit in limits})


def _text(value: Any) -> str:
    """The text of an input: a string, or words joined; "" for what is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(word, str) for word in value):
        return " ".join(value)
    return ""


def _picture(found: Inspection) -> Picture:
    prepared = found.prepared
    sizes = [(part, len(examples), len(prepared.raw[part])) for part, examples in prepared.parts.items()]
    regrouped = any(examples != rows for _, examples, rows in sizes)
    parts = ("part", "examples", "rows") if regrouped else ("part", "examples")
    size_rows = [row[: len(parts)] for row in sizes]
    findings = [(finding.severity, finding.message, finding.remedy) for finding in prepared.findings]
    sections: list[tuple[str, Sequence[str], list[tuple[Any, ...]]]] = [
        ("columns", ("the task's column", "taken from", "why"), list(_columns(prepared))),
        ("parts", parts, size_rows),
        ("labels in training", ("label", "count", "share"), list(_label_rows(found.labels))),
        (f"lengths in tokens of {found.model}", _length_columns(found.lengths), list(_length_rows(found.lengths))),
        ("findings", ("", "what was noticed", "what to do"), findings),
    ]
    filled = [section for section in sections if section[2]]
    title = f"{shorten(prepared.data, 80)} for {found.task}"
    return Picture(
        html=_html(found, title, filled),
        markdown="\n\n".join(
            [
                f"**{markdown_safe(title)}**",
                *(f"{markdown_safe(name)}\n\n{markdown_table(c, r)}" for name, c, r in filled),
            ]
        ),
        text="\n\n".join([visible(title), *(f"{visible(name)}\n{text_table(c, r)}" for name, c, r in filled)]),
    )


def _html(found: Inspection, title: str, sections: list[tuple[str, Sequence[str], list[tuple[Any, ...]]]]) -> Markup:
    prepared = found.prepared
    pieces = [tag("div", title, css="nbtune-title")]
    if prepared.made_split:
        pieces.append(facts([("split", prepared.made_split)]))
    if prepared.findings:
        pieces.append(findings_list(tuple(asdict(finding) for finding in prepared.findings)))
    largest = max(found.labels.values(), default=0)
    for name, columns, rows in sections:
        if name == "findings":
            continue
        if name.startswith("labels"):
            bars = [(progress(count, largest, f"{number(count)} of {label}"),) for label, count, _ in rows]
            rows = [(*row, *bar) for row, bar in zip(rows, bars, strict=True)]
            columns = (*columns, "")
        pieces.append(table(columns, rows, caption=name))
    rest = len(found.labels) - _LABELS
    pieces += [tag("p", f"and {rest:,} more labels", css="nbtune-soft")] if rest > 0 else []
    pieces.append(fold("the first examples", *(_example(example) for example in prepared.parts["train"][:3])))
    return panel(*pieces)


def _columns(prepared: Prepared) -> Iterator[tuple[str, str, str]]:
    for name in prepared.columns.names:
        yield name, ", ".join(prepared.columns.many(name)), prepared.columns.reasons.get(name, "")


def _label_rows(labels: Mapping[str, int]) -> Iterator[tuple[str, int, str]]:
    total = sum(labels.values()) or 1
    for label, count in list(labels.items())[:_LABELS]:
        yield label, count, f"{100 * count / total:.1f}%"


def _length_columns(lengths: Sequence[Lengths]) -> Sequence[str]:
    names = ("median", "90%", "95%", "99%", "longest")
    limits = lengths[0].cut if lengths else ()
    return ("input", "examples", *names, *(f"over {limit}" for limit in limits))


def _length_rows(lengths: Sequence[Lengths]) -> Iterator[tuple[Any, ...]]:
    for each in lengths:
        yield each.field, each.counted, *each.percentiles, *(f"{100 * share:.1f}%" for share in each.cut.values())


def _example(example: Example) -> Markup:
    target = Markup("") if example.target is None else tag("div", "→ ", shorten(example.target, 300), css="nbtune-soft")
    inputs = [tag("div", f"{name}: {shorten(value, 500)}") for name, value in example.inputs.items()]
    return tag("div", *inputs, target, css="nbtune-callout")
