"""The task: how rows become examples, and how predictions are scored and shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
    clean_text,
    confusion_tables,
    did_you_mean,
    label_metrics,
    majority,
    per_label_table,
    tfidf_logistic,
)
from nbtune_classification.labels import LabelForm, flag_columns, form_of, known_labels
from nbtune_classification.options import ClassificationOptions

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.api import Pretrained

# fmt: off
TEXT_NAMES = (
    "sentence", "utterance", "query", "message", "comment", "review", "content", "body", "tweet", "post", "document",
    "description", "title", "question", "text1", "sentence1", "question1", "text_a", "premise",
)
LABEL_NAMES = (
    "labels", "intent", "category", "class", "target", "topic", "tags", "tag", "categories", "genre", "y",
)
# fmt: on


class Classification(Task):
    """One label a row, or any number of labels a row, for a text or a pair of texts.

    The headline is macro F1, which a model cannot raise by ignoring rare labels; accuracy stands beside it. With
    several labels a row it is the label ranking precision, which needs no thresholds: those are tuned after training,
    and F1 at a half is 0 until the first probability gets there, so it would take an early checkpoint for the best.
    """

    name = "classification"
    summary = "labels for texts: two, many, or any number a row"
    headline = "macro_f1"
    Options = ClassificationOptions
    options: ClassificationOptions
    samples = Path(__file__).parent / "samples"
    columns = (
        Column(
            "text",
            "text",
            TEXT_NAMES,
            help="the text to classify",
        ),
        Column(
            "text_pair",
            "text",
            ("text2", "sentence2", "question2", "text_b", "hypothesis"),
            required=False,
            help="a second text, where the label is about both",
        ),
        Column(
            "label",
            "label",
            LABEL_NAMES,
            target=True,
            help="the label; a cell may hold several, or several columns of 0 and 1 stand for one label each",
        ),
    )

    # --- rows to examples

    def adjust_columns(self, table: pd.DataFrame, columns: ColumnMap) -> ColumnMap:
        flags, reason = self._flags(table, columns)
        if not flags:
            return columns
        return ColumnMap({**columns.names, "label": flags}, {**columns.reasons, "label": reason})

    def read(self, table: pd.DataFrame, columns: ColumnMap, part: Part) -> Iterator[Example | Problem]:
        form = LabelForm() if part == "predict" else form_of(table, columns, self.options)
        texts = [name for name in ("text", "text_pair") if name in columns]
        cells = {name: table[columns.one(name)].tolist() for name in texts}
        targets = [] if part == "predict" else [table[name].tolist() for name in columns.many("label")]
        for row in range(len(table)):
            column = ""
            try:
                inputs = {}
                for name in texts:
                    column = name
                    inputs[name] = clean_text(cells[name][row])
                column = "" if form.flags else "label"
                target = form.read([values[row] for values in targets]) if targets else None
            except ValueError as reason:
                yield Problem(row, str(reason), column)
            else:
                yield Example(inputs, target, row)

    def labels_of(self, example: Example) -> Sequence[str]:
        return tuple(example.target) if isinstance(example.target, list) else super().labels_of(example)

    def order_labels(self, labels: Iterable[str]) -> tuple[str, ...]:
        known = super().order_labels(labels)
        if not self.options.label_names:
            return known
        place = {name: position for position, name in enumerate(self.options.label_names.values())}
        return tuple(sorted(known, key=lambda label: place.get(label, len(place))))

    def inventory(self, train: Sequence[Example]) -> Inventory:
        found = super().inventory(train)
        multi = any(isinstance(example.target, list) for example in train)
        return replace(found, facts={**found.facts, "multi": multi})

    def arrange(self, examples: Sequence[Example], inventory: Inventory, part: Part) -> Sequence[Example]:
        """Bring targets into the form seen in training: a small table may not show that cells hold several labels."""
        form = list if inventory.facts["multi"] else str
        if all(isinstance(example.target, form) for example in examples):
            return examples
        return [replace(example, target=self._as_trained(example, inventory)) for example in examples]

    def check(self, parts: Mapping[Part, Sequence[Example]], inventory: Inventory) -> Iterable[Finding]:
        bare = [example.row for example in parts.get("train", ()) if example.target == []]
        if bare:
            yield Finding("note", "training rows without any label", "", tuple(bare[:20]), len(bare))

    # --- model and scores

    def head(self, base: Pretrained, inventory: Inventory, recipe: Recipe) -> Head:
        if inventory.facts["multi"]:
            from nbtune_classification.head import MultiLabelHead

            return MultiLabelHead(base, inventory, recipe)
        from nbtune.api import SequenceHead

        return SequenceHead(base, inventory, recipe)

    def metrics(self, inventory: Inventory) -> MetricSet:
        if inventory.facts["multi"]:
            return replace(
                label_metrics(inventory.labels, multi=True), headline="label_ranking_precision", by_slice="micro_f1"
            )
        return label_metrics(inventory.labels)

    def tables(
        self, examples: Sequence[Example], predictions: Sequence[LabelScores], inventory: Inventory
    ) -> Mapping[str, pd.DataFrame | str]:
        per_label = {"per label": per_label_table(inventory.labels, examples, predictions)}
        if inventory.facts["multi"]:
            return per_label
        return {**per_label, **confusion_tables(inventory.labels, examples, predictions)}

    def baselines(self, inventory: Inventory) -> Sequence[Baseline]:
        kind: Literal["multi", "single"] = "multi" if inventory.facts["multi"] else "single"
        return majority(inventory, kind), tfidf_logistic(inventory, kind)

    def to_row(self, example: Example, prediction: LabelScores) -> dict[str, Any]:
        if prediction.multi:
            scores = zip(prediction.labels, prediction.probabilities, strict=True)
            probabilities = {label: round(float(score), 4) for label, score in scores}
            return {"prediction": prediction.names, "probabilities": probabilities}
        top = prediction.top(3)
        row: dict[str, Any] = {"prediction": top[0][0], "probability": top[0][1]}
        return row if len(prediction.labels) == 2 else {**row, "top": top}

    def _flags(self, table: pd.DataFrame, columns: ColumnMap) -> tuple[tuple[str, ...], str]:
        """The one-hot label columns and how they were found; none if there is one label column."""
        wanted = self.options.label_columns
        missing = [name for name in wanted if name not in table.columns]
        if missing and len(missing) < len(wanted):
            nearest = did_you_mean(missing[0], map(str, table.columns))
            raise DataError(f"label_columns names {missing[0]!r}, which the data does not have", nearest)
        if wanted:
            return (() if missing else wanted), "named in label_columns"
        if "label" in columns or self.options.multi_label is False:
            return (), ""
        taken = [name for column in columns.names for name in columns.many(column)]
        found = flag_columns(table, taken)
        return (found if len(found) > 1 else ()), "columns of 0 and 1"

    def _as_trained(self, example: Example, inventory: Inventory) -> str | list[str] | None:
        target: str | list[str] | None = example.target
        if inventory.facts["multi"]:
            return known_labels(target, inventory.labels) if isinstance(target, str) else target
        if isinstance(target, list):
            if len(target) != 1:
                raise DataError(
                    f"row {example.row} has {len(target)} labels, but the model gives one a row",
                    "set multi_label = true to train a model that gives several",
                )
            return target[0]
        return target


__all__ = ["Classification"]
