"""The heads: what they learn from, how they rank, what is kept with the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from nbtune_recommendation import Recommendation
from nbtune_recommendation.blend import Blend, match_only
from nbtune_recommendation.cross import CrossHead
from nbtune_recommendation.ranking import Match, Ranking
from nbtune_recommendation.ranking_head import RankingHead
from nbtune_recommendation.towers import TowersHead, vector_matcher

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.tasks.head import Forward, Recipe
from nbtune.tasks.pretrained import pretrained
from nbtune.training.batches import collate, forward_with
from nbtune.training.devices import choose_device
from nbtune.training.job import Job, LoopSettings
from nbtune.training.loop import set_training, train
from nbtune.values import ColumnMap, Example, Inventory, Part

THEMES = {
    "bread": [
        "rye and yeast",
        "a slow oven",
        "flour from the mill",
        "crust and crumb",
        "salt in dough",
        "the warm loaf",
    ],
    "chess": [
        "a lost rook",
        "queen to the corner",
        "the long endgame",
        "pawns and kings",
        "a clock runs",
        "gambit tales",
    ],
}
TEXTS = {f"{theme}-{number}": text for theme, texts in THEMES.items() for number, text in enumerate(texts)}
COLUMNS = ColumnMap({name: name for name in ("user", "item", "text", "label", "time")})


def rows() -> dict[Part, pd.DataFrame]:
    """Twelve users who like one theme each, in a different order; two hold out their last item. `stranger` is new."""
    random = np.random.default_rng(3)
    cells: dict[Part, list[dict[str, Any]]] = {"train": [], "validation": [], "test": []}
    for number in range(12):
        theme = "bread" if number % 2 else "chess"
        order = random.permutation(6)
        for moment, item in enumerate(order):
            part: Part = "train" if moment < 4 else "validation" if moment == 4 else "test"
            name = f"{theme}-{item}"
            row = {
                "user": f"u{number}",
                "item": name,
                "text": TEXTS[name],
                "label": 1,
                "time": moment,
                "minutes": 10 + item,
            }
            cells[part].append(row)
    cells["test"].append(
        {"user": "stranger", "item": "new", "text": "a brand new loaf", "label": 1, "time": 9, "minutes": 3}
    )
    return {part: pd.DataFrame(found) for part, found in cells.items()}


class Setting:
    """The task's data, arranged, and a head on the tiny model."""

    def __init__(self, model: str, tables: dict[Part, pd.DataFrame] | None = None, **options: Any) -> None:
        self.task = Recommendation().configured(options)
        self.raw = {part: self._read(table, part) for part, table in (tables or rows()).items()}
        self.inventory: Inventory = self.task.inventory(self.raw["train"])
        self.parts = {part: list(self.task.arrange(raw, self.inventory, part)) for part, raw in self.raw.items()}
        self.model = model
        torch.manual_seed(0)
        self.head = self.open(model)
        self.device = choose_device("cpu")

    def open(self, model: str) -> Any:
        return self.task.head(pretrained(model), self.inventory, Recipe(max_length=32))

    def _read(self, table: pd.DataFrame, part: Part) -> list[Example]:
        columns = ColumnMap({name: name for name in COLUMNS.names if name in table.columns})
        return [example for example in self.task.read(table, columns, part) if isinstance(example, Example)]

    @property
    def forward(self) -> Forward:
        set_training(self.head, False)
        return forward_with(self.head, self.device)

    def fit(self, **settings: Any) -> None:
        torch.manual_seed(0)
        features = FeatureSet.build(self.head.encode(self.parts["train"], training=True))
        loop = LoopSettings(**{"epochs": 8, "batch_size": 6, "learning_rate": 3e-3, **settings})
        metrics = self.task.metrics(self.inventory)
        job = Job(
            run="r",
            task="recommendation",
            model="tiny",
            head=self.head,
            features=features,
            device=self.device,
            settings=loop,
            control=Control(),
            metrics=metrics,
        )
        list(train(job))
        job.finish()

    def rank(self, part: Part = "test") -> list[Any]:
        return list(self.head.predict(self.parts[part], self.forward))

    def ndcg(self, predictions: list[Any], part: Part = "test") -> float:
        return self.task.metrics(self.inventory).scores(self.parts[part], predictions)["ndcg@10"]


@pytest.fixture(scope="module")
def fitted(tiny_model: str) -> Setting:
    setting = Setting(tiny_model, k=10)
    setting.fit()
    setting.head.conclude(setting.parts["train"], setting.parts["validation"], setting.forward)
    return setting


