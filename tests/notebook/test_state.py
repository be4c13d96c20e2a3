"""Folding events into where a run stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nbtune.events import Ended, Evaluated, Event, Paused, Preparing, Resumed, Started, Stepped
from nbtune.notebook.state import RunState

Story = Callable[..., list[Event]]


def test_a_whole_run_ends_with_its_best_score(story: Story) -> None:
    state = RunState.of(story(steps=6))
    assert state.status == "finished"
    assert (state.step, len(state.losses), len(state.evaluations)) == (6, 6, 2)
    assert state.best is not None
    assert state.best.metrics["entity_f1"] == 0.75
    assert state.seconds_left is None


def test_the_status_follows_the_events(story: Story) -> None:
    events = story(steps=6)
    seen = []
    state = RunState()
    for event in (
        Preparing(stage="encoding", done=1, total=2),
        events[0],
        events[1],
        events[2],
        Preparing(stage="evaluating", done=1, total=2),
        events[3],
        Paused(step=2, time=0.0),
        Resumed(step=2, time=0.0),
        events[-1],
    ):
        state.absorb(event)
        seen.append(state.status)
    assert seen == [
        "preparing", "preparing", "training", "training", "evaluating", "training", "paused", "training", "finished",
    ]  # fmt: skip


def test_time_left_comes_from_the_steps_and_not_from_the_evaluations(story: Story) -> None:
    started = story(steps=100)[1]
    state = RunState.of([started, *(step(n, n * 2.0) for n in range(1, 6))])
    assert state.seconds_left == pytest.approx(95 * 2.0)
    state.absorb(Evaluated(step=5, epoch=1, metrics={"f1": 0.5}, headline="f1", best=True, seconds=30.0))
    state.absorb(step(6, 42.0))
    state.absorb(step(7, 44.0))
    # 93 steps of 2 s, and an evaluation of 30 s every 7 steps
    assert state.seconds_left == pytest.approx(93 * 2.0 + 93 / 7 * 30)
    assert state.tokens_per_second == pytest.approx(50.0)


def test_a_resumed_run_forgets_what_it_repeats(story: Story) -> None:
    events = story(steps=6)
    started = events[1]
    assert isinstance(started, Started)
    again = replace(started, step=3)
    state = RunState.of([*events, again])
    assert state.status == "training"
    assert [at for at, _ in state.losses] == [1.0, 2.0, 3.0]
    assert [each.step for each in state.evaluations] == [3]


def test_a_million_steps_keep_a_bounded_curve_with_its_spike(story: Story) -> None:
    state = RunState.of(story(steps=6)[:2])
    for number in range(1, 30_001):
        state.absorb(step(number, float(number), loss=99.0 if number == 12_345 else 1.0))
    assert len(state.losses) <= 4000
    assert (12_345.0, 99.0) in state.losses
    assert state.losses[-1][0] == 30_000.0


def test_steps_without_a_loss_count_as_steps_only(story: Story) -> None:
    state = RunState.of([*story(steps=6)[:2], step(1, 1.0, loss=None)])
    assert (state.step, state.losses) == (1, [])


def test_a_run_that_failed_before_its_start_says_so() -> None:
    state = RunState.of([Ended(status="failed", step=0, reason="no memory", seconds=1.0)])
    assert state.status == "failed"


def step(number: int, seconds: float, loss: float | None = 1.0) -> Stepped:
    return Stepped(step=number, epoch=0.0, learning_rate=1e-4, tokens=100, examples=5, seconds=seconds, loss=loss)
