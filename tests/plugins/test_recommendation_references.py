"""Ranking scores equal trec_eval's, on lists with and without ties, users without an answer, and any k."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import pytrec_eval
from nbtune_recommendation import Recommendation
from nbtune_recommendation.catalogue import Catalogue
from nbtune_recommendation.ranking import Ranking, rank_items
from nbtune_recommendation.scoring import metric_set
from sklearn.metrics import roc_auc_score

from nbtune.api import Example, Inventory

ITEMS = 40


@dataclass(frozen=True)
class User:
    """What one user is asked: scores of all items, which are right, and which are no candidates."""

    name: str
    scores: np.ndarray
    relevant: list[int]
    excluded: list[int]

    def ranking(self, k: int) -> Ranking:
        catalogue = Catalogue(
            ids=tuple(f"item {number}" for number in range(ITEMS)),
            texts=("",) * ITEMS,
            features={},
            kinds={},
            popularity=np.ones(ITEMS),
            last=np.full(ITEMS, np.nan),
            liked={},
            rated={},
        )
        return rank_items(
            catalogue,
            self.scores,
            user=self.name,
            excluded=self.excluded,
            relevant=self.relevant,
            k=k,
            cold_user=False,
        )


def users(seed: int, *, tied: bool, count: int = 30) -> list[User]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        scores = random.integers(0, 4, ITEMS) / 4 if tied else random.permutation(ITEMS) / ITEMS
        items = random.permutation(ITEMS)
        size = int(random.choice([0, 1, 2, 5, 25]))
        made.append(User(f"user {seed} {number}", scores, items[:size].tolist(), items[size : size + 10].tolist()))
    return made


def trec_eval(asked: Sequence[User], k: int, names: Sequence[Sequence[str]]) -> dict[str, float]:
    """Means over the users that have a relevant item; `names` are each user's, for breaking ties."""
    runs, right = {}, {}
    for user, own in zip(asked, names, strict=True):
        candidates = [item for item in range(ITEMS) if item not in user.excluded]
        runs[user.name] = {own[item]: float(user.scores[item]) for item in candidates}
        right[user.name] = {own[item]: int(item in user.relevant) for item in candidates}
    measures = {f"ndcg_cut.{k}", "map", "recip_rank", f"recall.{k}", f"success.{k}"}
    each = pytrec_eval.RelevanceEvaluator(right, measures).evaluate(runs)
    keys = {
        f"ndcg@{k}": f"ndcg_cut_{k}",
        "map": "map",
        "mrr": "recip_rank",
        f"recall@{k}": f"recall_{k}",
        f"hit@{k}": f"success_{k}",
    }
    counted = [user.name for user in asked if user.relevant]
    return {ours: float(np.mean([each[name][theirs] for name in counted])) for ours, theirs in keys.items()}


def ours(asked: Sequence[User], k: int) -> dict[str, float]:
    scores = metric_set(k).scores([Example({"user": user.name}) for user in asked], [user.ranking(k) for user in asked])
    scores.pop("auc")  # trec_eval has none
    return scores


def by_luck(user: User) -> list[str]:
    """Names that trec_eval, which gives ties to the last name, puts into the random order of this user."""
    luck = np.random.default_rng(zlib.crc32(user.name.encode())).random(ITEMS)
    return [f"{1 - chance:.17f}" for chance in luck]


@pytest.mark.parametrize("k", [1, 3, 10, 100])
@pytest.mark.parametrize("seed", range(10))
def test_scores_equal_those_of_trec_eval(seed: int, k: int) -> None:
    asked = users(seed, tied=False)
    plain = [[f"item {number:02}" for number in range(ITEMS)]] * len(asked)
    assert any(not user.relevant for user in asked)
    assert ours(asked, k) == pytest.approx(trec_eval(asked, k, plain))


@pytest.mark.parametrize("k", [1, 3, 10, 100])
@pytest.mark.parametrize("seed", range(10))
def test_tied_scores_equal_those_of_trec_eval_with_items_named_in_the_random_order(seed: int, k: int) -> None:
    asked = users(seed, tied=True)
    assert ours(asked, k) == pytest.approx(trec_eval(asked, k, [by_luck(user) for user in asked]))


def test_over_many_users_the_order_of_ties_favours_no_item() -> None:
    """Ties by name, trec_eval's way, give a constant score all or nothing; ours gives it what chance gives."""
    asked = [User(f"user {number}", np.zeros(ITEMS), [0], []) for number in range(3000)]
    names = [f"item {number:02}" for number in range(ITEMS)]
    assert trec_eval(asked, 10, [names] * len(asked))["recall@10"] == 0.0
    assert trec_eval(asked, 10, [names[::-1]] * len(asked))["recall@10"] == 1.0
    assert ours(asked, 10)["recall@10"] == pytest.approx(10 / ITEMS, abs=0.03)


@pytest.mark.parametrize("tied", [True, False])
def test_auc_equals_that_of_scikit_learn(tied: bool) -> None:
    for user in users(5, tied=tied):
        candidates = [item for item in range(ITEMS) if item not in user.excluded]
        gold = np.isin(candidates, user.relevant)
        if gold.any() and not gold.all():
            assert user.ranking(10).auc == pytest.approx(roc_auc_score(gold, user.scores[candidates]))
        else:
            assert user.ranking(10).auc is None


def test_a_list_longer_than_the_catalogue_holds_every_candidate_once_in_order() -> None:
    for user in users(6, tied=True):
        ranking = user.ranking(1000)
        assert sorted(ranking.top) == sorted(f"item {item}" for item in range(ITEMS) if item not in user.excluded)
        assert list(ranking.scores) == sorted(ranking.scores, reverse=True)
        assert [ranking.top[rank - 1] for rank in ranking.ranks] == list(ranking.relevant)


def test_the_report_names_how_ties_are_broken_and_which_users_count() -> None:
    metrics = Recommendation().metrics(Inventory())
    for metric in metrics.metrics:
        assert "ties half" in metric.convention or "ties in a fixed random order" in metric.convention
    assert "users with held-out items" in metrics["map"].convention
    assert "binary gain, ideal of min(10, relevant) hits" in metrics["ndcg@10"].convention
