"""A run behind the cell: steered from outside, waited for, and alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbtune
from nbtune.control import Control
from nbtune.errors import DataError, RunError, SpecError, TrainingError
from nbtune.events import Adjusted, Ended, Evaluated, Event, Noted, Paused, Resumed, Started, Stepped
from nbtune.running import background
from nbtune.tasks.heads import SequenceHead

Fit = Callable[..., nbtune.Run]
LONG = {"epochs": 5000, "evaluate_every": 1000}


class Awaited:
    """A watcher that can be waited for: `until(kind)` returns the next event of that kind."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def on_event(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def until(self, *kinds: type, after: int = 0) -> int:
        """How many events there were when one of `kinds` came, counted from the event `after`."""

        def found() -> int | None:
            return next((n for n in range(after, len(self.events)) if isinstance(self.events[n], kinds)), None)

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, timeout=60)
            return (found() or 0) + 1


@pytest.fixture
def behind(fit: Fit) -> Any:
    """Starts a run in the background, and ends it with the test."""
    started: list[nbtune.Run] = []

    def start(name: str = "first", **settings: Any) -> tuple[nbtune.Run, Awaited]:
        seen = Awaited()
        started.append(fit(name, background=True, watchers=[seen], **settings))
        return started[-1], seen

    yield start
    for run in started:
        if run.status == "running":
            run.control.stop()
            run.wait(60)


def test_it_returns_while_it_trains_and_wait_gives_the_run(behind: Any, fit: Fit) -> None:
    run, seen = behind(**LONG)
    assert run.name == "first"
    assert run.status == "running"
    assert nbtune.load("first").status == "running"
    assert list(nbtune.runs()["status"]) == ["running"]
    seen.until(Stepped)
    assert run.wait(timeout=0.01) is run
    assert run.status == "running"
    with pytest.raises(RunError, match="is still training, and has no model yet"):
        run.predict(["good"])
    run.control.stop()
    assert run.wait() is run
    assert run.status == "stopped"
    assert len(run.predict(["good"])) == 1
    assert run.resume  # what a stopped run has
    assert fit("second").status == "finished"


def test_it_learns_what_it_would_have_learned_in_the_cell(behind: Any, fit: Fit) -> None:
    run, _ = behind()
    assert run.wait().status == "finished"
    losses = [[e.loss for e in each.events() if isinstance(e, Stepped)] for each in (run, fit("cell"))]
    assert losses[0] == losses[1]


def test_what_the_control_is_asked_for_is_in_the_log_in_that_order(behind: Any) -> None:
    run, seen = behind(**LONG, schedule="constant", warmup=0)
    at = seen.until(Stepped)
    control = nbtune.load("first").control  # found by name, in another cell
    control.pause()
    at = seen.until(Paused, after=at)
    control.set_learning_rate(2e-4)
    control.resume()
    at = seen.until(Adjusted, after=at)
    at = seen.until(Stepped, after=at)
    control.stop()
    run.wait()
    told = [event for event in run.events() if isinstance(event, (Paused, Resumed, Adjusted, Ended))]
    assert [type(event) for event in told] == [Paused, Resumed, Adjusted, Ended]
    assert told[0].step == told[1].step == told[2].step
    assert told[-1].status == "stopped"
    rates = {event.step: event.learning_rate for event in run.events() if isinstance(event, Stepped)}
    assert rates[told[0].step] == pytest.approx(1e-3)
    assert rates[told[0].step + 1] == pytest.approx(2e-4)


def test_nothing_is_asked_of_a_run_that_does_not_train_here(fit: Fit) -> None:
    run = fit()
    for each in (run, nbtune.load("first")):
        with pytest.raises(RunError, match="'first' is not training in this kernel") as caught:
            each.control.stop()
        assert "it has finished" in caught.value.hint
    (run.folder / "events.jsonl").write_text("")
    with pytest.raises(RunError) as caught:
        nbtune.load("first").control.pause()
    assert "if another kernel trains it, ask there" in caught.value.hint


def test_there_is_one_training_at_a_time(behind: Any, fit: Fit, runs_dir: Path) -> None:
    run, seen = behind(**LONG)
    for further in ({}, {"background": True}):
        with pytest.raises(RunError, match="the run 'first' is training in this kernel") as caught:
            fit("second", **further)
        assert "%nbtune stop first" in caught.value.hint
    assert [path.name for path in runs_dir.iterdir()] == ["first"]
    seen.until(Stepped)
    run.control.stop()
    with pytest.raises(RunError, match="is training in this kernel"):
        run.resume()
    assert run.wait().resume(background=True, watchers=[]).status == "running"


@pytest.mark.main_thread
def test_the_interrupt_key_ends_the_waiting_and_not_the_training(behind: Any) -> None:
    run, seen = behind(**LONG)
    at = seen.until(Stepped)
    main = threading.main_thread().ident
    assert main is not None
    # pressed from a thread that knows that the main one waits: a lock's wait is what a signal must get through
    presser = threading.Thread(target=lambda: (seen.until(Stepped, after=at), signal.pthread_kill(main, signal.SIGINT)))
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # the key may come before the waiting begins
        presser.start()
        run.wait()
    presser.join()
    assert run.status == "running"
    seen.until(Stepped, after=len(seen.events))


# --- what goes wrong


