"""Metrics over full rankings, against brute force and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from nbtune_recommendation import Recommendation
from nbtune_recommendation.catalogue import Catalogue
from nbtune_recommendation.ranking import Ranking, best_first, rank_items
from nbtune_recommendation.reporting import warm_and_cold
from nbtune_recommendation.scoring import metric_set, ndcg
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from nbtune.values import Example, Inventory

ITEMS = 30


def catalogue(size: int = ITEMS, popularity: list[float] | None = None) -> Catalogue:
    return Catalogue(
        ids=tuple(f"i{number}" for number in range(size)),
        texts=("",) * size,
        features={},
        kinds={},
        popularity=np.asarray(popularity or [1.0] * size),
        last=np.full(size, np.nan),
        liked={},
        rated={},
    )


def ranked(scores: np.ndarray, relevant: list[int], excluded: tuple[int, ...] = (), user: str = "u") -> Ranking:
    return rank_items(
        catalogue(len(scores)), scores, user=user, excluded=excluded, relevant=relevant, k=10, cold_user=False
    )


@pytest.mark.parametrize("seed", range(5))
def test_scores_without_ties_equal_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.permutation(ITEMS).astype(np.float32)
    relevant = random.choice(ITEMS, 1 + seed, replace=False).tolist()
    truth = np.isin(np.arange(ITEMS), relevant).astype(int)
    found = metric_set(10).scores([Example({})], [ranked(scores, relevant)])
    assert found["ndcg@10"] == pytest.approx(ndcg_score([truth], [scores], k=10))
    assert found["map"] == pytest.approx(average_precision_score(truth, scores))
    assert found["auc"] == pytest.approx(roc_auc_score(truth, scores))
    top = np.argsort(-scores)[:10]
    assert found["recall@10"] == pytest.approx(truth[top].sum() / truth.sum())
    assert found["hit@10"] == float(truth[top].any())
    assert found["mrr"] == pytest.approx(1 / (1 + np.flatnonzero(truth[np.argsort(-scores)])[0]))


def test_excluded_items_are_no_candidates() -> None:
    ranking = ranked(np.arange(10.0)[::-1].copy(), [5], excluded=(0, 1, 2))
    assert ranking.ranks == (3,)
    assert ranking.candidates == 7
    assert ranking.top == ("i3", "i4", "i5", "i6", "i7", "i8", "i9")
    assert ranking.auc == pytest.approx(4 / 6)


def test_a_constant_score_gets_what_chance_gets() -> None:
    rankings = [ranked(np.zeros(ITEMS), [3], user=f"user {number}") for number in range(4000)]
    found = metric_set(10).scores([Example({})] * len(rankings), rankings)
    chance = np.mean([ndcg([rank], 10) for rank in range(1, ITEMS + 1)])
    assert found["ndcg@10"] == pytest.approx(chance, abs=0.02)
    assert found["auc"] == pytest.approx(0.5)
    assert found["recall@10"] == pytest.approx(10 / ITEMS, abs=0.03)


def test_ties_are_broken_the_same_way_each_time_and_in_the_list_as_in_the_ranks() -> None:
    scores = np.repeat([2.0, 1.0], 10)
    first, again = ranked(scores, [4, 15]), ranked(scores, [4, 15])
    assert first == again
    assert first.top[first.ranks[0] - 1] == "i4"


def test_the_best_are_found_without_sorting_all() -> None:
    values = np.random.default_rng(0).integers(0, 50, 1000).astype(float)
    luck = np.random.default_rng(1).random(1000)
    everything = np.lexsort((luck, -values))
    assert best_first(values, luck, 25).tolist() == everything[:25].tolist()
    assert best_first(values, luck, 5000).tolist() == everything.tolist()


def test_users_without_held_out_items_do_not_count() -> None:
    scores = np.arange(10.0)
    both = [ranked(scores, [9]), ranked(scores, [])]
    found = metric_set(10).scores([Example({}), Example({})], both)
    assert found["ndcg@10"] == 1.0
    assert metric_set(10).tallies([Example({}), Example({})], both)[:, 0].tolist() == [1.0, 0.0]


def test_nothing_to_score_is_undefined_rather_than_zero() -> None:
    assert np.isnan(metric_set(10).scores([Example({})], [ranked(np.arange(5.0), [])])["ndcg@10"])


def test_k_names_and_cuts_the_metrics() -> None:
    task = Recommendation().configured({"k": 3})
    scores = task.metrics(Inventory()).scores([Example({})], [ranked(np.arange(10.0)[::-1].copy(), [3])])
    assert scores["ndcg@3"] == scores["recall@3"] == 0.0
    assert scores["mrr"] == pytest.approx(0.25)


def test_cold_users_and_items_are_counted_apart() -> None:
    popularity = [0.0, 1.0, 1.0, 1.0]
    warm = rank_items(
        catalogue(4, popularity),
        np.asarray([4.0, 3, 2, 1]),
        user="w",
        excluded=(),
        relevant=[0, 1],
        k=2,
        cold_user=False,
    )
    cold = rank_items(
        catalogue(4, popularity), np.asarray([1.0, 2, 3, 4]), user="c", excluded=(), relevant=[1], k=2, cold_user=True
    )
    found = {f"{s.by} {s.value}": s for s in warm_and_cold([warm, cold], 2)}
    value = {name: float(each.metric.formula(each.tallies.sum(axis=0))) for name, each in found.items()}
    assert [each.count for each in found.values()] == [1, 1, 2, 1]
    assert [list(each.rows) for each in found.values()] == [[0], [1], [0, 1], [0]]
    assert value["users with a history"] == 1.0
    assert value["users without (cold start)"] == 0.0
    # of the warm user, i1 is first among the items that are not relevant; of the cold one, third
    assert value["items known from training"] == 0.5
    assert value["items new to training (cold start)"] == 1.0