def batch_of(setting: Setting, examples: list[Example]) -> dict[str, torch.Tensor]:
    encoded = setting.head.encode(examples, training=True)
    return collate([feature for features in encoded for feature in features], setting.head, setting.device)


def test_towers_learn_tastes_and_beat_popularity(fitted: Setting) -> None:
    ours = fitted.ndcg(fitted.rank())
    baselines = {b.name: b for b in fitted.task.baselines(fitted.inventory)}
    theirs = fitted.ndcg(list(baselines["popularity"].predict(fitted.parts["train"], fitted.parts["test"])))
    assert ours > theirs + 0.1
    assert set(baselines) == {"popularity", "TF-IDF profile", "liked together"}


def test_every_item_not_met_is_a_candidate_for_everybody_and_new_ones_too(fitted: Setting) -> None:
    rankings = {ranking.user: ranking for ranking in fitted.rank()}
    assert rankings["u0"].candidates == 13 - 4  # 12 items and `new`, less those from training
    assert rankings["stranger"].candidates == 13
    assert rankings["stranger"].cold_items == ("new",)


def test_scored_rankings_know_training_only_and_recommendations_the_validation_rows_too(fitted: Setting) -> None:
    assert all(ranking.candidates == 12 - 4 for ranking in fitted.rank("validation"))
    views = [fitted.head.view(example, fitted.head.catalogue) for example in fitted.parts["test"]]
    assert {len(view.history) for view in views} == {0, 4}
    assert len(fitted.head.latest("u0")) == 5
    assert all(len(ranking.ranks) == 1 for ranking in fitted.rank("validation"))


def test_a_user_without_history_gets_the_most_popular_items(fitted: Setting) -> None:
    (ranking,) = [ranking for ranking in fitted.rank() if ranking.cold_user]
    popularity = dict(zip(fitted.inventory.facts["items"], fitted.inventory.facts["popularity"], strict=True))
    shown = [popularity.get(item, 0) for item in ranking.top]
    assert shown == sorted(shown, reverse=True)
    assert ranking.ranks == (13,)


def test_item_vectors_are_computed_once_until_a_weight_changes(tiny_model: str) -> None:
    setting = Setting(tiny_model)
    calls: list[int] = []

    def counted(features: Any) -> Iterator[Any]:
        features = list(features)
        calls.append(len(features))
        return setting.forward(features)

    for _ in range(2):
        list(setting.head.predict(setting.parts["validation"], counted))
    assert calls == [12]
    list(setting.head.predict(setting.parts["test"], counted))
    assert calls == [12, 1]  # the item that training does not know
    with torch.no_grad():
        next(setting.head.model.parameters()).view(-1)[0] += 1e-3
    list(setting.head.predict(setting.parts["validation"], counted))
    assert calls == [12, 1, 12]


def test_a_saved_model_ranks_the_same_from_its_saved_vectors(fitted: Setting, tmp_path: Path) -> None:
    before = fitted.rank()
    head = fitted.head
    head.model.save_pretrained(tmp_path)
    head.tokenizer.save_pretrained(tmp_path)
    head.save_assets(tmp_path)
    opened: TowersHead = fitted.open(str(tmp_path))
    opened.towers.load_state_dict(head.towers.state_dict())
    opened.restore(head.state())
    opened.load_assets(tmp_path)
    set_training(opened, False)
    texts: list[int] = []

    def counted(features: Any) -> Iterator[Any]:
        features = list(features)
        texts.append(len(features))
        return forward_with(opened, fitted.device)(features)

    after = list(opened.predict(fitted.parts["test"], counted))
    assert texts == [1]  # only the item that came with the test rows
    assert [ranking.ranks for ranking in after] == [ranking.ranks for ranking in before]
    assert after[0].scores == pytest.approx(before[0].scores, abs=1e-4)


def test_rows_with_an_item_get_a_match(fitted: Setting) -> None:
    asked = fitted._read(
        pd.DataFrame({"user": ["u0", "u0", "x"], "item": ["chess-0", "bread-0", "chess-0"]}), "predict"
    )
    arranged = fitted.task.arrange(asked, fitted.inventory, "predict")
    matches = list(fitted.head.predict(arranged, fitted.forward))
    assert all(isinstance(match, Match) for match in matches)
    assert matches[0].score > matches[1].score
    assert set(fitted.task.to_row(arranged[0], matches[0])) == {"score", "match"}


