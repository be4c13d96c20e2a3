"""A run as HTML: the same while it trains, when it has ended, and when it is drawn again from disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nbtune.drawing import (
    Markup,
    Series,
    badge,
    callout,
    duration,
    escape,
    facts,
    fold,
    line_chart,
    number,
    panel,
    progress,
    shorten,
    size,
    smooth,
    still,
    table,
    tag,
)
from nbtune.drawing.theme import Tone
from nbtune.events import Prepared
from nbtune.notebook.classes import per_class
from nbtune.notebook.state import RunState

_WIDTH = 390
"""Of a chart: two stand side by side in a window of 1,000 pixels."""
_TONES: Mapping[str, Tone] = {
    "finished": "good",
    "stopped": "warning",
    "failed": "error",
    "paused": "warning",
    "unfinished": "error",
}


def run_panel(state: RunState, *, report: object = "", folder: str = "", curves: bool = True) -> Markup:
    """Everything there is to see of a run. `report` is its final report as `Markup`; without `curves` the loss is
    drawn elsewhere."""
    return panel(
        _header(state),
        _whereabouts(state),
        _findings(state.prepared),
        _progress(state) if state.ended is None else "",
        *(
            callout(note.message, tone="warning" if note.severity == "warning" else "plain")
            for note in state.notes[-8:]
        ),
        _curves(state, loss=curves),
        report or tag("div", _scores(state), per_class(state), css="nbtune-row nbtune-top"),
        _details(state, scores=bool(report)),
        _next(state, folder) if state.ended is not None else "",
    )


def data_details(prepared: Prepared) -> Markup:
    """Which columns were taken and why, the sizes of the parts, the labels."""
    columns = [(name, column, prepared.reasons.get(name, "")) for name, column in prepared.columns.items()]
    parts = [(part, count) for part, count in prepared.parts.items()]
    labels = sorted(prepared.labels.items(), key=lambda item: -item[1])
    shown = [(shorten(label, 100), count) for label, count in labels[:40]]
    more = (
        tag("p", f"and {len(labels) - len(shown)} more labels", css="nbtune-soft") if len(labels) > len(shown) else ""
    )
    return tag(
        "div",
        tag("div", prepared.data),
        *([tag("div", f"split: {prepared.split}")] if prepared.split else []),
        table(("the task's column", "taken from", "why"), columns),
        table(("part", "examples"), parts),
        table(("label", "in training"), shown) if shown else "",
        more,
    )


def findings_list(findings: tuple[Mapping[str, Any], ...]) -> Markup:
    """What the checks noticed, the grave ones first."""
    order = {"error": 0, "warning": 1, "note": 2}
    tones: Mapping[str, Tone] = {"error": "error", "warning": "warning"}
    ranked = sorted(findings, key=lambda finding: order.get(str(finding.get("severity")), 3))
    return Markup(
        "".join(
            callout(
                finding.get("message", ""),
                Markup(f'<br><span class="nbtune-soft">{escape(finding["remedy"])}</span>')
                if finding.get("remedy")
                else "",
                tone=tones.get(str(finding.get("severity")), "plain"),
            )
            for finding in ranked
        )
    )


def _header(state: RunState) -> Markup:
    started, prepared = state.started, state.prepared
    name = started.run if started else (prepared.task if prepared else "nbtune")
    pairs: list[tuple[str, object]] = []
    if started:
        pairs += [
            ("task", started.task),
            ("model", shorten(started.model, 60)),
            ("parameters", _parameters(started.parameters, started.trainable)),
            ("on", f"{started.device}, {started.precision}"),
        ]
    elif prepared:
        pairs.append(("task", prepared.task))
    if prepared:
        pairs.append(("examples", ", ".join(f"{count:,} {part}" for part, count in prepared.parts.items())))
    title = Markup(f'<span class="nbtune-title">{escape(shorten(name, 60))}</span>')
    return tag(
        "div",
        tag("div", title, " ", badge(state.status, _TONES.get(state.status, "plain")), css="nbtune-row"),
        facts(pairs),
    )


def _parameters(total: int, trainable: int) -> str:
    millions = f"{total / 1e6:,.1f} M"
    return millions if trainable == total else f"{millions}, {100 * trainable / max(total, 1):.3g}% trained"


def _progress(state: RunState) -> Markup:
    rows = []
    if state.started is not None:
        total, epochs = state.started.total_steps, state.started.epochs
        left, pace = state.seconds_left, state.tokens_per_second
        label = f"step {state.step:,} of {total:,}"
        pairs: list[tuple[str, object]] = [("epoch", f"{min(state.epoch, epochs):.2f} of {epochs}"), ("", label)]
        pairs += [("left", f"about {duration(left)}")] if left is not None else []
        pairs += [("tokens/s", number(round(pace)))] if pace else []
        pairs += [("learning rate", number(state.learning_rate, 3))] if state.learning_rate else []
        pairs += [(name, size(held)) for name, held in zip(("memory", "GPU memory"), state.memory, strict=True) if held]
        rows.append(tag("div", progress(state.step, total, label), facts(pairs), css="nbtune-row"))
    if state.preparing is not None:
        doing = state.preparing
        label = f"{doing.stage} {doing.done:,} of {doing.total:,}" if doing.total else doing.stage
        rows.append(tag("div", progress(doing.done, doing.total, label), label, css="nbtune-row nbtune-soft"))
    if state.seen_at and state.started is not None:  # a picture may be saved, and looked at when all is over
        command = tag("code", f"%nbtune show {state.started.run}")
        rows.append(tag("div", f"as of {state.seen_at}; ", command, " tells how it stands", css="nbtune-soft"))
    return Markup("".join(rows))


def _findings(prepared: Prepared | None) -> Markup:
    """Folded, with how many there are of each severity in the line that stays."""
    if prepared is None or not prepared.findings:
        return Markup("")
    return fold(f"about the data: {findings_counted(prepared.findings)}", findings_list(prepared.findings))


def findings_counted(findings: Sequence[Mapping[str, Any]]) -> str:
    """Such as "1 warning, 3 notes"."""
    counts = Counter(str(finding.get("severity")) for finding in findings)
    named = [(counts[severity], severity) for severity in ("error", "warning", "note") if counts[severity]]
    return ", ".join(f"{count:,} {severity}{'' if count == 1 else 's'}" for count, severity in named)


def _whereabouts(state: RunState) -> Markup:
    if not state.whereabouts or state.ended is not None:
        return Markup("")
    return callout(state.whereabouts, tone="error" if state.cut_off else "plain")


def _curves(state: RunState, *, loss: bool) -> Markup:
    ends = float(state.started.total_steps) if state.started and state.ended is None and not state.cut_off else 0.0
    reach = (0.0, max(ends, float(state.step), 1.0))
    span = max(5.0, len(state.losses) / 20)
    charts = []
    if loss and len(state.losses) > 1:
        curves = [
            Series("each step", state.losses, faint=True, colour=0),
            Series("training loss", smooth(state.losses, span), colour=0),
        ]
        charts.append(line_chart(curves, width=_WIDTH, x_label="step", y_label="training loss", x_range=reach))
    if state.evaluations:
        points = [(float(e.step), e.metrics.get(state.headline, float("nan"))) for e in state.evaluations]
        curve = Series(state.headline, points, dots=True, colour=2)
        charts.append(
            line_chart([curve], width=_WIDTH, x_label="step", y_label=f"{state.headline} on validation", x_range=reach)
        )
    if state.ended is not None:  # what is redrawn now and then would flicker as an image
        charts = [still(chart) for chart in charts]
    return tag("div", *charts, css="nbtune-row") if charts else Markup("")


def _scores(state: RunState) -> Markup:
    if not state.evaluations:
        return Markup("")
    newest, best = state.evaluations[-1], state.best
    columns = ["on validation", f"newest (step {newest.step:,})"]
    columns += [f"best (step {best.step:,})"] if best is not None and best is not newest else []
    rows = [
        (name, value, *([best.metrics.get(name)] if len(columns) == 3 and best is not None else []))
        for name, value in _headline_first(newest.metrics, newest.headline)
    ]
    rest = rows[8:]
    shown = table(columns, rows[:8])
    return tag("div", shown, fold(f"{len(rest)} more scores", table(columns, rest))) if rest else shown


def _headline_first(metrics: Mapping[str, float], headline: str) -> list[tuple[str, float]]:
    return sorted(metrics.items(), key=lambda item: item[0] != headline)


def _details(state: RunState, *, scores: bool) -> Markup:
    parts = []
    if state.prepared is not None:
        taken = ", ".join(f"{name} from {shorten(column, 40)}" for name, column in state.prepared.columns.items())
        parts.append(fold(f"data: {shorten(taken, 100)}", data_details(state.prepared)))
    if state.evaluations and (scores or len(state.evaluations) > 1):
        names = [name for name, _ in _headline_first(state.evaluations[-1].metrics, state.headline)][:8]
        rows = [
            (e.step, round(e.epoch, 2), *(e.metrics.get(name) for name in names), "best so far" if e.best else "")
            for e in state.evaluations[-50:]
        ]
        parts.append(fold(f"validation scores ({len(state.evaluations)})", table(("step", "epoch", *names, ""), rows)))
    if state.changes:
        rows_ = [(change.step, change.setting, change.old, change.new) for change in state.changes]
        parts.append(fold("changes while training", table(("step", "setting", "from", "to"), rows_)))
    return Markup("".join(parts))


def _next(state: RunState, folder: str) -> Markup:
    assert state.ended is not None
    name = state.started.run if state.started else ""
    said = state.ended.reason
    if state.started is not None:
        said += f", after {state.ended.step:,} steps in {duration(state.ended.seconds)}"
    if state.best is not None:
        said += f"; best {state.headline} {number(state.best.metrics.get(state.headline))} at step {state.best.step:,}"
    lines = [tag("div", said, css="nbtune-soft")]
    if folder:
        lines.append(tag("div", "saved in ", tag("code", folder), css="nbtune-soft"))
    if name and folder:
        commands = [] if state.ended.status == "finished" else [f"%finetune --resume {name}"]
        commands += [f"%evaluate {name} --data DATA", f'%predict {name} "text"', f"%nbtune show {name}"]
        lines.append(tag("div", Markup(" ".join(tag("code", command) for command in commands)), css="nbtune-row"))
    return Markup("".join(lines))