def test_mistakes_are_told_in_the_cell(fit: Fit, runs_dir: Path) -> None:
    with pytest.raises(DataError):
        fit(background=True, data="no such file.csv")
    with pytest.raises(SpecError, match="freeze = 99, but the model has 2 layers"):
        fit(background=True, freeze=99)
    assert not any(runs_dir.iterdir())
    assert fit().status == "finished"


def test_what_fails_behind_the_cell_is_told_and_raised_by_wait(behind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = SequenceHead.loss
    monkeypatch.setattr(SequenceHead, "loss", lambda head, batch: original(head, batch) * float("nan"))
    run, seen = behind(learning_rate=0.01)
    with pytest.raises(TrainingError, match="the loss became nan"):
        run.wait()
    assert run.status == "failed"
    ended, note = seen.events[-2:]
    assert isinstance(ended, Ended)
    assert "the loss became nan" in ended.reason
    assert isinstance(note, Noted)
    assert "try learning_rate = 0.001" in note.message
    with pytest.raises(TrainingError):
        run.wait()


def test_a_bug_keeps_its_lines_but_no_model(behind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def loss(head: Any, batch: Any) -> Any:
        raise ZeroDivisionError("in the head")

    monkeypatch.setattr(SequenceHead, "loss", loss)
    run, seen = behind()
    with pytest.raises(ZeroDivisionError, match="in the head") as caught:
        run.wait()
    assert [entry.name for entry in caught.traceback][-1] == "loss"
    assert caught.traceback[-1].frame.f_locals == {}
    assert "ZeroDivisionError: in the head" in seen.events[-1].message


def test_a_disk_that_fails_behind_the_cell_is_shown_as_the_end(behind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbtune.running.folder import RunFolder

    original = RunFolder.log

    def log(folder: RunFolder, event: Event) -> None:
        if isinstance(event, Stepped):
            raise OSError("no space left on device")
        return original(folder, event)

    monkeypatch.setattr(RunFolder, "log", log)
    run, seen = behind()
    with pytest.raises(OSError, match="no space left"):
        run.wait()
    ended = next(event for event in seen.events if isinstance(event, Ended))
    assert (ended.status, ended.reason) == ("failed", "no space left on device")


def test_a_display_that_fails_behind_the_cell_ends_nothing(fit: Fit) -> None:
    class Fails:
        def on_event(self, event: Event) -> None:
            if isinstance(event, Evaluated):
                raise OSError("the front end has gone")

    run = fit(background=True, watchers=[Fails()])
    assert run.wait().status == "finished"
    assert any("Fails failed and was dropped" in e.message for e in run.events() if isinstance(e, Noted))


def test_who_joined_and_fails_is_named_once_and_ends_nothing(behind: Any) -> None:
    class Fails:
        def __init__(self, when: type[Event]) -> None:
            self.when = when

        def on_event(self, event: Event) -> None:
            if isinstance(event, self.when):
                raise OSError("the page has gone")

    run, seen = behind(epochs=5000, evaluate_every=20)
    training = background.training_in(run.folder)
    assert training is not None
    training.join(Fails(Evaluated))
    training.join(Fails(Ended))
    seen.until(Noted)
    run.control.stop()
    assert run.wait().status == "stopped"  # as the log says: nothing is written after the end
    words = ["the watcher Fails failed and was dropped: OSError: the page has gone"]
    assert [event.message for event in run.events() if isinstance(event, Noted)] == words
    assert [event.message for event in seen.events if isinstance(event, Noted)] == 2 * words


def test_the_end_of_the_process_stops_and_saves(tiny_model: str, runs_dir: Path) -> None:
    script = f"""
import threading, nbtune
stepped = threading.Event()
class Steps:
    def on_event(self, event):
        if type(event).__name__ == "Stepped":
            stepped.set()
rows = [dict(text=f"{{word}} {{thing}}", label=word) for word in ("good", "bad") for thing in "abcdefghij"]
run = nbtune.finetune("classification", data=rows, model={tiny_model!r}, name="left", epochs=100_000, batch_size=4,
                      evaluate_every=100_000, watchers=[Steps()], background=True)
assert stepped.wait(60)
"""
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    left = nbtune.load("left")
    assert left.status == "stopped"
    assert len(left.predict(["good"])) == 1


# --- exactness


def test_a_changed_learning_rate_survives_a_kill(fit: Fit, record: Any, runs_dir: Path) -> None:
    """The rate is changed at step 3, the process dies in step 5: what follows is what would have followed."""

    def changing(die_at: int | None) -> tuple[Any, Control]:
        control = Control()

        def act(event: Event) -> None:
            if isinstance(event, Stepped) and event.step == 3:
                control.set_learning_rate(2e-3)
            if isinstance(event, Stepped) and event.step == die_at:
                raise KeyboardInterrupt  # nothing is saved on this way out

        return record(act), control

    seen, control = changing(None)
    whole = fit("whole", watchers=[seen], control=control)
    seen, control = changing(5)
    with pytest.raises(KeyboardInterrupt):
        fit("cut", watchers=[seen], control=control)
    after = record()
    cut = nbtune.load("cut").resume(watchers=[after])
    assert after.of(Started)[0].step == 3
    expected = [(e.step, e.loss, e.learning_rate) for e in whole.events() if isinstance(e, Stepped)]
    assert [(e.step, e.loss, e.learning_rate) for e in after.of(Stepped)] == expected[3:]
    assert cut.metrics == whole.metrics
