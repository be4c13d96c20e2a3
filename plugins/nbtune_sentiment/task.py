"""The task: the shared head, labels in order, and ordinal scores beside F1."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from nbtune.api import (
    Baseline,
    Column,
    ColumnMap,
    DataError,
    Example,
    Finding,
    Head,
    Inventory,
    LabelScores,
    MetricSet,
    Part,
    Problem,
    Recipe,
    Task,
    TaskOptions,
    clean_label,
    clean_text,
    confusion_tables,
    escape,
    joined,
    label_metrics,
    majority,
    number_metrics,
    ordinal_metrics,
    per_label_table,
    tfidf_logistic,
)
from nbtune_sentiment.scale import FIVE, Classes, Scale, scale_of

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.api import Pretrained

SHOWN = ("macro_f1", "accuracy", "weighted_f1", "roc_auc")


class SentimentOptions(TaskOptions):
    """What to make of the sentiment column."""

    classes: Classes = Field(
        default="auto",
        description="2, 3 or 5 ordered classes, numeric for a number as it is; auto looks at the column",
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _digit(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdigit() else value


class Sentiment(Task):
    """Ordered classes from negative to positive, or a number.

    Headline: macro F1 for classes; the mean absolute error for numbers, which, unlike a correlation, is defined for
    constant predictions and notices a wrong level.
    """

    name = "sentiment"
    summary = "how positive a text is: two, three or five classes, or a number"
    headline = "macro_f1"
    Options = SentimentOptions
    options: SentimentOptions
    minimum_labels = 0  # numbers have none; `check` looks at classes
    samples = Path(__file__).parent / "samples"
    columns = (
        Column("text", "text", ("review", "sentence", "comment", "tweet", "content", "body", "message", "headline")),
        Column(
            "sentiment",
            "label",
            ("stars", "rating", "label", "score", "polarity", "intensity", "overall", "target", "class"),
            target=True,
            help="a class in words or numbers (stars, 0 and 1, -1 to 1), or an intensity",
        ),
    )

    def read(self, table: pd.DataFrame, columns: ColumnMap, part: Part) -> Iterator[Example | Problem]:
        text, gold = columns.one("text"), "" if part == "predict" else columns.one("sentiment")
        cells = table[gold].tolist() if gold else [None] * len(table)
        scale = scale_of([str(cell) for cell in cells], self.options.classes)
        for row, (content, cell) in enumerate(zip(table[text].tolist(), cells, strict=True)):
            column = "text"
            try:
                inputs = {"text": clean_text(content)}
                column = "sentiment"
                written = clean_label(cell) if gold else ""
                target = {"value": scale.read(written), "written": written} if gold else None
            except ValueError as reason:
                yield Problem(row, str(reason), column)
            else:
                yield Example(inputs, target, row)

    def labels_of(self, example: Example) -> Sequence[str]:
        value = example.target["value"] if isinstance(example.target, dict) else example.target
        return (value,) if isinstance(value, str) else ()

    def answer(self, example: Example) -> Any:
        return example.target["value"] if isinstance(example.target, dict) else example.target

    def corrected(self, example: Example, answer: Any) -> Example:
        """Classes are corrected in words: what a number means only the whole column says."""
        value: Any = answer
        if isinstance(self.answer(example), str):
            if answer not in FIVE:
                raise ValueError(f"is {answer!r:.80}, none of {', '.join(FIVE)}")
        elif isinstance(answer, bool) or not isinstance(answer, (int, float)) or not math.isfinite(answer):
            raise ValueError(f"is {answer!r:.80}, not a number")
        else:
            value = float(answer)
        return replace(example, target={"value": value, "written": str(answer)})

    def inventory(self, train: Sequence[Example]) -> Inventory:
        scale = scale_of([example.target["written"] for example in train], self.options.classes)
        values = [scale.read(example.target["written"]) for example in train]
        facts: dict[str, Any] = {"rows": len(train), "classes": scale.classes, "convention": scale.convention}
        if not scale.classes:
            numbers = np.array(values, dtype=np.float64)
            return Inventory(facts={**facts, "mean": float(numbers.mean()), "std": float(numbers.std())})
        counts = Counter(values)
        return Inventory(scale.labels, {label: counts[label] for label in scale.labels}, facts)

    def arrange(self, examples: Sequence[Example], inventory: Inventory, part: Part) -> Sequence[Example]:
        """Read targets on the scale of the training data: a small table may show too little of it."""
        scale = Scale(inventory.facts["classes"], inventory.facts["convention"])
        return [self._on(scale, example) for example in examples]

    def check(self, parts: Mapping[Part, Sequence[Example]], inventory: Inventory) -> Iterable[Finding]:
        seen = [label for label, count in inventory.counts.items() if count]
        if inventory.labels and len(seen) < 2:
            yield Finding("error", f"all training rows are {seen[0]}", "add rows of another sentiment")
        if not inventory.labels and inventory.facts["std"] == 0:
            yield Finding("error", "all training rows have the same intensity", "add rows that differ")
        if inventory.facts["convention"]:
            ways = f"{inventory.facts['convention']} read as {inventory.labels[0]} to {inventory.labels[-1]}"
            yield Finding("note", f"numbers {ways}", 'classes = 2, 3, 5 or "numeric" reads them otherwise')

    def head(self, base: Pretrained, inventory: Inventory, recipe: Recipe) -> Head:
        from nbtune.api import SequenceHead

        return SequenceHead(base, inventory, recipe, kind=_kind(inventory))

    def metrics(self, inventory: Inventory) -> MetricSet:
        if not inventory.labels:
            return number_metrics(center=inventory.facts["mean"])
        by_label = label_metrics(inventory.labels)
        shown = replace(by_label, metrics=tuple(metric for metric in by_label.metrics if metric.name in SHOWN))
        return joined("macro_f1", shown, ordinal_metrics(inventory.labels))

    def tables(
        self, examples: Sequence[Example], predictions: Sequence[Any], inventory: Inventory
    ) -> Mapping[str, pd.DataFrame | str]:
        if not inventory.labels:
            return {}
        per_label = per_label_table(inventory.labels, examples, predictions)
        return {"per class": per_label, **confusion_tables(inventory.labels, examples, predictions)}

    def baselines(self, inventory: Inventory) -> Sequence[Baseline]:
        return majority(inventory, _kind(inventory)), tfidf_logistic(inventory, _kind(inventory))

    def to_row(self, example: Example, prediction: LabelScores | float) -> dict[str, Any]:
        if not isinstance(prediction, LabelScores):
            return {"prediction": prediction}
        label, probability = prediction.top(1)[0]
        return {"prediction": label, "probability": probability, "intensity": intensity(prediction)}

    def render(self, example: Example, prediction: LabelScores | float) -> str:
        text = escape(str(example.inputs["text"]))
        if not isinstance(prediction, LabelScores):
            return f"<div>{text} <strong>{prediction:.2f}</strong></div>"
        label, probability = prediction.top(1)[0]
        value = intensity(prediction)
        bar = f'<meter min="-1" max="1" value="{value:.2f}">{value:+.2f}</meter>'
        return f"<div>{text}<br><label><strong>{escape(label)}</strong> ({probability:.0%}) {bar}</label></div>"

    def _on(self, scale: Scale, example: Example) -> Example:
        if not isinstance(example.target, dict):
            return example
        try:
            return replace(example, target=scale.read(example.target["written"]))
        except ValueError as reason:
            raise DataError(f"row {example.row}: the sentiment {reason}", "correct the row, or leave it out") from None


def intensity(prediction: LabelScores) -> float:
    """The expected place of a text from -1, the most negative class, to 1, the most positive, by probability."""
    return float(prediction.probabilities @ np.linspace(-1, 1, len(prediction.labels)))


def _kind(inventory: Inventory) -> Literal["single", "number"]:
    return "single" if inventory.labels else "number"


__all__ = ["Sentiment"]
