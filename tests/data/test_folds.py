"""Every example is held out once, with its copies, and the folds look alike."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nbtune.data.folds import fold_of
from nbtune.errors import SpecError
from nbtune.tasks.registry import registry
from nbtune.values import Example

TASK = registry().task("classification")


def test_folds_are_of_one_size_and_keep_the_proportions_of_labels() -> None:
    examples = [Example({"text": f"text {n}"}, "rare" if n % 10 == 0 else "usual", n) for n in range(203)]
    folds = fold_of(TASK, examples, 5)
    assert sorted(Counter(folds.tolist()).values()) == [40, 40, 41, 41, 41]
    rare = Counter(fold for fold, example in zip(folds.tolist(), examples, strict=True) if example.target == "rare")
    assert set(rare.values()) <= {4, 5}
    assert len(rare) == 5


def test_copies_and_groups_are_held_out_together() -> None:
    examples = [Example({"text": f"text {n % 30}"}, "a", n) for n in range(60)]
    folds = fold_of(TASK, examples, 4)
    assert (folds[:30] == folds[30:]).all()
    grouped = [Example({"text": f"text {n}"}, "a", n, f"user {n % 7}") for n in range(70)]
    by_group = fold_of(TASK, grouped, 3).reshape(10, 7)
    assert (by_group == by_group[0]).all()


def test_the_seed_decides() -> None:
    examples = [Example({"text": f"text {n}"}, "ab"[n % 2], n) for n in range(50)]
    assert np.array_equal(fold_of(TASK, examples, 5, seed=1), fold_of(TASK, examples, 5, seed=1))
    assert not np.array_equal(fold_of(TASK, examples, 5, seed=1), fold_of(TASK, examples, 5, seed=2))


@pytest.mark.parametrize(("texts", "folds"), [(10, 1), (10, 0), (3, 4), (1, 2), (0, 2)])
def test_folds_that_cannot_be_filled_are_refused(texts: int, folds: int) -> None:
    with pytest.raises(SpecError, match=f"folds = {folds}, where there are"):
        fold_of(TASK, [Example({"text": f"text {n % max(texts, 1)}"}, "a", n) for n in range(2 * texts)], folds)