def test_a_users_other_liked_items_are_no_negatives(tiny_model: str) -> None:
    setting = Setting(tiny_model)
    head = setting.head
    liked = setting.inventory.facts["liked"]["u0"]
    mask = head._also_liked(list(range(12)), [0])
    assert mask[0].nonzero().flatten().tolist() == sorted(liked)


def test_the_loss_of_a_stretch_is_the_softmax_over_what_the_user_does_not_like(tiny_model: str) -> None:
    setting = Setting(tiny_model, history=2)
    head: TowersHead = setting.head
    set_training(head, False)
    examples = setting.parts["train"][:2]
    loss = head.loss(batch_of(setting, examples)).item()
    vectors = head.item_vectors(head.catalogue, setting.forward)
    in_batch = sorted({item for example in examples for item in example.inputs["items"]})
    expected = []
    for example in examples:
        items = example.inputs["items"]
        for place in range(1, len(items)):
            match = vector_matcher(
                vectors, scale=head.towers.scale.item(), forgetting=head.towers.forgetting.item(), latest=2
            )(items[:place])
            rivals = [item for item in in_batch if item not in items or item == items[place]]
            expected.append(np.log(np.exp(match[rivals]).sum()) - match[items[place]])
    assert loss == pytest.approx(np.mean(expected), rel=1e-4)
    assert head.weigh(batch_of(setting, examples)) == len(expected) == 6


def test_what_was_not_liked_adds_its_margin_to_the_loss(tiny_model: str) -> None:
    table = rows()["train"]
    table.loc[table.index % 4 == 2, "label"] = 0
    setting = Setting(tiny_model, {"train": table})
    head: TowersHead = setting.head
    set_training(head, False)
    (example, *_) = setting.parts["train"]
    items, liked = example.inputs["items"], example.inputs["liked"]
    assert sum(liked) == 3
    loss = head.loss(batch_of(setting, [example])).item()
    vectors = head.item_vectors(head.catalogue, setting.forward)
    scale, forgetting = head.towers.scale.item(), head.towers.forgetting.item()
    softmax, margin = [], []
    for place in range(1, len(items)):
        history = [item for item, good in zip(items[:place], liked[:place], strict=True) if good]
        if not liked[place] or not history:
            continue
        match = vector_matcher(vectors, scale=scale, forgetting=forgetting, latest=10)(history)
        disliked = items[liked.index(0)]
        apart = float(match[items[place]] - match[disliked])
        softmax.append(np.log1p(np.exp(-apart)))  # the disliked item is the only rival in this batch
        margin.append(np.log1p(np.exp(-apart)))
    assert loss == pytest.approx(np.mean(softmax) + np.mean(margin), rel=1e-4)


def test_long_histories_are_cut_into_stretches_that_use_each_item_once(tiny_model: str) -> None:
    size = 57
    table = pd.DataFrame(
        {"user": ["u"] * size, "item": [f"i{n}" for n in range(size)], "text": ["x"] * size, "time": range(size)}
    )
    setting = Setting(tiny_model, {"train": table}, history=5)
    wanted = [item for e in setting.parts["train"] for item in e.inputs["items"][e.inputs["start"] :]]
    assert wanted == list(range(size))
    assert all(e.inputs["start"] == 5 for e in setting.parts["train"][1:])
    assert all(len(e.inputs["items"]) <= 15 for e in setting.parts["train"])


def test_a_hundred_thousand_items_are_scored_as_one_by_one() -> None:
    vectors = np.random.default_rng(0).standard_normal((100_000, 384), dtype=np.float32)
    scores = vector_matcher(vectors, scale=20.0, forgetting=0.0, latest=10)(list(range(10)))
    user = vectors[:10].mean(axis=0)
    some = [0, 17, 99_999]
    np.testing.assert_allclose(scores[some], 20.0 * vectors[some] @ user, rtol=1e-4)


