"""The final ranker: a handful of weights that mix the match with popularity, recency, features and co-occurrence.

Fitted after training on users the encoder was not trained to please, and kept only where it helps others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune_recommendation.catalogue import Catalogue
from nbtune_recommendation.profiles import Scores, liked_together
from nbtune_recommendation.scoring import ndcg

FOLDS = 5
CONTENDERS = 1000
"""Items a user's fit looks at: the best matches, and others at random."""
PULL = 1.0
"""How strongly weights are held at "the match alone": the precision of a Gaussian prior around it."""

NEIGHBOURS = 20
"""Known items whose co-occurrence stands in for that of an item nobody has liked yet."""


@dataclass(frozen=True)
class Blend:
    """Weights by ingredient. The match counts 1 and all else 0 where `kept` is False."""

    weights: Mapping[str, float]
    scales: Mapping[str, tuple[float, float]]
    kept: bool
    note: str

    def to_json(self) -> dict[str, Any]:
        return {
            "weights": dict(self.weights),
            "scales": {name: list(scale) for name, scale in self.scales.items()},
            "kept": self.kept,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Blend:
        scales = {name: (float(scale[0]), float(scale[1])) for name, scale in state["scales"].items()}
        return cls(state["weights"], scales, bool(state["kept"]), str(state["note"]))


def match_only(note: str) -> Blend:
    """No mixing."""
    return Blend({}, {}, False, note)


class Ingredients:
    """What can be mixed, standardised over the catalogue; the match itself stays as it is."""

    def __init__(self, catalogue: Catalogue, scales: Mapping[str, tuple[float, float]] | None = None) -> None:
        raw = {"popularity": np.log1p(catalogue.popularity), "recency": _recency(catalogue)}
        self._together = liked_together(catalogue)
        self._known = np.flatnonzero(catalogue.popularity > 0)
        self._unknown = np.flatnonzero(catalogue.popularity == 0)
        self._categories: list[NDArray[np.int64]] = []
        self._category_names: list[str] = []
        for name, kind in catalogue.kinds.items():
            values = catalogue.features[name]
            if kind == "number":
                raw[name] = np.asarray([np.nan if value is None else value for value in values], dtype=np.float64)
                continue
            for category in sorted({str(value) for value in values if value is not None}):
                raw[f"{name} = {category}"] = np.asarray([float(str(value) == category) for value in values])
            known = {category: code for code, category in enumerate(sorted({str(value) for value in values}))}
            self._categories.append(np.asarray([known[str(value)] for value in values]))
            self._category_names.append(f"same {name}")
        self.scales = dict(scales) if scales is not None else {name: _scale(values) for name, values in raw.items()}
        columns = [_standard(raw.get(name), self.scales[name], len(catalogue)) for name in self.scales]
        self._fixed = np.stack(columns, axis=1).astype(np.float32)
        self.names = ("match", "liked together", *self._category_names, *self.scales)

    def of(self, match: Scores, history: Sequence[int], items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Ingredients of some items for one user, shape [items, names]."""
        own = [_share(codes, history)[codes[items]] for codes in self._categories]
        return np.column_stack(
            [match[items], self._liked_together(match, history)[items], *own, self._fixed[items]]
        ).astype(np.float64)

    def mix(self, match: Scores, history: Sequence[int], weights: Mapping[str, float]) -> Scores:
        """Mixed scores of all items for one user."""
        fixed = np.asarray([weights.get(name, 0.0) for name in self.scales], dtype=np.float32)
        scores = np.float32(weights["match"]) * match + self._fixed @ fixed
        together = weights.get("liked together", 0.0)
        if together:
            scores = scores + np.float32(together) * self._liked_together(match, history)
        for name, codes in zip(self._category_names, self._categories, strict=True):
            scores = scores + np.float32(weights.get(name, 0.0)) * _share(codes, history)[codes]
        mixed: Scores = scores.astype(np.float32)
        return mixed

    def _liked_together(self, match: Scores, history: Sequence[int]) -> Scores:
        """As a share of the highest; an item nobody has liked yet gets what known items of a like match have.

        Zero would say "liked by others only", and bury what is new.
        """
        scores: Scores = self._together(history)
        scores = scores / np.float32(scores.max() or 1.0)
        known = np.setdiff1d(self._known, list(history))
        if len(self._unknown) and len(known):
            known = known[np.argsort(match[known])]
            scores[self._unknown] = _nearby_mean(match[known], scores[known], match[self._unknown])
        return scores

    def parts(self, match: Scores, history: Sequence[int], item: int, weights: Mapping[str, float]) -> dict[str, float]:
        """What each ingredient adds to one item's score."""
        values = self.of(match, history, np.asarray([item]))[0]
        return {name: float(weights.get(name, 0.0) * value) for name, value in zip(self.names, values, strict=True)}


@dataclass(frozen=True)
class Case:
    """One user to learn from: the ingredients of the contenders and which of them are relevant."""

    rows: NDArray[np.float64]
    relevant: NDArray[np.int64]


def make_case(
    ingredients: Ingredients,
    match: Scores,
    *,
    history: Sequence[int],
    excluded: Sequence[int],
    relevant: Sequence[int],
    random: np.random.Generator,
) -> Case:
    """The best matches, random others and the relevant items of one user, without what is excluded."""
    allowed = np.ones(len(match), dtype=bool)
    allowed[list(excluded)] = False
    allowed[list(relevant)] = False
    others = np.flatnonzero(allowed)
    if len(others) > CONTENDERS:
        best = others[np.argpartition(-match[others], CONTENDERS // 2)[: CONTENDERS // 2]]
        rest = np.setdiff1d(others, best)
        others = np.concatenate([best, random.choice(rest, CONTENDERS - len(best), replace=False)])
    items = np.concatenate([np.asarray(relevant, dtype=np.int64), others])
    return Case(ingredients.of(match, history, items), np.arange(len(relevant)))


def fit_blend(cases: Sequence[Case], ingredients: Ingredients, *, k: int, seed: int) -> Blend:
    """Weights by listwise softmax, kept if they raise NDCG@k by more than a standard error on users left out."""
    if len(cases) < 2 * FOLDS:
        return match_only(
            f"ranked by the match alone: {len(cases)} validation users are too few to fit a final ranker on"
        )
    folds = np.random.default_rng(seed).permutation(len(cases)) % FOLDS
    alone = _start(ingredients)
    gains = np.zeros(len(cases))
    for fold in range(FOLDS):
        weights = _fit([case for case, own in zip(cases, folds, strict=True) if own != fold], alone)
        for index in np.flatnonzero(folds == fold).tolist():
            gains[index] = _ndcg(cases[index], weights, k) - _ndcg(cases[index], alone, k)
    gain, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    found = f"{gain:+.3f} (standard error {error:.3f}) in ndcg@{k} on validation users left out of its fit"
    if gain <= error:
        return match_only(f"ranked by the match alone: mixing in other signals gave {found}")
    weights = _fit(cases, alone)
    named = {name: float(weight) for name, weight in zip(ingredients.names, weights, strict=True)}
    return Blend(named, ingredients.scales, True, f"the final ranker gave {found}")


def _fit(cases: Sequence[Case], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimise the sum over users of -log softmax of their relevant items, plus `PULL`/2 |w - start|^2."""
    from scipy.optimize import minimize

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        away = weights - start
        value, slope = PULL / 2 * float(away @ away), PULL * away
        for case in cases:
            scores = case.rows @ weights
            odds = np.exp(scores - scores.max())
            shares = odds / odds.sum()
            value -= float(np.log(np.maximum(shares[case.relevant], 1e-300)).mean())
            slope = slope + shares @ case.rows - case.rows[case.relevant].mean(axis=0)
        return value, slope

    found: NDArray[np.float64] = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return found


def _ndcg(case: Case, weights: NDArray[np.float64], k: int) -> float:
    scores = case.rows @ weights
    # relevant items come first among the rows: a tie counts against them
    ranks = [int((scores >= scores[index]).sum()) for index in case.relevant]
    return ndcg(ranks, k)


def _start(ingredients: Ingredients) -> NDArray[np.float64]:
    return np.asarray([float(name == "match") for name in ingredients.names])


def _recency(catalogue: Catalogue) -> NDArray[np.float64]:
    """-log(1 + age): age as a share of the whole time span, from the last time an item was liked."""
    known = catalogue.last[np.isfinite(catalogue.last)]
    span = float(np.ptp(known)) if len(known) else 0.0
    if not span:
        return np.full(len(catalogue), np.nan)
    ages: NDArray[np.float64] = 100 * (known.max() - catalogue.last) / span
    return -np.log1p(ages)


def _scale(values: NDArray[np.float64]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    return float(known.mean()), float(known.std()) or 1.0


def _standard(values: NDArray[np.float64] | None, scale: tuple[float, float], count: int) -> NDArray[np.float64]:
    """Centred and scaled; what is not known counts as average."""
    if values is None:
        return np.zeros(count)
    standard: NDArray[np.float64] = np.nan_to_num((values - scale[0]) / scale[1])
    return standard


def _nearby_mean(places: Scores, values: Scores, asked: Scores) -> Scores:
    """The mean of the `values` whose (ascending) `places` are around each of `asked`."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    middle = np.searchsorted(places, asked)
    low, high = np.maximum(0, middle - NEIGHBOURS // 2), np.minimum(len(values), middle + NEIGHBOURS // 2)
    mean: Scores = ((sums[high] - sums[low]) / np.maximum(1, high - low)).astype(np.float32)
    return mean


def _share(codes: NDArray[np.int64], history: Sequence[int]) -> NDArray[np.float32]:
    """The share of each category in a user's history, shape [categories]."""
    counts = np.bincount(codes[list(history)], minlength=int(codes.max()) + 1).astype(np.float32)
    return counts / np.float32(max(1, len(history)))
