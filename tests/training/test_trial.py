"""Trial steps: they are of the real loop, and stand for the epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbtune.notebook.inspection import inspect
from nbtune.training import trial


@pytest.fixture
def uneven() -> pd.DataFrame:
    """Many short texts and a few long ones, so that a step may cost twenty times another."""
    rows = [("word " * (100 if n % 25 == 0 else 4) + f"end{n}", "ab"[n % 2]) for n in range(200)]
    return pd.DataFrame(rows, columns=["text", "label"])


@pytest.mark.parametrize("settings", [{}, {"accumulate": 3}, {"freeze": 1}, {"length_grouping": True}])
def test_the_time_of_all_steps_is_extrapolated_by_their_cost(
    uneven: pd.DataFrame, tiny_model: str, runs_dir: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    kept: list[trial.TrialSteps] = []

    def take(self: trial.TrialSteps, events: Any, place: int) -> float:
        """A clock that goes by the tokens of a step, so that the right answer is known."""
        real(self, events, place)
        kept.append(self)
        return float(self.costs[place]) / 1000

    real = trial.TrialSteps._take
    monkeypatch.setattr(trial.TrialSteps, "_take", take)
    found = inspect("classification", uneven, model=tiny_model, epochs=3, batch_size=4, **settings)
    assert found.estimates is not None
    steps = kept[0]
    assert found.estimates.stages["training"] == pytest.approx(3 * steps.costs.sum() / 1000)
    assert found.estimates.steps == 3 * len(steps.starts)
    assert steps.job.state.step == found.estimates.measured  # each was a step of the loop
    assert steps.costs.sum() == pytest.approx(steps.job.lengths.sum())
    assert np.ptp(steps.costs) > 0


def test_the_other_seeds_take_as_long_each(uneven: pd.DataFrame, tiny_model: str, runs_dir: Path) -> None:
    found = inspect("classification", uneven, model=tiny_model, epochs=1, seeds=4).estimates
    assert found is not None
    assert found.stages["the other seeds"] == pytest.approx(0.75 * (found.seconds - found.stages["reading the data"]))


def test_examples_that_take_long_to_encode_are_stood_for_by_some(
    tiny_model: str, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbtune.running.estimates._ENCODING", 0.0)
    rows = pd.DataFrame([(f"a short text {n}", "ab"[n % 2]) for n in range(1500)], columns=["text", "label"])
    found = inspect("classification", rows, model=tiny_model, epochs=1, batch_size=16)
    assert found.estimates is not None
    assert found.estimates.steps == pytest.approx(1350 / 16, abs=1)  # of which 1000 examples were encoded


def test_a_loss_that_is_not_finite_is_a_finding_and_no_crash(
    uneven: pd.DataFrame, tiny_model: str, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from nbtune.tasks.heads import SequenceHead

    monkeypatch.setattr(SequenceHead, "loss", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    found = inspect("classification", uneven, model=tiny_model)
    assert found.estimates is None
    assert any("the loss became nan at step 1" in each.message and each.remedy for each in found.findings)


def test_memory_counts_what_a_few_steps_do_not_show(
    uneven: pd.DataFrame, tiny_model: str, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peaks are given, so that what comes on top of them is known: the best weights, and of a long run a checkpoint
    with its two moments."""
    peaks = iter([5_000_000, 1_000_000, 1_000_000] * 2)
    monkeypatch.setattr("nbtune.running.resident.peak", lambda: next(peaks))
    monkeypatch.setattr("nbtune.running.resident.resident", lambda: 1_000_000)
    short, long = (
        inspect("classification", uneven, model=tiny_model, epochs=1, batch_size=4, checkpoint_every=every).estimates
        for every in (1000, 1)
    )
    assert short is not None
    assert long is not None
    assert short.memory is not None
    assert long.memory is not None
    weights = short.memory - 5_000_000
    assert weights > 0
    assert long.memory - 5_000_000 == pytest.approx(4 * weights, rel=0.1)  # best, copy, and its moments
    assert next(peaks, None) is None


def test_memory_is_that_of_the_report_where_it_takes_more(
    uneven: pd.DataFrame, tiny_model: str, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = iter([5_000_000, 90_000_000, 80_000_000])
    monkeypatch.setattr("nbtune.running.resident.peak", lambda: next(peaks))
    monkeypatch.setattr("nbtune.running.resident.resident", lambda: 60_000_000)
    found = inspect("classification", uneven, model=tiny_model, epochs=1, batch_size=4).estimates
    assert found is not None
    assert found.memory == 90_000_000  # all the training examples were learned from: nothing to extrapolate
