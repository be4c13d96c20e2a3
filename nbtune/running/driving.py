"""Drives a run: pulls its events, writes each down and shows it, in this thread or in one behind the cell."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from nbtune.errors import NbtuneError
from nbtune.events import Ended, Event, Noted, Prepared, Preparing, Started
from nbtune.running import background, opened
from nbtune.running.run import Run
from nbtune.tasks.hookspecs import Watcher
from nbtune.tasks.registry import registry

if TYPE_CHECKING:
    from nbtune.running.plan import Plan


def drive(
    plan: Plan,
    watchers: Sequence[Watcher],
    held: contextlib.ExitStack,
    *,
    in_background: bool,
    begun: bool,
    further: Callable[[Run], object] | None = None,
) -> Run:
    """Pull the events to the end; in the background so far that the model is open, and the rest in a thread, which
    takes over what is `held` (the lock of the folder) and does what is `further` to be done. `begun`: the run stays,
    whatever happens.

    Raises:
        RunError: another run is training in this process.
    """
    training = background.begin(plan.folder.path, plan.control)
    opened.close()  # models that were opened to predict are opened again on use: their memory is needed here
    run = Run(plan.folder, trust_remote_code=plan.spec.trust_remote_code, training=training)
    behind = in_background or training.within is not None
    told = _told(plan, run, training, watchers, begun, guarded=behind)

    def rest() -> None:
        for _ in told:
            pass

    try:
        if in_background and any(not _may_be_refused(event) for event in told):
            kept = held.pop_all()

            def all_of_it() -> None:
                rest()
                kept.close()
                if further is not None:
                    further(run)

            training.go_on_in_thread(all_of_it, telling_failure(watchers, training), kept)
            return run
        rest()
    except BaseException:
        training.end()
        raise
    training.end()
    return run


def tell(watchers: Iterable[Watcher], event: Event) -> None:
    """Show an event to everybody who watches."""
    for watcher in watchers:
        watcher.on_event(event)


def _may_be_refused(event: Event) -> bool:
    """Whether it may still turn out that a setting does not fit the model: the cell itself must say so."""
    from nbtune.running.runner import OPENING

    return isinstance(event, (Prepared, Ended)) or (isinstance(event, Preparing) and event.stage == OPENING)


def _told(
    plan: Plan, run: Run, training: background.Training, watchers: Sequence[Watcher], begun: bool, *, guarded: bool
) -> Iterator[Event]:
    """The events, each written down and shown. `guarded`: a display that fails behind the cell ends nothing."""
    from nbtune.running.runner import execute

    plugins = registry().watchers(run, plan.control)
    others = _Guarded([*watchers, *plugins] if guarded else list(plugins))
    joined = _Guarded(training.joined)
    everybody = (joined, *(() if guarded else watchers), others)
    ended, step = False, 0
    try:
        # closed here, so that nothing is written any more when the run is let go of
        with contextlib.closing(execute(plan)) as events:
            for event in events:
                begun, ended = begun or isinstance(event, Started), isinstance(event, Ended)
                step = getattr(event, "step", step)
                with training.telling:
                    _log(plan, event, everybody)
                    tell(everybody, event)
                    for note in _dropped(joined, others):
                        if not ended:  # a run ends with the word how it did: its status is read there
                            _log(plan, note, everybody)
                        tell(everybody, note)
                yield event
    except (NbtuneError, KeyboardInterrupt) as error:
        if not begun:  # nothing was learned: the name is free again
            plan.folder.remove()
        elif isinstance(error, KeyboardInterrupt):
            reason = "interrupted twice: what was learned since the newest checkpoint is lost"
            plan.folder.log(Ended(status="stopped", step=step, reason=reason, seconds=0.0))
        raise
    except Exception as error:
        if guarded and not ended:  # a full disk, say; in a cell the display is told by who called
            others.on_event(Ended(status="failed", step=step, reason=str(error), seconds=0.0))
        raise


def _dropped(*guarded: _Guarded) -> Iterator[Noted]:
    """Who failed since, also over one of these notes: another one tells that, and there are fewer of them each time."""
    while notes := [note for each in guarded for note in each.take_notes()]:
        yield from notes


def _log(plan: Plan, event: Event, everybody: Iterable[Watcher]) -> None:
    trouble = plan.folder.log(event)
    if trouble:
        tell(everybody, Noted(step=getattr(event, "step", 0), severity="warning", message=trouble))


def telling_failure(watchers: Sequence[Watcher], training: background.Training) -> Callable[[BaseException], None]:
    """Tells what a cell would show under a failed run, for one whose cell is long done."""

    def told(error: BaseException) -> None:
        known = [error.hint] if isinstance(error, NbtuneError) else [f"{type(error).__name__}: {error}"]
        words = "; ".join(filter(None, [*known, "wait() of the run raises the error"]))
        _Guarded([*watchers, *training.joined]).on_event(Noted(step=0, severity="warning", message=words))

    return told


class _Guarded:
    """Plugins' watchers, and those who came later: one that fails is dropped and named, and the training goes on."""

    def __init__(self, watchers: list[Watcher]) -> None:
        self._watchers = watchers
        self._notes: list[Noted] = []

    def on_event(self, event: Event) -> None:
        for watcher in list(self._watchers):
            try:
                watcher.on_event(event)
            except Exception as error:  # a stranger's code
                self._watchers.remove(watcher)
                words = f"the watcher {type(watcher).__name__} failed and was dropped: {type(error).__name__}: {error}"
                self._notes.append(Noted(step=getattr(event, "step", 0), severity="warning", message=words))

    def take_notes(self) -> list[Noted]:
        notes, self._notes = self._notes, []
        return notes
