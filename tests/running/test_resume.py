"""Going on with a run: from the newest whole checkpoint, and only with what it learned from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import nbtune
from nbtune.control import Control
from nbtune.errors import RunError, SpecError
from nbtune.events import Ended, Event, Noted, Prepared, Saved, Started, Stepped
from nbtune.tasks.heads import SequenceHead
from nbtune.training.checkpoints import FORMAT

DATA = pd.DataFrame([{"text": f"{word} {thing}", "label": word} for word in ("good", "bad") for thing in "abcdefghij"])


class Watcher:
    """Remembers events, and acts at one of them."""

    def __init__(self, act: Any = None) -> None:
        self.events: list[Event] = []
        self.act = act

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        if self.act:
            self.act(event)

    def steps(self) -> list[int]:
        return [event.step for event in self.events if isinstance(event, Stepped)]

    def notes(self) -> str:
        return "\n".join(event.message for event in self.events if isinstance(event, Noted))


def fit(tiny_model: str, name: str = "first", **settings: Any) -> nbtune.Run:
    given = {"data": DATA, "epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "watchers": [], **settings}
    return nbtune.finetune("classification", model=tiny_model, name=name, **given)


def stopped(tiny_model: str, at: int = 5, **settings: Any) -> nbtune.Run:
    control = Control()
    watcher = Watcher(lambda event: control.stop() if isinstance(event, Stepped) and event.step == at else None)
    run = fit(tiny_model, control=control, watchers=[watcher], **{"checkpoint_every": 2, **settings})
    assert run.status == "stopped"
    return run


def weights(run: nbtune.Run) -> bytes:
    return (run.model_path / "model.safetensors").read_bytes()


def harm(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) // 2] if how == "cut" else content)


@pytest.mark.parametrize(
    ("part", "how"),
    [
        ("weights.safetensors", "flip"),
        ("weights.safetensors", "cut"),
        ("optimizer.safetensors", "flip"),
        ("best.safetensors", "flip"),
        ("state.json", "flip"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_and_the_end_is_the_same(
    tiny_model: str, runs_dir: Path, how: str, part: str
) -> None:
    whole, run = fit(tiny_model, "whole", evaluate_every=3), stopped(tiny_model, evaluate_every=3)
    harm(run.folder / "checkpoints" / "step-00000005" / part, how)
    watcher = Watcher()
    again = nbtune.finetune(resume="first", watchers=[watcher])
    assert watcher.steps()[0] == 5
    assert f"a damaged checkpoint was passed over: step-00000005: {part} differs from its digest" in watcher.notes()
    assert weights(again) == weights(whole)
    assert [event.step for event in again.events() if isinstance(event, Stepped)] == list(range(1, 11))
    assert not (run.folder / "checkpoints" / "step-00000005").exists()


def test_where_every_checkpoint_is_damaged_it_starts_again(tiny_model: str, runs_dir: Path) -> None:
    whole, run = fit(tiny_model, "whole"), stopped(tiny_model)
    for path in run.folder.glob("checkpoints/step-*"):
        harm(path / "weights.safetensors", "flip")
    watcher = Watcher()
    assert weights(run.resume(watchers=[watcher])) == weights(whole)
    assert watcher.steps() == list(range(1, 11))
    assert watcher.notes().count("passed over") == 2
    assert "training starts at the beginning" in watcher.notes()
    kinds = [type(event) for event in nbtune.load("first").events()]
    assert (kinds.count(Prepared), kinds.count(Started), kinds.count(Ended)) == (1, 1, 1)


def test_the_log_tells_each_step_once_also_after_a_line_cut_short(tiny_model: str, runs_dir: Path) -> None:
    run = stopped(tiny_model)
    with open(run.folder / "events.jsonl", "a", encoding="utf-8") as file:
        file.write('{"event": "Stepped", "step": 6, "ep')
    again = run.resume()
    told = list(again.events())
    assert [event.step for event in told if isinstance(event, Stepped)] == list(range(1, 11))
    assert [event.step for event in told if isinstance(event, Started)] == [0, 5]
    assert sum(isinstance(event, Ended) for event in told) == 1


def test_a_resume_after_the_last_step_only_finishes(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    whole = fit(tiny_model, "whole", patience=1, evaluate_every=2, learning_rate=1e-6)

    def conclude(*given: Any) -> None:
        raise RuntimeError("the power fails")

    with monkeypatch.context() as broken:
        broken.setattr(SequenceHead, "conclude", conclude)
        with pytest.raises(RuntimeError):
            fit(tiny_model, patience=1, evaluate_every=2, learning_rate=1e-6)
    watcher = Watcher()
    again = nbtune.load("first").resume(watchers=[watcher])
    assert watcher.steps() == []
    assert weights(again) == weights(whole)
    ends = [next(event for event in run.events() if isinstance(event, Ended)) for run in (whole, again)]
    assert ends[0].reason == ends[1].reason
    assert "no better" in ends[0].reason


def test_a_step_torn_by_an_interrupt_is_not_saved(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    whole = fit(tiny_model, "whole")
    taken, original = [0], SequenceHead.loss

    def loss(head: Any, batch: Any) -> torch.Tensor:
        value = original(head, batch)
        taken[0] += 1
        if taken[0] == 4:  # the second press of the key: random numbers were drawn, the step was not taken
            raise KeyboardInterrupt
        return value

    watcher = Watcher()
    with monkeypatch.context() as broken:
        broken.setattr(SequenceHead, "loss", loss)
        with pytest.raises(KeyboardInterrupt):
            fit(tiny_model, checkpoint_every=2, watchers=[watcher])
    again = Watcher()
    assert weights(nbtune.finetune(resume="first", watchers=[again])) == weights(whole)
    assert again.steps()[0] == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epochs": 9}, "the run 'first' cannot go on with epochs = 9 (it has 2)"),
        ({"learning_rate": 0.5, "seed": 3}, "learning_rate = 0.5 (it has 0.001), seed = 3 (it has 0)"),
        ({"lora": True}, "lora = {'rank': 8"),
        ({"name": "other"}, "cannot go on with name = 'other'"),
        ({"task": "ner"}, "the run 'first' learns 'classification', not 'ner'"),
        ({"data": DATA[:-2]}, "the train data is not what the run 'first' learned from: 18 examples then, 16 now"),
        ({"data": DATA.assign(text=DATA.text.str.replace("bad j", "bad z"))}, "the first row that differs is 19"),
    ],
    ids=str,
)
def test_what_differs_is_named_and_nothing_is_written(
    tiny_model: str, runs_dir: Path, given: dict[str, Any], words: str
) -> None:
    run = stopped(tiny_model)
    before = (run.folder / "events.jsonl").read_bytes()
    with pytest.raises(RunError) as caught:
        nbtune.finetune(resume="first", watchers=[], **given)
    assert words in caught.value.message
    assert caught.value.hint
    assert (run.folder / "events.jsonl").read_bytes() == before
    assert run.status == "stopped"


def test_what_is_the_same_or_harmless_may_be_said(tiny_model: str, runs_dir: Path) -> None:
    whole = fit(tiny_model, "whole")
    run = stopped(tiny_model)
    again = nbtune.finetune(
        "classification", data=DATA, epochs=2, name="first", resume=run, checkpoint_every=1, device="cpu", watchers=[]
    )
    assert weights(again) == weights(whole)
    saved = [event.step for event in again.events() if isinstance(event, Saved) and event.kind == "checkpoint"]
    assert saved == [2, 4, 5, 6, 7, 8, 9, 10, 10]  # the last one with its evaluation


def test_an_unknown_setting_and_overwriting_are_refused(tiny_model: str, runs_dir: Path) -> None:
    run = stopped(tiny_model)
    with pytest.raises(SpecError, match="there is no setting 'epoch' for the task"):
        run.resume(epoch=3)
    with pytest.raises(SpecError, match="overwrite = true removes it"):
        nbtune.finetune(resume=run, overwrite=True)
    with pytest.raises(SpecError, match="there is no task"):
        nbtune.finetune(data=DATA)
    with pytest.raises(SpecError, match="there is no data to learn from"):
        nbtune.finetune("ner")


def test_a_setting_changed_on_disk_is_named(tiny_model: str, runs_dir: Path) -> None:
    run = stopped(tiny_model)
    spec = (run.folder / "spec.toml").read_text()
    (run.folder / "spec.toml").write_text(spec.replace("learning_rate = 0.001", "learning_rate = 0.002"))
    with pytest.raises(RunError, match=r"since its checkpoint learning_rate changed from 0\.001 to 0\.002"):
        nbtune.load("first").resume()


def test_data_changed_on_disk_is_named(tiny_model: str, runs_dir: Path) -> None:
    run = stopped(tiny_model)
    shutil.copy(run.folder / "data" / "validation.parquet", run.folder / "data" / "train.parquet")
    with pytest.raises(RunError, match="the kept train data of the run 'first' was changed"):
        run.resume()
    (run.folder / "data" / "train.parquet").unlink()
    with pytest.raises(RunError, match="kept no data to go on with"):
        run.resume()


def test_another_base_model_is_named(tiny_model: str, runs_dir: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    run = stopped(str(base))
    early = json.loads((run.folder / "data.json").read_text())["base"]
    harm(base / "model.safetensors", "flip")
    with pytest.raises(RunError, match=f"since its checkpoint base changed from '{early}'"):
        run.resume()
    shutil.rmtree(run.folder / "checkpoints")
    with pytest.raises(RunError, match=f"base changed from '{early}'"):
        run.resume()


def test_a_model_that_is_built_otherwise_is_named(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    run = stopped(tiny_model)
    monkeypatch.setattr(SequenceHead, "extra_modules", lambda _: {"added": torch.nn.Linear(2, 2)})
    with pytest.raises(RunError, match=r"does not fit the model that is built now: added\.bias"):
        run.resume()


def test_another_format_of_checkpoints_is_named(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    run = stopped(tiny_model)
    monkeypatch.setattr("nbtune.training.checkpoints.FORMAT", FORMAT + 1)
    with pytest.raises(RunError, match=f"have another format {FORMAT}, this version reads {FORMAT + 1}"):
        run.resume()


def test_other_threads_are_no_obstacle_but_are_said(tiny_model: str, runs_dir: Path) -> None:
    run = stopped(tiny_model)
    path = run.folder / "checkpoints" / "step-00000005" / "state.json"
    content = json.loads(path.read_text())
    threads = content["state"]["environment"]["torch_threads"]
    content["state"]["environment"]["torch_threads"] = threads + 6
    _rewrite(path, json.dumps(content))
    watcher = Watcher()
    assert run.resume(watchers=[watcher]).status == "finished"
    assert f"since the checkpoint, torch_threads changed from {threads + 6} to {threads}" in watcher.notes()


def test_a_setting_that_came_later_is_no_difference(tiny_model: str, runs_dir: Path) -> None:
    run = stopped(tiny_model)
    path = run.folder / "checkpoints" / "step-00000005" / "state.json"
    content = json.loads(path.read_text())
    del content["state"]["made_of"]["settings"]["deterministic"]
    _rewrite(path, json.dumps(content))
    watcher = Watcher()
    assert run.resume(watchers=[watcher]).status == "finished"
    assert watcher.steps()[0] == 6


@pytest.mark.parametrize("log", ["", '{"event": "Prep'])
def test_a_run_killed_before_it_told_anything_begins(tiny_model: str, runs_dir: Path, log: str) -> None:
    whole, run = fit(tiny_model, "whole"), stopped(tiny_model, checkpoint_every=100)
    shutil.rmtree(run.folder / "checkpoints")
    shutil.rmtree(run.folder / "model")
    (run.folder / "events.jsonl").write_text(log)
    again = nbtune.finetune(resume="first", watchers=[])
    assert weights(again) == weights(whole)
    assert [type(event) for event in again.events()][:2] == [Prepared, Started]


def _rewrite(path: Path, text: str) -> None:
    """Change a part together with its digest."""
    import hashlib

    sums = path.with_name("SHA256SUMS")
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(text)
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(path.read_bytes()).hexdigest()))
