"""The task: rows of who met what, a head that scores every item for a user, and scores a user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nbtune.api import (
    Baseline,
    Column,
    ColumnMap,
    Example,
    Finding,
    Head,
    Inventory,
    MetricSet,
    Panel,
    Part,
    Pretrained,
    Problem,
    Recipe,
    Slice,
    Task,
    escape,
)
from nbtune_recommendation.options import RecommendationOptions
from nbtune_recommendation.rows import COLUMNS, read_rows

if TYPE_CHECKING:
    import pandas as pd

    from nbtune_recommendation.catalogue import Catalogue, Liking


class Recommendation(Task):
    """Recommendation from item texts and users' histories."""

    name: ClassVar[str] = "recommendation"
    summary: ClassVar[str] = "which items suit a user, from the texts of what they liked before"
    columns: ClassVar[tuple[Column, ...]] = COLUMNS
    headline: ClassVar[str] = "ndcg@10"
    Options = RecommendationOptions
    minimum_labels: ClassVar[int] = 0
    fixes: ClassVar[tuple[str, ...]] = ()  # a repeated interaction is one, and item texts are the catalogue's
    samples: ClassVar[Path | None] = Path(__file__).parent / "samples"

    options: RecommendationOptions

    # --- dataset adapter

    def read(self, table: pd.DataFrame, columns: ColumnMap, part: Part) -> Iterator[Example | Problem]:
        yield from read_rows(table, columns, part, self.options.features, self.options.items is not None)

    def inventory(self, train: Sequence[Example]) -> Inventory:
        from nbtune_recommendation.catalogue import gather, liking
        from nbtune_recommendation.item_table import read_items

        options = self.options
        table = read_items(options.items, options.features) if options.items else {}
        return Inventory(facts=gather(train, table, liking(train, options.positive_from), options.features))

    def labels_of(self, example: Example) -> Sequence[str]:
        return ()

    def identity(self, example: Example) -> str:
        return f"{example.inputs['user']}\t{example.inputs.get('item', '')}"

    def arrange(self, examples: Sequence[Example], inventory: Inventory, part: Part) -> Sequence[Example]:
        """Training: stretches of histories. Validation and test: one example a user. Prediction: one a row."""
        from nbtune_recommendation import arranging

        catalogue, likes = self._known(inventory)
        if part == "train":
            return list(arranging.stretches(examples, catalogue, likes, self.options.history))
        if part == "predict":
            return list(arranging.pairs(examples, catalogue))
        return list(arranging.rankings(examples, catalogue, likes, part))

    def split(
        self, examples: Sequence[Example], fractions: Mapping[Part, float], seed: int
    ) -> Mapping[Part, Sequence[Example]]:
        from nbtune_recommendation.arranging import split_rows
        from nbtune_recommendation.catalogue import liking

        return split_rows(examples, fractions, seed, self.options.split, liking(examples, self.options.positive_from))

    def check(self, parts: Mapping[Part, Sequence[Example]], inventory: Inventory) -> Iterable[Finding]:
        from nbtune_recommendation.checks import findings

        return findings(parts, inventory, self.options)

    def read_samples(self) -> Mapping[str, pd.DataFrame] | None:
        """Podcast listens, each with its episode's text, category and minutes."""
        import pandas as pd

        folder = Path(__file__).parent / "samples"
        items = pd.read_csv(folder / "items.csv")
        parts = ("train", "validation", "test")
        return {part: pd.read_csv(folder / f"{part}.csv").merge(items, on="item", how="left") for part in parts}

    # --- head and metrics

    def head(self, base: Pretrained, inventory: Inventory, recipe: Recipe) -> Head:
        if self.options.head == "cross":
            from nbtune_recommendation.cross import CrossHead

            return CrossHead(base, inventory, recipe, self.options)
        from nbtune_recommendation.towers import TowersHead

        return TowersHead(base, inventory, recipe, self.options)

    def metrics(self, inventory: Inventory) -> MetricSet:
        from nbtune_recommendation.scoring import metric_set

        return metric_set(self.options.k)

    def tables(
        self, examples: Sequence[Example], predictions: Sequence[Any], inventory: Inventory
    ) -> Mapping[str, pd.DataFrame | str]:
        from nbtune_recommendation.reporting import protocol

        return {"protocol": protocol(examples, predictions, inventory, self.options)}

    def slices(
        self, examples: Sequence[Example], predictions: Sequence[Any], train: Sequence[Example], inventory: Inventory
    ) -> Iterable[Slice]:
        from nbtune_recommendation.reporting import warm_and_cold

        return warm_and_cold(predictions, self.options.k)

    def baselines(self, inventory: Inventory) -> Sequence[Baseline]:
        from nbtune_recommendation.baselines import rivals

        return rivals(inventory, self.options.k)

    # --- predictions for people

    def to_row(self, example: Example, prediction: Any) -> dict[str, Any]:
        from nbtune_recommendation.ranking import Match

        if isinstance(prediction, Match):
            return {"score": prediction.score, "match": prediction.match}
        return {
            "user": prediction.user,
            "held out": ", ".join(prediction.relevant),
            "ranks": ", ".join(map(str, prediction.ranks)),
            "candidates": prediction.candidates,
            "recommended": ", ".join(prediction.top),
        }

    def render(self, example: Example, prediction: Any) -> str | None:
        """The recommended items of a user in order, what they really liked in bold."""
        from nbtune_recommendation.ranking import Ranking

        if not isinstance(prediction, Ranking):
            return None
        items = [
            f"<strong>{escape(item)}</strong>" if item in prediction.relevant else escape(item)
            for item in prediction.top
        ]
        return f"{escape(prediction.user)}: {' &middot; '.join(items)}"

    def panels(self) -> Sequence[Panel]:
        from nbtune_recommendation.panel import user_panel

        return (user_panel(),)

    def actions(self) -> Mapping[str, Callable[..., Any]]:
        from nbtune_recommendation.recommending import recommend

        return {"recommend": recommend}

    def _known(self, inventory: Inventory) -> tuple[Catalogue, Liking]:
        from nbtune_recommendation.catalogue import Catalogue, Liking

        facts = inventory.facts
        return Catalogue.of(inventory), Liking(facts["positive_from"], facts["positive_reason"])
