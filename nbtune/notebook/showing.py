"""`%nbtune show`: a run again, wherever it trains, from its events on disk."""

from __future__ import annotations

import time
from typing import Any

from nbtune.notebook.picture import Picture
from nbtune.notebook.progress import DisplayKind, RunDisplay, display_for, is_terminal
from nbtune.notebook.run_picture import kept_picture
from nbtune.notebook.state import RunState
from nbtune.running import background, locks
from nbtune.running.log import Tail, grown
from nbtune.running.run import Run


def show(
    run: Run, shell: Any, *, kind: DisplayKind, refresh: float, controls: bool, follow: bool = False
) -> Picture | None:
    """The picture of a run. Of one that trains in this kernel, a live display again, and nothing is returned; the same,
    until the run ends or the interrupt key is pressed, with `follow`."""
    training = background.training_in(run.folder)
    if training is not None and not is_terminal(shell):
        _join(training, run, shell, kind=kind, refresh=refresh, controls=controls)
        return None
    if follow and run.status == "running":
        _follow(run, shell, kind=kind, refresh=refresh)
        return None
    state = RunState.of(run.events())
    state.whereabouts, state.cut_off = whereabouts(run)
    state.seen_at = "" if state.cut_off else time.strftime("%H:%M:%S")
    return kept_picture(state, run)


def _join(training: background.Training, run: Run, shell: Any, **settings: Any) -> None:
    """A display that sees what comes from now on, and has read what was before."""
    tail = Tail(run.folder / "events.jsonl")
    display: Any = display_for(shell, past=tail.new(), **settings)
    with training.telling:  # nothing is told meanwhile
        for event in tail.new():
            display.state.absorb(event)
        if display.state.ended is None:
            training.join(display)
    display.draw()


def _follow(run: Run, shell: Any, *, kind: DisplayKind, refresh: float) -> None:
    """Keep a display up to date from the log that another process writes."""
    tail = Tail(run.folder / "events.jsonl")
    display = display_for(shell, kind=kind, refresh=refresh, past=tail.new(), controls=False)
    display.state.whereabouts, _ = whereabouts(run, followed=True)
    if isinstance(display, RunDisplay):
        display.draw()
    try:
        for events in grown(tail, run.folder, lambda: time.sleep(refresh)):
            for event in events:
                display.on_event(event)
            if display.state.ended is not None:
                break
    except KeyboardInterrupt:
        pass  # ends the looking, not the training
    if display.state.ended is None and isinstance(display, RunDisplay):
        display.state.whereabouts, display.state.cut_off = whereabouts(run)
        display.draw()


def whereabouts(run: Run, *, followed: bool = False) -> tuple[str, bool]:
    """Where a run is that has not ended, in words, and whether nobody trains it any more."""
    status = run.status
    if status == "running":
        here = background.training_in(run.folder) is not None
        where = "in this kernel" if here else f"in another kernel{locks.owner(run.folder)}, which has the controls"
        more = "" if here or followed else f"; %nbtune show {run.name} --follow keeps this up to date"
        return f"training {where}{more}", False
    if status == "unfinished":
        words = "cut off: its kernel was killed or restarted while it trained"
        return f"{words}. %finetune --resume {run.name} goes on from its newest checkpoint", True
    return "", False
