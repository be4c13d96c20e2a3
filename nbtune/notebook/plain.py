"""A run as Markdown (for exports and sites that strip HTML) and as plain text (for terminals)."""

from __future__ import annotations

from nbtune.drawing import duration, markdown_table, number, shorten, sparkline, visible
from nbtune.notebook.state import RunState


def run_markdown(state: RunState, *, folder: str = "") -> str:
    """A heading, where it stands, and the newest scores."""
    lines = [f"**{_code(_name(state))}** {state.status}", "", _code(run_line(state))]
    lines += ["", _code(state.whereabouts)] if state.whereabouts and state.ended is None else []
    if state.evaluations:
        newest = state.evaluations[-1]
        lines += ["", markdown_table(("on validation", f"step {newest.step}"), newest.metrics.items())]
    lines += ["", f"saved in {_code(folder)}"] if folder and state.ended else []
    return "\n".join(lines)


def run_text(state: RunState, *, folder: str = "") -> str:
    """A few lines for a terminal, or for a reader without a picture."""
    lines = [run_line(state)]
    lines += [f"  {state.whereabouts}"] if state.whereabouts and state.ended is None else []
    if state.prepared is not None:
        taken = ", ".join(f"{name} <- {shorten(column, 40)}" for name, column in state.prepared.columns.items())
        sizes = ", ".join(f"{part} {count:,}" for part, count in state.prepared.parts.items())
        lines.append(f"  data: {shorten(state.prepared.data, 60)}; columns {taken}; {sizes}")
        lines += [
            f"  {finding.get('severity')}: {finding.get('message')}"
            for finding in state.prepared.findings
            if finding.get("severity") != "note"
        ]
    lines += [f"  {note.severity}: {note.message}" for note in state.notes]
    if len(state.losses) > 1:
        losses = [loss for _, loss in state.losses]
        lines.append(f"  loss {sparkline(losses)} {number(losses[-1])}")
    if state.best is not None:
        scores = ", ".join(f"{name} {number(value)}" for name, value in list(state.best.metrics.items())[:6])
        lines.append(f"  best at step {state.best.step:,} on validation: {scores}")
    if state.ended is not None and folder:
        lines.append(f"  saved in {folder}")
    return "\n".join(visible(line) for line in lines)


def run_line(state: RunState) -> str:
    """Where the run stands, in one line."""
    parts = [f"{_name(state)}: {state.status}"]
    if state.ended is not None:
        parts.append(state.ended.reason)
        if state.started is not None:
            parts.append(f"{state.ended.step:,} steps in {duration(state.ended.seconds)}")
    elif state.started is not None:
        parts.append(f"epoch {min(state.epoch, state.started.epochs):.2f}/{state.started.epochs}")
        parts.append(f"step {state.step:,}/{state.started.total_steps:,}")
        parts += [f"loss {number(state.losses[-1][1])}"] if state.losses else []
        parts += [f"{duration(state.seconds_left)} left"] if state.seconds_left is not None else []
    if state.preparing is not None:
        parts.append(f"{state.preparing.stage} {state.preparing.done:,}/{state.preparing.total:,}")
    if state.evaluations:
        parts.append(f"{state.headline} {number(state.evaluations[-1].metrics.get(state.headline))}")
    return visible(", ".join(parts))


def _name(state: RunState) -> str:
    if state.started is not None:
        return state.started.run
    return state.prepared.task if state.prepared is not None else "nbtune"


def _code(text: str) -> str:
    """Text that Markdown must take literally."""
    return f"`{visible(text).replace('`', chr(39)).replace(chr(10), ' ')}`"
