from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from nbtune.data.splits import split
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Example, Part


def examples(labels: Sequence[str | list[str]], groups: Sequence[str] | None = None) -> list[Example]:
    return [
        Example({"text": f"text {row}"}, label, row=row, group=groups[row] if groups else None)
        for row, label in enumerate(labels)
    ]


def rows(chosen: Sequence[Example]) -> list[int]:
    return [example.row for example in chosen]


def test_parts_are_disjoint_complete_and_in_order(toy: Task) -> None:
    data = examples(["a", "b"] * 500)
    parts, words = split(toy, data, {"validation": 0.1, "test": 0.2}, seed=3)
    assert {part: len(chosen) for part, chosen in parts.items()} == {"train": 700, "validation": 100, "test": 200}
    assert sorted(row for chosen in parts.values() for row in rows(chosen)) == list(range(1000))
    assert all(rows(chosen) == sorted(rows(chosen)) for chosen in parts.values())
    assert words == (
        "10% for validation and 20% for test taken from the training data, stratified, duplicates kept together, seed 3"
    )


def test_labels_keep_their_proportions(toy: Task) -> None:
    data = examples(random.Random(0).choices(["a", "b", "c"], [0.7, 0.25, 0.05], k=2000))
    total = Counter(example.target for example in data)
    parts, _ = split(toy, data, {"validation": 0.1})
    taken = Counter(example.target for example in parts["validation"])
    assert all(abs(taken[label] - total[label] / 10) <= 1 for label in total)


def test_many_rare_labels_still_fill_the_part(toy: Task) -> None:
    data = examples([f"intent {row % 77}" for row in range(77 * 5)])
    parts, _ = split(toy, data, {"validation": 0.1})
    assert len(parts["validation"]) == pytest.approx(38, abs=2)
    assert len({example.target for example in parts["train"]}) == 77


def test_the_seed_decides(toy: Task) -> None:
    data = examples(["a", "b"] * 100)
    first, again, other = (split(toy, data, {"validation": 0.2}, seed)[0]["validation"] for seed in (1, 1, 2))
    assert rows(first) == rows(again) != rows(other)


def test_duplicates_and_groups_stay_together_also_through_each_other(toy: Task) -> None:
    chance = random.Random(5)
    data = [
        Example({"text": f" Text {chance.randint(0, 3000)}"}, chance.choice("ab"), row=row, group=f"g{row % 90}")
        for row in range(300)
    ]
    for seed in range(5):
        parts, _ = split(toy, data, {"validation": 0.3}, seed)
        train, validation = parts["train"], parts["validation"]
        assert not {toy.identity(example) for example in train} & {toy.identity(example) for example in validation}
        assert not {example.group for example in train} & {example.group for example in validation}


def test_groups_alone_stay_together_and_the_share_is_kept(toy: Task) -> None:
    data = examples(["a", "b", "b"] * 200, groups=[f"writer {row // 10}" for row in range(600)])
    parts, _ = split(toy, data, {"validation": 0.2})
    assert len(parts["validation"]) == 120
    assert not {example.group for example in parts["train"]} & {example.group for example in parts["validation"]}


@pytest.mark.parametrize("seed", range(10))
def test_a_class_with_one_example_stays_in_train(toy: Task, seed: int) -> None:
    data = examples(["a"] * 30 + ["b"] * 30 + ["once"])
    parts, _ = split(toy, data, {"validation": 0.3}, seed)
    assert 60 in rows(parts["train"])
    assert len(parts["validation"]) == pytest.approx(18, abs=1)


def test_every_label_of_a_multi_label_task_is_learned(toy_class: type[Task]) -> None:
    class Multi(toy_class):
        def labels_of(self, example: Example) -> Sequence[str]:
            return example.target

    chance = random.Random(6)
    data = examples([chance.sample([f"l{number}" for number in range(40)], k=3) for _ in range(120)])
    for seed in range(5):
        parts, _ = split(Multi(), data, {"validation": 0.2}, seed)
        learned = {label for example in parts["train"] for label in example.target}
        assert {label for example in parts["validation"] for label in example.target} <= learned
        assert 12 <= len(parts["validation"]) <= 26


def test_small_data_gives_at_least_one_example(toy: Task) -> None:
    parts, _ = split(toy, examples(["a", "a", "b", "b"]), {"validation": 0.1})
    assert len(parts["validation"]) == 1


@pytest.mark.parametrize("labels", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_too_little_data_is_refused(toy: Task, labels: list[str]) -> None:
    with pytest.raises(DataError, match=r"training rows? (is|are) too few to set some aside for validation") as caught:
        split(toy, examples(labels), {"validation": 0.1})
    assert 'validation = "..."' in caught.value.hint


def test_a_single_group_cannot_be_split(toy: Task) -> None:
    with pytest.raises(DataError, match="all 20 training rows are tied together as duplicates or by their group"):
        split(toy, examples(["a", "b"] * 10, groups=["one"] * 20), {"validation": 0.1})


def test_a_task_that_splits_by_itself_goes_first(toy_class: type[Task]) -> None:
    class InOrder(toy_class):
        def split(
            self, examples: Sequence[Example], fractions: Mapping[Part, float], seed: int
        ) -> dict[Part, Sequence[Example]]:
            return {"train": examples[:2], "validation": examples[2:]}

    parts, words = split(InOrder(), examples(["a", "b", "c"]), {"validation": 0.1})
    assert (rows(parts["train"]), rows(parts["validation"])) == ([0, 1], [2])
    assert words == "split by the task 'toy' itself"
    with pytest.raises(DataError, match="too few to set some aside for validation"):
        split(InOrder(), examples(["a", "b"]), {"validation": 0.1})
