"""The model before fine-tuning is a rival that may be missing: that costs its line of the report, not the training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from nbtune_classification.task import Classification

import nbtune
from nbtune.errors import TrainingError
from nbtune.events import Preparing

NAME = "before fine-tuning"


def test_a_base_that_goes_while_training_fails_no_training(
    fit: Callable[..., nbtune.Run], tiny_model: str, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)

    class Cleaner:
        def on_event(self, event: Any) -> None:
            if isinstance(event, Preparing) and event.stage == "scoring":
                shutil.rmtree(base)

    run = fit(model=str(base), watchers=[Cleaner()])
    assert run.status == "finished"
    assert run.report is not None
    assert NAME not in run.report.baselines
    assert any(f"the model {NAME} is not here" in note for note in run.report.notes)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_no_memory_for_it_fails_no_training(
    error: Exception, fit: Callable[..., nbtune.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classification, "head", _failing(after=1, error=error))
    run = fit()
    assert run.status == "finished"
    assert run.report is not None
    assert NAME not in run.report.baselines
    assert "majority" in run.report.baselines
    assert any(f"memory ran out over the model {NAME}" in note for note in run.report.notes)


def test_another_fault_of_a_head_is_not_hidden(fit: Callable[..., nbtune.Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classification, "head", _failing(after=1, error=RuntimeError("sizes do not match")))
    with pytest.raises(RuntimeError, match="sizes do not match"):
        fit()


def test_memory_that_runs_out_without_a_word_is_explained(
    fit: Callable[..., nbtune.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classification, "head", _failing(after=0, error=MemoryError()))
    with pytest.raises(TrainingError, match="memory ran out with batch_size = 8: MemoryError"):
        fit()


def _failing(after: int, error: Exception) -> Callable[..., Any]:
    """`Classification.head`, which fails once it has made so many."""
    head, made = Classification.head, 0

    def make(self: Classification, *given: Any) -> Any:
        nonlocal made
        if made == after:
            raise error
        made += 1
        return head(self, *given)

    return make
