"""An inspection as HTML, Markdown and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nbtune.drawing import (
    Markup,
    duration,
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
from nbtune.notebook.data_drawn import findings_list
from nbtune.notebook.inspection import Inspection, Lengths
from nbtune.notebook.picture import Picture
from nbtune.values import Example

if TYPE_CHECKING:
    from nbtune.data.prepare import Prepared
    from nbtune.running.estimates import Estimate

_LABELS = 40
_Section = tuple[str, Sequence[str], list[tuple[Any, ...]]]


def picture(found: Inspection) -> Picture:
    """Everything that was found, the findings first."""
    prepared = found.prepared
    sizes = [(part, len(examples), len(prepared.raw[part])) for part, examples in prepared.parts.items()]
    regrouped = any(examples != rows for _, examples, rows in sizes)
    parts = ("part", "examples", "rows") if regrouped else ("part", "examples")
    findings = [(each.severity, each.message, each.remedy) for each in found.findings]
    estimates = list(_estimate_rows(found)) if found.estimates else []
    sections: list[_Section] = [
        ("columns", ("the task's column", "taken from", "why"), list(_columns(prepared))),
        ("parts", parts, [row[: len(parts)] for row in sizes]),
        ("labels in training", ("label", "count", "share"), list(_label_rows(found.labels))),
        (f"lengths in tokens of {found.model}", _length_columns(found.lengths), list(_length_rows(found.lengths))),
        ("a training would take", ("", "estimate"), estimates),
        ("findings", ("", "what was noticed", "what to do"), findings),
    ]
    filled = [section for section in sections if section[2]]
    title = f"{shorten(prepared.data, 80)} for {found.task}"
    blocks = [
        f"**{markdown_safe(title)}**",
        *(f"{markdown_safe(name)}\n\n{markdown_table(c, r)}" for name, c, r in filled),
    ]
    return Picture(
        html=_html(found, title, filled),
        markdown="\n\n".join(blocks),
        text="\n\n".join([visible(title), *(f"{visible(name)}\n{text_table(c, r)}" for name, c, r in filled)]),
    )


def _html(found: Inspection, title: str, sections: list[_Section]) -> Markup:
    prepared = found.prepared
    pieces = [tag("div", title, css="nbtune-title")]
    if prepared.made_split:
        pieces.append(facts([("split", prepared.made_split)]))
    if found.findings:
        pieces.append(findings_list(tuple(asdict(finding) for finding in found.findings)))
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
    if found.estimates is None:
        pieces.append(tag("p", f"time and memory were not estimated: {found.unmeasured}", css="nbtune-soft"))
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


def _estimate_rows(found: Inspection) -> Iterator[tuple[str, str]]:
    taken: Estimate | None = found.estimates
    assert taken is not None
    settings = ", ".join(f"{name} {value}" for name, value in found.settings.items())
    yield "time", f"{duration(taken.seconds)} for {taken.steps:,} steps ({settings}) on {taken.device}"
    for stage, seconds in taken.stages.items():
        yield f"of it {stage}", duration(seconds)
    if taken.memory is not None:
        yield "memory of this process", f"{taken.memory / 1e9:.2f} GB at most"
    if taken.device_memory is not None:
        yield "memory of the GPU", f"{taken.device_memory / 1e9:.2f} GB at most"
    yield "measured", f"{taken.measured} steps with the model as it would be trained; patience may end it earlier"


def _example(example: Example) -> Markup:
    target = Markup("") if example.target is None else tag("div", "→ ", shorten(example.target, 300), css="nbtune-soft")
    inputs = [tag("div", f"{name}: {shorten(value, 500)}") for name, value in example.inputs.items()]
    return tag("div", *inputs, target, css="nbtune-callout")
