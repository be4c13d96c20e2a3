"""A run as HTML: the same while it trains, when it has ended, and when it is drawn again from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbtune.drawing import (
    Markup,
    badge,
    callout,
    counted,
    duration,
    escape,
    facts,
    fold,
    join,
    late,
    number,
    panel,
    progress,
    shorten,
    size,
    table,
    tag,
)
from nbtune.drawing.theme import Tone
from nbtune.notebook.classes import per_class, per_class_boxed
from nbtune.notebook.curves import curves_row
from nbtune.notebook.data_drawn import data_details, findings, findings_counted
from nbtune.notebook.state import RunState

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
        findings(state.prepared),
        _progress(state) if state.ended is None else "",
        _notes(state),
        curves_row(state, loss=curves),
        report or tag("div", _scores(state), per_class(state), css="nbtune-row nbtune-top"),
        _details(state, scores=bool(report)),
        _next(state, folder) if state.ended is not None else "",
    )


def moving_panel(state: RunState, *, curves: bool = True) -> Markup:
    """Of a run that trains: what changes with every step, and so is drawn twice a second. It has nothing to open."""
    noticed = findings_counted(state.prepared.findings) if state.prepared is not None else ""
    return panel(
        _header(state, [("about the data", f"{noticed}, below")] if noticed else []),
        _whereabouts(state),
        _progress(state),
        _notes(state),
        curves_row(state, loss=curves),
    )


def scored_panel(state: RunState) -> Markup:
    """Of a run that trains: what changes with an evaluation or a setting; "" before the first."""
    scores, classes = _scores(state), per_class_boxed(state)
    shown = tag("div", scores, classes, css="nbtune-row nbtune-top") if scores else ""
    history = join([_history(state) if len(state.evaluations) > 1 else "", _changes(state)])
    return panel(shown, history) if shown or history else Markup("")


def given_panel(state: RunState) -> Markup:
    """Of a run that trains: what does not change; "" before the data were read."""
    return panel(findings(state.prepared), _data(state)) if state.prepared is not None else Markup("")


def _header(state: RunState, more: Sequence[tuple[str, object]] = ()) -> Markup:
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
        facts([*pairs, *more]),
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
    rows.append(_as_of(state))
    return Markup("".join(rows))


def _as_of(state: RunState) -> Markup:
    """A picture may be saved, and looked at when the page has lost the kernel or all is over."""
    if not state.seen_at or state.started is None:
        return Markup("")
    name = state.started.run
    if state.whereabouts:  # says itself how to go on
        return tag("div", f"as of {state.seen_at}", css="nbtune-soft")
    if not state.busy:
        command = tag("code", f"%nbtune show {name}")
        return tag("div", f"as of {state.seen_at}; ", command, " tells how it stands", css="nbtune-soft")
    command = tag("code", f"%nbtune show {name} --follow")
    words = (
        "This picture has stood still for a while. If the page was reloaded or the kernel is gone, ",
        command,
        " in another notebook tells how the run stands. While it goes on, cells here wait for its end; the interrupt "
        "key (■) ends it and keeps its model.",
    )
    still = Markup("") if state.paused else late(callout(*words))
    return join([tag("div", f"as of {state.seen_at}", css="nbtune-soft"), still])


def _notes(state: RunState) -> Markup:
    tones: Mapping[str, Tone] = {"warning": "warning"}
    return join(callout(note.message, tone=tones.get(note.severity, "plain")) for note in state.notes[-8:])


def _whereabouts(state: RunState) -> Markup:
    if not state.whereabouts or state.ended is not None:
        return Markup("")
    return callout(state.whereabouts, tone="error" if state.cut_off else "plain")


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
    return tag("div", shown, fold(counted(len(rest), "more score"), table(columns, rest))) if rest else shown


def _headline_first(metrics: Mapping[str, float], headline: str) -> list[tuple[str, float]]:
    return sorted(metrics.items(), key=lambda item: item[0] != headline)


def _details(state: RunState, *, scores: bool) -> Markup:
    several = state.evaluations and (scores or len(state.evaluations) > 1)
    return join([_data(state), _history(state) if several else "", _changes(state)])


def _data(state: RunState) -> Markup:
    if state.prepared is None:
        return Markup("")
    taken = ", ".join(f"{name} from {shorten(column, 40)}" for name, column in state.prepared.columns.items())
    return fold(f"data: {shorten(taken, 100)}", data_details(state.prepared))


def _history(state: RunState) -> Markup:
    names = [name for name, _ in _headline_first(state.evaluations[-1].metrics, state.headline)][:8]
    rows = [
        (e.step, round(e.epoch, 2), *(e.metrics.get(name) for name in names), "best so far" if e.best else "")
        for e in state.evaluations[-50:]
    ]
    return fold(f"validation scores ({len(state.evaluations)})", table(("step", "epoch", *names, ""), rows))


def _changes(state: RunState) -> Markup:
    if not state.changes:
        return Markup("")
    rows = [(change.step, change.setting, change.old, change.new) for change in state.changes]
    return fold("changes while training", table(("step", "setting", "from", "to"), rows))


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
