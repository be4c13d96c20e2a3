"""The interrupt key in every stage of a run: what is kept, what is raised, and that the key is given back."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import nbtune
from nbtune.control import Control, Stop
from nbtune.errors import Interrupted, ModelError
from nbtune.events import Ended, Evaluated, Noted, Paused, Preparing, Saved, Stepped
from nbtune.running import interrupts
from nbtune.tasks.heads import SequenceHead

Fit = Callable[..., nbtune.Run]


@pytest.fixture(autouse=True)
def key_is_given_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


def press(times: int = 1) -> None:
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


def at(stage: str, times: int = 1) -> Callable[[Any], None]:
    return lambda event: press(times) if isinstance(event, Preparing) and event.stage == stage else None


def inside(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, times: int = 1) -> list[str]:
    """Press the key while `where.name` works, before it does anything; `reached` says if it went on after that."""
    original, reached = getattr(where, name), []

    def work(*args: Any, **kwargs: Any) -> Any:
        if not reached:
            press(times)
        reached.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(where, name, work)
    return reached


# --- before the first step


@pytest.mark.parametrize("stage", ["looking at the model", "reading the data"])
def test_before_there_is_a_folder_nothing_is_written_and_it_is_said_in_two_lines(
    fit: Fit, record: Any, runs_dir: Path, stage: str
) -> None:
    with pytest.raises(Interrupted) as caught:
        fit(watchers=[record(at(stage))])
    assert not runs_dir.exists()
    assert isinstance(caught.value, KeyboardInterrupt)
    assert not isinstance(caught.value, Exception)  # a loop over settings that survives failures must end
    assert caught.value._render_traceback_() == [
        "Interrupted: stopped before there was a run; nothing was written",
        "start it again when ready",
    ]


def test_reading_is_cut_in_the_middle(fit: Fit, runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbtune.data import prepare

    reached = inside(monkeypatch, prepare, "check")
    with pytest.raises(Interrupted):
        fit()
    assert reached == []
    assert not runs_dir.exists()


@pytest.mark.parametrize("stage", ["loading the model", "encoding"])
def test_before_the_first_step_the_run_is_stopped_and_can_be_resumed(fit: Fit, record: Any, stage: str) -> None:
    whole = fit("whole")
    run = fit("cut", watchers=[record(at(stage))])
    assert run.status == "stopped"
    assert [event.reason for event in run.events() if isinstance(event, Ended)] == ["stopped before the first step"]
    with pytest.raises(ModelError, match="has no saved model") as caught:
        run.predict(["good"])
    assert "resume() goes on with it" in caught.value.hint
    assert run.resume().metrics == whole.metrics


def test_loading_the_model_is_cut_in_the_middle(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = inside(monkeypatch, SequenceHead, "_give_pad_token")
    assert fit().status == "stopped"
    assert reached == []


def test_two_presses_before_the_first_step_free_the_name(fit: Fit, record: Any, runs_dir: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(watchers=[record(at("encoding", times=2))])
    assert list(runs_dir.iterdir()) == []


def test_a_press_before_a_run_goes_on_leaves_it_as_it_was(
    fit: Fit, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbtune.running import resuming

    control = Control()
    run = fit(watchers=[record(lambda event: control.stop() if isinstance(event, Stepped) else None)], control=control)
    before = list(run.events())
    inside(monkeypatch, resuming, "kept_data")
    with pytest.raises(Interrupted, match="before the run 'first' went on; it is as it was"):
        run.resume()
    assert list(run.events()) == before


# --- while it learns


def test_a_step_ends_before_the_press_is_heard(fit: Fit, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = inside(monkeypatch, SequenceHead, "loss")
    seen = record()
    run = fit(watchers=[seen])
    assert len(reached) == 1
    assert [event.step for event in seen.of(Stepped)] == [1]
    assert run.status == "stopped"
    # no evaluation chose a best model: what was learned so far is the model
    assert [event.kind for event in seen.of(Saved)] == ["checkpoint", "model"]
    assert len(run.predict(["good", "bad"])) == 2
    assert run.evaluate().metrics["accuracy"].value >= 0


def test_an_evaluation_is_cut_between_two_batches(fit: Fit, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = record()

    def outputs(head: Any, batch: Any) -> Any:
        if len(seen.of(Evaluated)) == 1 and not seen.of(Ended):  # in the second evaluation
            press()
        return original(head, batch)

    original = SequenceHead.outputs
    monkeypatch.setattr(SequenceHead, "outputs", outputs)
    run = fit(watchers=[seen], evaluate_every=2)
    assert run.status == "stopped"
    assert [event.step for event in seen.of(Evaluated)] == [2]
    assert seen.of(Ended)[0].step == 4
    assert not torch.is_inference_mode_enabled()
    assert len(run.predict(["good"])) == 1
    assert run.resume().status == "finished"


def test_a_pause_is_ended_by_the_key(fit: Fit, record: Any) -> None:
    control = Control()

    def act(event: Any) -> None:
        if isinstance(event, Stepped) and event.step == 1:
            control.pause()
        if isinstance(event, Paused):
            press()

    seen = record(act)
    assert fit(control=control, watchers=[seen]).status == "stopped"
    assert seen.of(Ended)[0].step == 1


# --- while it saves


@pytest.mark.parametrize("name", ["save_model", "Checkpoints.take"])
def test_what_is_written_is_written_whole(fit: Fit, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from nbtune.running import saving

    where = saving.Checkpoints if "." in name else saving
    reached = inside(monkeypatch, where, name.rpartition(".")[2])
    run = fit(checkpoint_every=2)
    assert reached
    assert run.status == "stopped"
    assert len(run.predict(["good"])) == 1
    assert not [path for path in run.folder.rglob("*") if path.name.endswith(".tmp")]


def test_a_second_press_waits_for_the_save_and_is_raised_after_it(
    fit: Fit, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbtune.running import saving

    with monkeypatch.context() as patch:
        inside(patch, saving, "save_model", times=2)
        with pytest.raises(KeyboardInterrupt):
            fit()
    run = nbtune.load("first")
    assert run.status == "stopped"
    assert len(run.predict(["good"])) == 1
    assert run.resume().status == "finished"


def test_only_a_third_press_cuts_a_save() -> None:
    control, presses = Control(), []

    def write() -> None:
        for _ in range(3):
            presses.append(1)
            press()
        presses.append(4)

    with pytest.raises(KeyboardInterrupt):
        interrupts.whole(control, write)
    assert presses == [1, 1, 1]


# --- after the last step


def test_what_is_fitted_after_the_training_is_cut_and_a_resumed_run_fits_it(
    fit: Fit, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit("whole", **MULTI)
    from nbtune_classification import head

    seen = record()
    with monkeypatch.context() as patch:
        reached = inside(patch, head, "best_thresholds")
        run = fit("cut", watchers=[seen], **MULTI)
    assert reached == []
    assert seen.of(Ended)[0].reason == "stopped while fitting what follows the training"
    assert any("a resumed run fits it" in note.message for note in seen.of(Noted))
    assert run.report is None
    assert len(run.predict(["good"])) == 1
    steps = record()
    assert run.resume(watchers=[steps]).metrics == whole.metrics
    assert steps.of(Stepped) == []
    pd.testing.assert_frame_equal(run.predict(["good", "bad day"]), whole.predict(["good", "bad day"]))


MULTI: dict[str, Any] = {
    "data": pd.DataFrame(
        {
            "text": [f"{word} {thing}" for word in ("good", "bad", "odd", "new") for thing in "abcdefgh"],
            "labels": [[word, thing] for word in ("good", "bad", "odd", "new") for thing in "abcdefgh"],
        }
    )
}


@pytest.mark.parametrize("settings", [{}, {"lora": {"rank": 4}}], ids=["full", "merged lora"])
def test_scoring_is_cut_and_a_resumed_run_makes_the_report(
    fit: Fit, record: Any, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    from nbtune.running import finishing

    whole = fit("whole", **settings)
    seen = record()
    with monkeypatch.context() as patch:
        reached = inside(patch, finishing, "make_report")
        run = fit("cut", watchers=[seen], **settings)
    assert reached == []
    assert run.status == "stopped"
    assert run.report is None
    pd.testing.assert_frame_equal(run.predict(["good"]), whole.predict(["good"]))
    steps = record()
    again = run.resume(watchers=[steps])
    assert again.status == "finished"
    assert steps.of(Stepped) == []
    assert again.metrics == whole.metrics


def test_a_baseline_that_swallows_the_key_is_cut_all_the_same(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbtune.running import finishing

    original = finishing.make_report

    def swallowing(**given: Any) -> Any:
        with contextlib.suppress(KeyboardInterrupt):
            press()
        return original(**given)

    monkeypatch.setattr(finishing, "make_report", swallowing)
    assert fit().status == "stopped"


# --- the second press


def test_the_second_press_raises_in_the_step_and_saves_nothing_half(
    fit: Fit, record: Any, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit("whole", checkpoint_every=1)
    seen = record()
    with monkeypatch.context() as patch:
        original = SequenceHead.loss

        def loss(head: Any, batch: Any) -> Any:
            if len(seen.of(Stepped)) == 3:
                press(2)
            return original(head, batch)

        patch.setattr(SequenceHead, "loss", loss)
        with pytest.raises(KeyboardInterrupt):
            fit("cut", watchers=[seen], checkpoint_every=1)
    run = nbtune.load("cut")
    assert run.status == "stopped"
    assert [event.reason for event in run.events() if isinstance(event, Ended)] == [
        "interrupted twice: what was learned since the newest checkpoint is lost"
    ]
    assert run.resume().metrics == whole.metrics
    assert [e.loss for e in run.events() if isinstance(e, Stepped)] == [
        e.loss for e in whole.events() if isinstance(e, Stepped)
    ]


def test_a_stop_from_elsewhere_ends_long_work_at_its_edges() -> None:
    control = Control()
    control.stop()
    with pytest.raises(Stop), interrupts.at_once(control):
        pytest.fail("must not begin")
    control = Control()
    with pytest.raises(Stop), interrupts.at_once(control):
        control.stop()


def test_a_batch_is_finished_before_the_key_is_heard() -> None:
    control, done = Control(), []

    def forward(features: Any) -> Iterator[int]:
        for feature in features:
            press()
            done.append(feature)
            yield feature

    with pytest.raises(Stop), interrupts.at_once(control):
        list(interrupts.between_batches(control, forward)([{"a": 1}, {"a": 2}]))
    assert done == [{"a": 1}]
