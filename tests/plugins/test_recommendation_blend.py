"""The final ranker's ingredients, and what it does with items nobody has liked yet."""

from __future__ import annotations

import numpy as np
import pytest
from nbtune_recommendation.blend import Case, Ingredients, fit_blend
from nbtune_recommendation.catalogue import Catalogue


def catalogue() -> Catalogue:
    """Items 0 to 3 are liked by the same users, 4 to 7 by others; nobody has met 8 and 9."""
    liked = {**{f"a{n}": [0, 1, 2, 3] for n in range(5)}, **{f"b{n}": [4, 5, 6, 7] for n in range(5)}}
    return Catalogue(
        ids=tuple("0123456789"),
        texts=("",) * 10,
        features={"minutes": [1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0], "kind": ["x", "y"] * 5},
        kinds={"minutes": "number", "kind": "category"},
        popularity=np.asarray([5.0] * 8 + [0.0] * 2),
        last=np.asarray([*range(8), np.nan, np.nan], dtype=float),
        liked=liked,
        rated={},
    )


def test_an_item_nobody_liked_is_mixed_like_known_items_of_a_like_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbtune_recommendation.blend.NEIGHBOURS", 2)
    ingredients = Ingredients(catalogue())
    match = np.asarray([0, 9, 8, 7, 1, 0.5, 0.4, 0.3, 8.5, 0.45], dtype=np.float32)
    column = ingredients.names.index("liked together")
    together = ingredients.of(match, [0], np.arange(10))[:, column]
    assert together[1:4] == pytest.approx([1, 1, 1])
    assert together[4:8] == pytest.approx([0, 0, 0, 0])
    assert together[8] == pytest.approx(1)  # between items 2 and 1 in its match
    assert together[9] == pytest.approx(0)  # between items 6 and 5


def test_mixing_all_items_equals_mixing_their_rows_and_the_parts_add_up() -> None:
    ingredients = Ingredients(catalogue())
    random = np.random.default_rng(0)
    match = random.standard_normal(10).astype(np.float32)
    weights = {name: float(weight) for name, weight in zip(ingredients.names, random.standard_normal(20), strict=False)}
    mixed = ingredients.mix(match, [0, 5], weights)
    rows = ingredients.of(match, [0, 5], np.arange(10))
    expected = rows @ np.asarray([weights[name] for name in ingredients.names])
    assert mixed == pytest.approx(expected, abs=1e-4)
    assert sum(ingredients.parts(match, [0, 5], 3, weights).values()) == pytest.approx(mixed[3], abs=1e-4)


def test_a_missing_number_counts_as_the_average() -> None:
    ingredients = Ingredients(catalogue())
    minutes = ingredients.of(np.zeros(10, np.float32), [0], np.arange(10))[:, ingredients.names.index("minutes")]
    assert minutes[2] == 0
    assert minutes[0] < 0 < minutes[9]


def test_signals_that_tell_nothing_are_not_mixed_in() -> None:
    ingredients = Ingredients(catalogue())
    random = np.random.default_rng(1)
    cases = []
    for _ in range(40):
        rows = random.standard_normal((30, len(ingredients.names)))
        rows[0, 0] = 3.0  # the match alone knows
        cases.append(Case(rows, np.asarray([0])))
    blend = fit_blend(cases, ingredients, k=10, seed=0)
    assert not blend.kept
    assert "ranked by the match alone" in blend.note


def test_a_signal_that_tells_all_is_mixed_in() -> None:
    ingredients = Ingredients(catalogue())
    random = np.random.default_rng(2)
    column = ingredients.names.index("minutes")
    cases = []
    for _ in range(40):
        rows = random.standard_normal((30, len(ingredients.names)))
        rows[0, column] = 4.0
        cases.append(Case(rows, np.asarray([0])))
    blend = fit_blend(cases, ingredients, k=10, seed=0)
    assert blend.kept
    assert max(blend.weights, key=lambda name: blend.weights[name]) == "minutes"
