"""The generator of events: what it yields, and that what it learns is exactly repeatable."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from typing import Any

import pytest
import torch

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.errors import TrainingError
from nbtune.events import Adjusted, Ended, Evaluated, Event, Paused, Preparing, Resumed, Started, Stepped
from nbtune.tasks.head import Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.metrics import Metric, MetricSet, Scored, mean
from nbtune.tasks.pretrained import pretrained
from nbtune.training.checkpoints import read_checkpoint, write_checkpoint
from nbtune.training.devices import choose_device
from nbtune.training.job import Job, LoopSettings
from nbtune.training.loop import train
from nbtune.values import Example, Inventory

WORDS = ["good", "fine", "bad", "poor", "lovely day", "awful long and dreary evening", "nice", "dull"]
EXAMPLES = [
    Example({"text": f"{word} {extra}"}, "pos" if i % 2 == 0 or word == "nice" else "neg", row=i)
    for i, (word, extra) in enumerate((w, e) for w in WORDS for e in ("film", "meal and a walk", "book"))
]
METRICS = MetricSet(
    ("right", "count"), lambda e, p: (float(p == e.target), 1), (Metric("accuracy", mean(0, 1)),), "accuracy"
)


def make_job(
    tiny_model: str, control: Control | None = None, scores: list[float] | None = None, **settings: Any
) -> Job:
    torch.manual_seed(0)
    inventory = Inventory(labels=("neg", "pos"), counts={"neg": 12, "pos": 12})
    head = SequenceHead(pretrained(tiny_model), inventory, Recipe(max_length=32))
    queue = iter(scores or [])

    def evaluate() -> Generator[Preparing, None, Scored]:
        yield Preparing(stage="evaluating", done=1, total=1)
        return Scored({"accuracy": next(queue)}, {})

    torch.manual_seed(1)
    return Job(
        run="t",
        task="t",
        model="tiny",
        head=head,
        features=FeatureSet.build(head.encode(EXAMPLES, training=True)),
        device=choose_device("cpu"),
        settings=LoopSettings(**{"epochs": 2, "batch_size": 4, "learning_rate": 1e-3, **settings}),
        control=control or Control(),
        metrics=METRICS,
        evaluate=evaluate if scores is not None else None,
        rows=[100 + example.row for example in EXAMPLES],
    )


def of(kind: type, events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_a_run_starts_steps_and_ends_in_that_order(tiny_model: str) -> None:
    events = list(train(make_job(tiny_model)))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Ended)
    assert events[-1].status == "finished"
    assert [event.step for event in of(Stepped, events)] == list(range(1, 13))
    assert all(math.isfinite(event.loss) for event in of(Stepped, events))
    assert of(Stepped, events)[-1].epoch == 2


def test_training_lowers_the_loss(tiny_model: str) -> None:
    steps = of(Stepped, list(train(make_job(tiny_model, epochs=30, warmup=0))))
    first, last = (sum(step.loss for step in part) / 6 for part in (steps[:6], steps[-6:]))
    assert last < first / 2


def test_the_same_seed_gives_the_same_events_and_weights(tiny_model: str) -> None:
    losses, weights = [], []
    for _ in range(2):
        job = make_job(tiny_model)
        losses.append([event.loss for event in of(Stepped, list(train(job)))])
        weights.append(job.weights())
    assert losses[0] == losses[1]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_another_seed_gives_other_batches(tiny_model: str) -> None:
    losses = [[e.loss for e in of(Stepped, list(train(make_job(tiny_model, seed=seed))))] for seed in (0, 1)]
    assert losses[0] != losses[1]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("kill_after", [1, 5, 6, 9])
def test_a_run_resumed_from_any_step_ends_with_bit_equal_weights(
    tiny_model: str, tmp_path: Any, optimizer: str, kill_after: int
) -> None:
    whole = make_job(tiny_model, optimizer=optimizer, scores=[0.5, 0.6])
    list(train(whole))
    cut = make_job(tiny_model, optimizer=optimizer, scores=[0.5, 0.6])
    for event in train(cut):
        if isinstance(event, Stepped) and event.step == kill_after:
            path = write_checkpoint(tmp_path, f"step-{event.step:08d}", cut.snapshot())
            break
    scores = [0.6] if cut.state.best or kill_after > 6 else [0.5, 0.6]
    again = make_job(tiny_model, optimizer=optimizer, scores=scores)
    torch.manual_seed(999)
    again.restore(read_checkpoint(path))
    events = list(train(again))
    assert of(Stepped, events)[0].step == kill_after + 1
    assert events[-1].best == {"accuracy": 0.6}
    assert all(torch.equal(whole.weights()[name], again.weights()[name]) for name in whole.weights())


def test_accumulated_micro_batches_make_the_same_step_as_one_large_batch(tiny_model: str) -> None:
    jobs = [
        make_job(tiny_model, batch_size=12, accumulate=1, length_grouping=False),
        make_job(tiny_model, batch_size=3, accumulate=4, length_grouping=False),
    ]
    for job in jobs:
        for module in job.head.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        list(train(job))
    assert jobs[0].state.step == jobs[1].state.step == 4
    for name, weight in jobs[0].weights().items():
        torch.testing.assert_close(weight, jobs[1].weights()[name], rtol=1e-3, atol=1e-5)


def test_patience_ends_the_run_and_remembers_the_best(tiny_model: str) -> None:
    job = make_job(tiny_model, scores=[0.7, 0.6, 0.5, 0.4], epochs=4, patience=2)
    events = list(train(job))
    assert len(of(Evaluated, events)) == 3
    assert events[-1].status == "finished"
    assert "no better accuracy in 2 evaluations" in events[-1].reason
    assert events[-1].best_step == 6


def test_evaluation_every_n_steps_and_at_the_end(tiny_model: str) -> None:
    events = list(train(make_job(tiny_model, scores=[0.1] * 9, evaluate_every=5)))
    assert [event.step for event in of(Evaluated, events)] == [5, 10, 12]


def test_stop_ends_after_the_current_step(tiny_model: str) -> None:
    control = Control()
    events: list[Event] = []
    for event in train(make_job(tiny_model, control)):
        events.append(event)
        if isinstance(event, Stepped) and event.step == 3:
            control.stop()
    assert events[-1].status == "stopped"
    assert events[-1].step == 3


def test_pause_waits_and_resume_goes_on(tiny_model: str) -> None:
    control = Control()
    control.pause()
    events = train(make_job(tiny_model, control))
    assert isinstance(next(events), Started)
    assert isinstance(next(events), Paused)
    control.resume()
    assert isinstance(next(events), Resumed)
    assert isinstance(next(events), Stepped)


def test_a_changed_learning_rate_is_in_force_at_the_next_step_and_in_the_log(tiny_model: str) -> None:
    control = Control()
    events = train(make_job(tiny_model, control, schedule="constant", warmup=0))
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if isinstance(event, Stepped) and event.step == 2:
            control.set_learning_rate(5e-4)
    adjusted = of(Adjusted, seen)
    assert [(event.step, event.old, event.new) for event in adjusted] == [(2, 1e-3, 5e-4)]
    rates = [event.learning_rate for event in of(Stepped, seen)]
    assert rates[:3] == pytest.approx([1e-3, 1e-3, 5e-4])


def test_a_loss_that_is_not_a_number_names_step_rows_and_remedy(tiny_model: str) -> None:
    job = make_job(tiny_model, learning_rate=5e-3)
    steps: Iterator[Event] = train(job)
    for event in steps:
        if isinstance(event, Stepped) and event.step == 2:
            with torch.no_grad():
                next(p for p in job.head.model.parameters() if p.requires_grad).fill_(float("nan"))
            break
    with pytest.raises(TrainingError) as caught:
        list(steps)
    assert "the loss became nan at step 3, on training rows 1" in caught.value.message
    assert "learning_rate = 0.0005" in caught.value.hint


def test_biases_and_norms_do_not_decay(tiny_model: str) -> None:
    job = make_job(tiny_model)
    decays = {id(p): group["weight_decay"] for group in job.optimizer.param_groups for p in group["params"]}
    for name, parameter in job.head.model.named_parameters():
        if not parameter.requires_grad:  # rows of the vocabulary that the data never uses
            continue
        spared = name.endswith("bias") or "LayerNorm" in name
        assert decays[id(parameter)] == (0.0 if spared else 0.01), name


def test_warmup_then_linear_decay(tiny_model: str) -> None:
    rates = [e.learning_rate for e in of(Stepped, list(train(make_job(tiny_model, warmup=4))))]
    assert rates[:5] == pytest.approx([0.0, 2.5e-4, 5e-4, 7.5e-4, 1e-3])
    assert rates[-1] == pytest.approx(1e-3 / 8)
