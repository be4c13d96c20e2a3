"""What both heads share: rank every item for a user, fit the final ranker, know what validation told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtune.api import Example, Forward, Head
from nbtune_recommendation.blend import Blend, Ingredients, fit_blend, make_case, match_only
from nbtune_recommendation.catalogue import Catalogue
from nbtune_recommendation.options import RecommendationOptions
from nbtune_recommendation.profiles import Matcher, Scores, popular
from nbtune_recommendation.ranking import Match, Ranking, rank_items


@dataclass(frozen=True)
class View:
    """A user as the ranker sees them: positions in the catalogue, oldest first."""

    user: str
    history: list[int]
    met: list[int]
    relevant: list[int]


class RankingHead(Head):
    """Scores all items for a user through `matcher`, then mixes in the rest."""

    seed: int

    def __init__(self, catalogue: Catalogue, options: RecommendationOptions) -> None:
        self.catalogue = self._trained = catalogue  # the first grows by items first seen in validation
        self.options = options
        self._scorer: Scorer | None = None
        self.blend: Blend = match_only("ranked by the match alone: no final ranker was fitted")
        self._later: dict[str, list[str]] = {}  # what users liked in the validation rows
        self._added: dict[str, dict[str, Any]] = {}  # items first seen there

    @abstractmethod
    def fingerprint(self) -> NDArray[np.float64]:
        """Changes when a weight does."""

    @abstractmethod
    def matcher(self, catalogue: Catalogue, forward: Forward) -> Matcher:
        """Match scores of all items of `catalogue` (the head's own, or longer) for a history that is not empty."""

    # --- predicting

    def predict(self, examples: Sequence[Example], forward: Forward) -> Iterator[Any]:
        """A `Ranking` for a user, a `Match` for a row with an item. Items new in any example are candidates for all."""
        scorer = self.scorer(examples, forward)
        for example in examples:
            view = self.view(example, scorer.catalogue)
            match, scores = scorer(view.history)
            if "item" in example.inputs:
                position = scorer.catalogue.index[example.inputs["item"]]
                yield Match(float(scores[position]), float(match[position]))
                continue
            yield rank_items(
                scorer.catalogue,
                scores,
                user=view.user,
                excluded=view.met,
                relevant=view.relevant,
                k=self.options.k,
                cold_user=not view.history,
                ranker=self.blend.note,
            )

    def scorer(self, examples: Sequence[Example], forward: Forward) -> Scorer:
        """A scorer over the catalogue and every item that the examples bring."""
        new: dict[str, Mapping[str, Any]] = {}
        for example in examples:
            new.update(example.inputs.get("new", {}))
            if "item" in example.inputs:
                facts = {"text": example.inputs["text"], "features": example.inputs.get("features", {})}
                new.setdefault(example.inputs["item"], facts)
        # a score must not rest on what the rivals beside it are not told: to be scored is to know training only
        scored = any("part" in example.inputs for example in examples)
        catalogue = (self._trained if scored else self.catalogue).with_items(new)
        weights = self.fingerprint()
        kept = self._scorer
        if kept is None or kept.catalogue is not catalogue or not np.array_equal(kept.weights, weights):
            kept = self._scorer = Scorer(catalogue, self.matcher(catalogue, forward), self.blend, weights)
        return kept

    def view(self, example: Example, catalogue: Catalogue) -> View:
        """The user of an example. Where nothing is scored, what they liked in the validation rows is history too."""
        user = example.inputs["user"]
        relevant = catalogue.positions(example.target) if isinstance(example.target, list) else []
        later: list[int] = []
        if "part" not in example.inputs:
            later = catalogue.positions(self._later.get(user, []))
        history = [item for item in catalogue.positions(example.inputs.get("history", [])) if item not in later]
        return View(user, [*history, *later], [*catalogue.seen(user), *later], relevant)

    def latest(self, user: str) -> list[str]:
        """All items a user is known to have liked, oldest first."""
        known = [self.catalogue.ids[item] for item in self.catalogue.liked.get(user, ())]
        later = self._later.get(user, [])
        return [*(item for item in known if item not in later), *later]

    # --- after training

    def conclude(self, train: Sequence[Example], validation: Sequence[Example], forward: Forward) -> None:
        """Fit the final ranker on validation users: the training rows are what match and popularity were made of."""
        self.restore(
            {"blend": match_only("ranked by the match alone (ranker = none)").to_json(), "later": {}, "added": {}}
        )
        if self.options.ranker == "blend":
            self._fit(validation, forward)
        later = {example.inputs["user"]: example.target for example in validation if example.target}
        added: dict[str, Any] = {}
        for example in validation:
            added.update(example.inputs.get("new", {}))
        self.restore({"blend": self.blend.to_json(), "later": later, "added": added})

    def _fit(self, validation: Sequence[Example], forward: Forward) -> None:
        scorer = self.scorer(validation, forward)
        catalogue, ingredients = scorer.catalogue, Ingredients(scorer.catalogue)
        views = [self.view(example, catalogue) for example in validation]
        views = [view for view in views if view.history and view.relevant]
        random = np.random.default_rng(self.seed)
        if len(views) > 2000:
            views = [views[index] for index in sorted(random.choice(len(views), 2000, replace=False))]
        cases = [
            make_case(
                ingredients,
                scorer.matcher(view.history),
                history=view.history,
                excluded=view.met,
                relevant=view.relevant,
                random=random,
            )
            for view in views
        ]
        self.blend = fit_blend(cases, ingredients, k=self.options.k, seed=self.seed)

    def state(self) -> dict[str, Any]:
        return {"blend": self.blend.to_json(), "later": self._later, "added": self._added}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.blend = Blend.from_json(state["blend"])
        self._later = {user: list(items) for user, items in state["later"].items()}
        self._added = {item: dict(facts) for item, facts in state["added"].items()}
        self.catalogue = self._trained.with_items(self._added)
        self._scorer = None


class Scorer:
    """Match and final scores of every item for a history; users without one get the most popular items."""

    def __init__(self, catalogue: Catalogue, matcher: Matcher, blend: Blend, weights: NDArray[np.float64]) -> None:
        self.catalogue = catalogue
        self.weights = weights
        self.matcher = matcher
        self._popular = popular(catalogue)
        self._blend = blend
        self._ingredients = Ingredients(catalogue, blend.scales) if blend.kept else None

    def __call__(self, history: Sequence[int]) -> tuple[Scores, Scores]:
        """(match, final score), each of shape [items]."""
        if not history:
            return np.zeros(len(self.catalogue), dtype=np.float32), self._popular(history)
        match = self.matcher(history)
        if self._ingredients is None:
            return match, match
        return match, self._ingredients.mix(match, history, self._blend.weights)

    def why(self, item: int, history: Sequence[int], match: Scores) -> str:
        """What an item's score is made of, the largest parts first."""
        if self._ingredients is None:
            return f"match {match[item]:+.1f}"
        parts = self._ingredients.parts(match, history, item, self._blend.weights)
        largest = sorted(parts.items(), key=lambda part: -abs(part[1]))[:4]
        return ", ".join(f"{name} {value:+.1f}" for name, value in largest if abs(value) >= 0.05)


__all__ = ["Match", "Ranking", "RankingHead", "Scorer", "View"]