def test_the_final_ranker_is_kept_where_it_helps(tiny_model: str) -> None:
    """Users here like what is short, which no text tells."""
    random = np.random.default_rng(0)
    cells: dict[Part, list[dict[str, Any]]] = {"train": [], "validation": []}
    for number in range(60):
        order = [f"item{n:02}" for n in (*random.choice(12, 4, replace=False), *(12 + random.choice(28, 1)))]
        held = f"item{random.choice([n for n in range(12) if f'item{n:02}' not in order]):02}"
        for moment, item in enumerate([*order, held]):
            part: Part = "validation" if item == held else "train"
            minutes = int(item[4:]) + 1
            cells[part].append(
                {"user": f"u{number}", "item": item, "text": f"text {item}", "time": moment, "minutes": minutes}
            )
    setting = Setting(tiny_model, {part: pd.DataFrame(found) for part, found in cells.items()})
    before = setting.ndcg(setting.rank("validation"), "validation")
    setting.head.conclude(setting.parts["train"], setting.parts["validation"], setting.forward)
    blend = setting.head.blend
    assert blend.kept, blend.note
    assert blend.weights["minutes"] < 0 or blend.weights["popularity"] > 0
    assert setting.ndcg(setting.rank("validation"), "validation") > before
    assert Blend.from_json(blend.to_json()) == blend


def test_the_final_ranker_is_dropped_where_it_cannot_be_judged(fitted: Setting, tiny_model: str) -> None:
    setting = Setting(tiny_model)
    few = setting.parts["validation"][:5]
    setting.head.conclude(setting.parts["train"], few, setting.forward)
    assert not setting.head.blend.kept
    assert "5 validation users are too few" in setting.head.blend.note
    without = Setting(tiny_model, ranker="none")
    without.head.conclude(without.parts["train"], without.parts["validation"], without.forward)
    assert without.head.blend == match_only("ranked by the match alone (ranker = none)")


def test_the_cross_encoder_learns_and_reads_only_the_first_items(tiny_model: str) -> None:
    setting = Setting(tiny_model, head="cross", rerank=3, history=3, negatives=2)
    assert isinstance(setting.head, CrossHead)
    batch = batch_of(setting, setting.parts["train"][:1])
    assert batch["labels"].tolist() == [1.0, 0.0, 0.0] * 3
    setting.fit(epochs=1)
    read: list[int] = []

    def counted(features: Any) -> Iterator[Any]:
        features = list(features)
        read.append(len(features))
        return setting.forward(features)

    rankings = list(setting.head.predict(setting.parts["test"], counted))
    assert set(read) == {3}
    assert all(isinstance(ranking, Ranking) for ranking in rankings)
    protocol = setting.task.tables(setting.parts["test"], rankings, setting.inventory)["protocol"]
    assert "the cross-encoder orders the first 3 items" in str(protocol)


def test_the_protocol_says_what_was_held_out(fitted: Setting) -> None:
    text = str(fitted.task.tables(fitted.parts["test"], fitted.rank(), fitted.inventory)["protocol"])
    assert "13 liked items of 13 users" in text
    assert "split by time" in text  # every test row is later than all of training
    assert "none sampled" in text
    assert fitted.head.blend.note in text
    validation = str(
        fitted.task.tables(fitted.parts["validation"], fitted.rank("validation"), fitted.inventory)["protocol"]
    )
    assert "12 liked items of 12 users" in validation


class Opened:
    """What an action is given."""

    def __init__(self, setting: Setting) -> None:
        self.task, self.head, self.inventory, self.forward = (
            setting.task,
            setting.head,
            setting.inventory,
            setting.forward,
        )


def test_recommend_gives_the_best_items_and_why(fitted: Setting) -> None:
    recommend = fitted.task.actions()["recommend"]
    table = recommend(Opened(fitted), "u0", k=3)
    assert table.columns.tolist() == ["user", "rank", "item", "text", "score", "match", "why"]
    assert table["rank"].tolist() == [1, 2, 3]
    head: RankingHead = fitted.head
    assert not set(table["item"]) & set(head.latest("u0"))
    assert len(head.latest("u0")) == 5
    seen = recommend(Opened(fitted), "u0", k=50, exclude_seen=False)
    assert len(seen) == 12
    assert table["why"].str.contains("match").all()


def test_recommend_takes_several_users_a_history_and_strangers(fitted: Setting) -> None:
    recommend = fitted.task.actions()["recommend"]
    table = recommend(Opened(fitted), ["u0", "nobody"], k=2)
    assert table["user"].tolist() == ["u0", "u0", "nobody", "nobody"]
    assert table["why"].tolist()[2] == "popular (this user is unknown)"
    bread = recommend(Opened(fitted), "nobody", k=3, history=["bread-0", "bread-1"])
    assert bread["item"].str.startswith("bread").all()
    with pytest.raises(ValueError, match="'cake' of history is unknown"):
        recommend(Opened(fitted), "u0", history=["cake"])
    with pytest.raises(ValueError, match="k = 0"):
        recommend(Opened(fitted), "u0", k=0)
