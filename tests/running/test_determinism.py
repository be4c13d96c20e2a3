"""The same spec and data on the same machine: the same events, bit for bit."""

from __future__ import annotations

import os
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import nbtune
from nbtune.control import Control
from nbtune.errors import TrainingError
from nbtune.events import Event, Started, Stepped
from nbtune.tasks.heads import SequenceHead

DATA = pd.DataFrame([{"text": f"{word} {thing}", "label": word} for word in ("good", "bad") for thing in "abcdefghij"])


def fit(tiny_model: str, name: str, **settings: Any) -> nbtune.Run:
    given = {"data": DATA, "epochs": 2, "batch_size": 4, "checkpoint_every": 3, "watchers": [], **settings}
    return nbtune.finetune("classification", model=tiny_model, name=name, learning_rate=1e-3, **given)


def story(run: nbtune.Run, *left_out: type) -> list[dict[str, Any]]:
    varying = {"seconds", "time", "run"}
    return [
        {key: value for key, value in asdict(event).items() if key not in varying}
        for event in run.events()
        if not isinstance(event, left_out)
    ]


def weights(run: nbtune.Run) -> bytes:
    return (run.model_path / "model.safetensors").read_bytes()


def noisy_loss(original: Any) -> Any:
    """A head that draws from python's and numpy's generators, as a plugin may."""

    def loss(head: Any, batch: Any) -> torch.Tensor:
        return original(head, batch) * (0.5 + random.random()) * (0.5 + float(np.random.rand()))

    return loss


def test_two_runs_tell_the_same_whatever_was_drawn_before(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(SequenceHead, "loss", noisy_loss(SequenceHead.loss))
    first = fit(tiny_model, "first")
    random.random(), np.random.rand(7), torch.rand(7)
    second = fit(tiny_model, "second")
    assert story(first) == story(second)
    assert weights(first) == weights(second)
    assert story(fit(tiny_model, "third", seed=1)) != story(first)


def test_every_generator_goes_on_where_it_was(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(SequenceHead, "loss", noisy_loss(SequenceHead.loss))
    whole = fit(tiny_model, "whole")
    control = Control()

    class StopsAtFour:
        def on_event(self, event: Event) -> None:
            if isinstance(event, Stepped) and event.step == 4:
                control.stop()

    cut = fit(tiny_model, "cut", control=control, watchers=[StopsAtFour()])
    random.seed(99), np.random.seed(99), torch.manual_seed(99)
    again = cut.resume()
    assert weights(again) == weights(whole)
    losses = [[event.loss for event in run.events() if isinstance(event, Stepped)] for run in (whole, again)]
    assert losses[0] == losses[1]


def test_deterministic_holds_while_training_and_not_after(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    seen: list[Any] = []

    class Looks:
        def on_event(self, event: Event) -> None:
            if isinstance(event, (Started, Stepped)):
                seen.append((torch.are_deterministic_algorithms_enabled(), os.environ.get("CUBLAS_WORKSPACE_CONFIG")))

    plain = fit(tiny_model, "plain", watchers=[Looks()])
    assert set(seen) == {(False, None)}
    seen.clear()
    strict = fit(tiny_model, "strict", watchers=[Looks()], deterministic=True)
    assert set(seen) == {(True, ":4096:8")}
    assert (torch.are_deterministic_algorithms_enabled(), os.environ.get("CUBLAS_WORKSPACE_CONFIG")) == (False, None)
    assert story(strict) == story(plain)
    assert weights(strict) == weights(plain)


def test_an_operation_without_a_deterministic_way_is_named(tiny_model: str, runs_dir: Path, monkeypatch: Any) -> None:
    def loss(head: Any, batch: Any) -> torch.Tensor:
        raise RuntimeError("scatter_cuda_ does not have a deterministic implementation, but you set ...")

    monkeypatch.setattr(SequenceHead, "loss", loss)
    with pytest.raises(TrainingError, match="deterministic = true, but on this device scatter_cuda_ gives other"):
        fit(tiny_model, "strict", deterministic=True)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_deterministic_tells_the_same_on_cuda(tiny_model: str, runs_dir: Path) -> None:
    runs = [fit(tiny_model, name, deterministic=True, device="cuda", epochs=4) for name in ("first", "second")]
    assert story(runs[0]) == story(runs[1])
    assert weights(runs[0]) == weights(runs[1])
