"""A run from data to predictions, on disk and back, with a tiny but real model."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import nbtune
from nbtune.control import Control
from nbtune.errors import ModelError, RunError, SpecError, TrainingError
from nbtune.events import Ended, Evaluated, Event, Preparing, Saved, Stepped
from nbtune.running.launch import resume

ROWS = [
    {"text": f"{opening} {word} {ending}", "label": label}
    for label, words in {
        "praise": ["good", "lovely", "superb", "kind"],
        "blame": ["bad", "awful", "rude", "dull"],
    }.items()
    for word in words
    for opening, ending in (
        ("a", "meal"),
        ("what a", "day"),
        ("such a", "film"),
        ("the", "guide was late"),
        ("this", "x"),
    )
]
DATA = pd.DataFrame(ROWS)


class Recorder:
    """A watcher that remembers, and may act on an event."""

    def __init__(self, act: Any = None) -> None:
        self.events: list[Event] = []
        self.act = act

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        if self.act:
            self.act(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def fit(tiny_model: str, name: str = "first", **settings: Any) -> nbtune.Run:
    given = {"data": DATA, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "watchers": [], **settings}
    return nbtune.finetune("classification", model=tiny_model, name=name, **given)


def test_a_finished_run_is_a_complete_folder(tiny_model: str, runs_dir: Path) -> None:
    seen = Recorder()
    run = fit(tiny_model, watchers=[seen])
    assert run.status == "finished"
    assert run.folder == runs_dir / "first"
    present = {path.name for path in run.folder.iterdir()}
    assert present >= {
        "spec.toml",
        "data.json",
        "environment.json",
        "events.jsonl",
        "checkpoints",
        "model",
        "report.json",
        "README.md",
    }
    assert not [path for path in run.folder.rglob("*") if path.name.endswith(".tmp")]
    assert list(nbtune.replay(run.folder)) == [event for event in seen.events if not isinstance(event, Preparing)]
    assert isinstance(seen.events[-1], Ended)
    assert seen.events[-1].status == "finished"


def test_a_run_opened_after_a_restart_predicts_the_same(tiny_model: str, runs_dir: Path) -> None:
    run = fit(tiny_model)
    before = run.predict(["a lovely day", "awful"])
    run.free()
    after = nbtune.load("first").predict(["a lovely day", "awful"])
    pd.testing.assert_frame_equal(before, after)


def test_the_model_folder_is_plain_transformers(tiny_model: str, runs_dir: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = fit(tiny_model)
    model = AutoModelForSequenceClassification.from_pretrained(run.model_path)
    tokenizer = AutoTokenizer.from_pretrained(run.model_path)
    assert model.config.id2label == {0: "blame", 1: "praise"}
    texts = list(DATA["text"][:10])
    with torch.inference_mode():
        theirs = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits.softmax(-1)
    ours = run.predict(texts)
    assert [model.config.id2label[int(i)] for i in theirs.argmax(-1)] == list(ours["prediction"])
    np.testing.assert_allclose(theirs.max(-1).values, ours["probability"], atol=1e-4)


def test_predictions_stand_beside_the_rows_they_belong_to(tiny_model: str, runs_dir: Path) -> None:
    run = fit(tiny_model)
    table = pd.DataFrame({"id": [7, 8], "text": ["good", "bad"]}, index=["x", "y"])
    predicted = run.predict(table)
    assert list(predicted.index) == ["x", "y"]
    assert list(predicted["id"]) == [7, 8]
    assert set(predicted["prediction"]) <= {"praise", "blame"}


def test_evaluation_has_intervals_baselines_and_a_word_on_them(tiny_model: str, runs_dir: Path) -> None:
    report = fit(tiny_model, test=DATA.iloc[::3]).evaluate()
    accuracy = report.metrics["accuracy"]
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert len(report.baselines) >= 2
    assert report.frame is not None
    right = (report.frame["gold"] == report.frame["prediction"]).mean()
    assert accuracy.value == pytest.approx(right)
    assert {"metric", "contender", "value", "low", "high"} == set(report.to_frame().columns)
    assert json.loads(report.to_json())["metrics"]["accuracy"]["value"] == accuracy.value
    for kind in ("text/html", "text/markdown", "text/plain"):
        assert "accuracy" in report._repr_mimebundle_()[kind]


def test_the_saved_report_reads_back_equal(tiny_model: str, runs_dir: Path) -> None:
    run = fit(tiny_model)
    saved = run.report
    assert saved is not None
    assert saved.metrics["accuracy"].value == run.metrics["accuracy"] == run.evaluate().metrics["accuracy"].value


def test_the_best_checkpoint_is_what_is_saved(tiny_model: str, runs_dir: Path) -> None:
    run = fit(tiny_model, epochs=4, learning_rate=3e-3)
    best = max(event.metrics["macro_f1"] for event in run.events() if isinstance(event, Evaluated))
    assert run.metrics["macro_f1"] == pytest.approx(best)
    assert list(run.history["macro_f1"].index) == [0, 1, 2, 3]


def test_all_runs_are_listed(tiny_model: str, runs_dir: Path) -> None:
    assert nbtune.runs().empty
    fit(tiny_model, epochs=1)
    (runs_dir / "broken").mkdir()
    (runs_dir / "broken" / "spec.toml").write_text("= nonsense")
    table = nbtune.runs().set_index("name")
    assert table.loc["first", "status"] == "finished"
    assert table.loc["first", "headline"] == "macro_f1"
    assert "damaged" in table.loc["broken", "status"]


def test_a_taken_name_is_said_before_the_data_is_read(tiny_model: str, runs_dir: Path) -> None:
    fit(tiny_model, epochs=1)
    with pytest.raises(RunError, match="there is already a run named 'first'"):
        fit(tiny_model, data="no such file.csv")
    assert fit(tiny_model, epochs=1, overwrite=True).status == "finished"


def test_a_length_beyond_the_model_is_refused_and_nothing_is_written(tiny_model: str, runs_dir: Path) -> None:
    with pytest.raises(SpecError, match="takes 128 tokens at most"):
        fit(tiny_model, max_length=1000)
    assert not runs_dir.exists()


def test_stop_keeps_a_usable_model(tiny_model: str, runs_dir: Path) -> None:
    control = Control()
    seen = Recorder(lambda event: control.stop() if isinstance(event, Stepped) and event.step == 2 else None)
    run = fit(tiny_model, control=control, watchers=[seen])
    assert run.status == "stopped"
    assert seen.of(Ended)[0].step == 2
    assert len(run.predict(["good"])) == 1


def test_an_interrupt_stops_keeps_the_model_and_gives_the_key_back(tiny_model: str, runs_dir: Path) -> None:
    before = signal.getsignal(signal.SIGINT)

    def press(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    run = fit(tiny_model, watchers=[Recorder(press)])
    assert run.status == "stopped"
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_raises(tiny_model: str, runs_dir: Path) -> None:
    def press(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 1:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(tiny_model, watchers=[Recorder(press)])


def test_training_works_in_a_thread(tiny_model: str, runs_dir: Path) -> None:
    done: list[nbtune.Run] = []
    thread = threading.Thread(target=lambda: done.append(fit(tiny_model, epochs=1)))
    thread.start()
    thread.join()
    assert done[0].status == "finished"


def test_a_stopped_run_goes_on_and_ends_where_it_would_have(tiny_model: str, runs_dir: Path) -> None:
    whole = fit(tiny_model, name="whole")
    control = Control()
    seen = Recorder(lambda event: control.stop() if isinstance(event, Stepped) and event.step == 3 else None)
    cut = fit(tiny_model, name="cut", control=control, watchers=[seen])
    again = resume(cut)
    assert again.status == "finished"
    assert [e.loss for e in whole.events() if isinstance(e, Stepped)] == [
        e.loss for e in again.events() if isinstance(e, Stepped)
    ]
    assert again.metrics == whole.metrics
    with pytest.raises(RunError, match="has finished"):
        again.resume()


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tiny_model: str, runs_dir: Path) -> None:
    control = Control()
    seen = Recorder(lambda event: control.stop() if isinstance(event, Stepped) and event.step == 6 else None)
    run = fit(tiny_model, control=control, watchers=[seen], checkpoint_every=2)
    newest = sorted((run.folder / "checkpoints").glob("step-*"))[-1]
    (newest / "weights.safetensors").write_bytes(b"junk")
    again = Recorder()
    assert resume(run, watchers=[again]).status == "finished"
    assert again.of(Stepped)[0].step == 5
    assert any("damaged checkpoint was passed over" in getattr(event, "message", "") for event in again.events)


def test_a_failed_run_says_so_and_keeps_its_best_model(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    from nbtune.tasks.heads import SequenceHead

    taken, original = [0], SequenceHead.loss

    def loss(head: Any, batch: Any) -> torch.Tensor:
        taken[0] += 1
        value = original(head, batch)
        return value * float("nan") if taken[0] == 7 else value

    monkeypatch.setattr(SequenceHead, "loss", loss)
    with pytest.raises(TrainingError, match="the loss became nan at step 7, on training rows"):
        fit(tiny_model)
    run = nbtune.load("first")
    assert run.status == "failed"
    assert len(run.predict(["good"])) == 1


def test_memory_that_runs_out_is_told_with_a_remedy(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    from nbtune.tasks.heads import SequenceHead

    def loss(head: Any, batch: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")

    monkeypatch.setattr(SequenceHead, "loss", loss)
    with pytest.raises(TrainingError, match="memory ran out with batch_size = 8") as caught:
        fit(tiny_model)
    assert "batch_size = 4 with accumulate = 2" in caught.value.hint
    with pytest.raises(ModelError, match="has no saved model"):
        nbtune.load("first").predict(["good"])


def test_a_run_that_is_not_there_is_not_invented(runs_dir: Path) -> None:
    with pytest.raises(RunError, match="there is no run 'nope'"):
        nbtune.load("nope")


def test_an_unknown_action_gets_the_nearest(tiny_model: str, runs_dir: Path) -> None:
    run = fit(tiny_model, epochs=1)
    with pytest.raises(AttributeError, match="did you mean 'evaluate'"):
        run.evalute  # noqa: B018  # the access is the test


@pytest.mark.parametrize(
    "settings",
    [
        {"lora": {"rank": 4}},
        {"lora": {"rank": 4, "merge": False}},
        {"freeze": 1},
        {"freeze": "base"},
        {"optimizer": "sgd", "schedule": "cosine"},
        {"class_weights": "balanced", "label_smoothing": 0.1, "accumulate": 2},
    ],
    ids=str,
)
def test_every_way_of_adapting_trains_saves_and_reloads(
    tiny_model: str, runs_dir: Path, settings: dict[str, Any]
) -> None:
    run = fit(tiny_model, epochs=1, **settings)
    before = run.predict(["good", "bad"])
    run.free()
    pd.testing.assert_frame_equal(nbtune.load("first").predict(["good", "bad"]), before, atol=1e-5)


def test_two_kept_checkpoints_at_most(tiny_model: str, runs_dir: Path) -> None:
    seen = Recorder()
    run = fit(tiny_model, checkpoint_every=1, watchers=[seen])
    assert len([event for event in seen.of(Saved) if event.kind == "checkpoint"]) > 2
    assert len(list((run.folder / "checkpoints").glob("step-*"))) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": 99}, "freeze = 99, but the model has 2 layers"),
        ({"precision": "fp16", "device": "cpu"}, "'fp16' trains on CUDA and MPS only"),
        ({"device": "abacus"}, "there is no device 'abacus'"),
        ({"class_weights": {"prase": 2.0}}, "class_weights names an unknown label 'prase'"),
        ({"lora": {"targets": ["quary"]}}, "LoRA finds no module named quary"),
    ],
    ids=str,
)
def test_what_only_the_model_can_tell_is_refused_and_the_name_stays_free(
    tiny_model: str, runs_dir: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        fit(tiny_model, **settings)
    assert nbtune.runs().empty
    assert list(runs_dir.iterdir()) == []
