"""The task `ner`. Nothing here imports torch or pandas before it is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nbtune.api import (
    Baseline,
    Column,
    ColumnMap,
    DataError,
    Example,
    Finding,
    Head,
    Inventory,
    MetricSet,
    Panel,
    Part,
    Problem,
    Recipe,
    Slice,
    Task,
    TaskOptions,
)
from nbtune_ner.reading import entity_spans, gold, read_text, read_tokens, tag_spans, with_tokens
from nbtune_ner.schemes import Scheme, WordSpan, write_tags
from nbtune_ner.violations import violations
from nbtune_ner.words import touched

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.api import Pretrained

_SUBWORDS_FROM = 0.01
"""The share of training entities that begin or end inside a word from which subwords are labelled, not words."""


class NerOptions(TaskOptions):
    """The settings of `ner`."""

    scheme: Scheme = Field("auto", description="tag scheme of the tags column; auto reads BIO, IOB1, BIOES and BILOU")
    tag_names: tuple[str, ...] | None = Field(None, description="names of numbered tags: ['O', 'B-PER', 'I-PER', ...]")
    units: Literal["auto", "word", "subword"] = Field(
        "auto", description="what is labelled in raw text; auto takes subwords if 1% of entities end inside a word"
    )
    stride: int | None = Field(
        None, ge=0, description="tokens shared by neighbouring windows of a long text; a quarter of a window if not set"
    )
    decoding: Literal["argmax", "viterbi"] = Field(
        "argmax", description="each word's best tag, repaired as conlleval does, or the best valid sequence"
    )


class Ner(Task):
    """Named entities from tokens with tags, or from texts with character spans."""

    name: ClassVar[str] = "ner"
    summary: ClassVar[str] = "find names of people, places, products ... in text"
    headline: ClassVar[str] = "entity_f1"
    minimum_labels: ClassVar[int] = 1
    fixes: ClassVar[tuple[str, ...]] = (*Task.fixes, "repair_tags")
    Options: ClassVar[type[TaskOptions]] = NerOptions
    samples: ClassVar[Path | None] = Path(__file__).parent / "samples"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("tokens", "tokens", ("words", "token", "word"), required=False, help="list of words"),
        Column(
            "tags",
            "tags",
            ("ner_tags", "ner", "bio", "iob", "labels", "ner_labels", "tag", "label"),
            required=False,
            target=True,
            help="list of tags such as B-PER, one a token",
        ),
        Column(
            "text",
            "text",
            ("sentence", "content", "document", "sentences", "tweet", "body"),
            required=False,
            help="raw text, in place of tokens",
        ),
        Column(
            "entities",
            "spans",
            ("spans", "ents", "annotations", "labels", "label", "ner"),
            required=False,
            target=True,
            help="list of {start, end, type} in characters of the text, `end` exclusive",
        ),
    )
    options: NerOptions

    # --- dataset adapter

    def adjust_columns(self, table: pd.DataFrame, columns: ColumnMap) -> ColumnMap:
        """Keep one of the two forms: tokens with tags, or text with entities."""
        if "tokens" not in columns and "text" not in columns:
            raise DataError(
                f"ner found neither tokens nor a text among the columns {', '.join(map(str, table.columns))}",
                'name them: [columns] tokens = "...", tags = "...", or [columns] text = "...", entities = "..."',
            )
        by_tokens = "tokens" in columns and ("tags" in columns or "text" not in columns or "entities" not in columns)
        # a column called "label" may have been taken for the target of the other form
        kept = (
            {"tokens": "tokens", "tags": "tags" if "tags" in columns else "entities"}
            if by_tokens
            else {"text": "text", "entities": "entities" if "entities" in columns else "tags"}
        )
        return ColumnMap(
            {name: columns.names[guessed] for name, guessed in kept.items() if guessed in columns},
            {name: columns.reasons[guessed] for name, guessed in kept.items() if guessed in columns.reasons},
        )

    def read(self, table: pd.DataFrame, columns: ColumnMap, part: Part) -> Iterator[Example | Problem]:
        source, target = ("tokens", "tags") if "tokens" in columns else ("text", "entities")
        inputs = table[columns.one(source)]
        if part == "predict":
            answers: Iterable[Any] = [None] * len(table)
        elif target in columns:
            answers = table[columns.one(target)]
        else:
            raise DataError(
                f"ner found a column for {source} ({columns.one(source)}) but none for {target}",
                f'name it: [columns] {target} = "..." (there are: {", ".join(map(str, table.columns))})',
            )
        for row, (cell, answer) in enumerate(zip(inputs, answers, strict=True)):
            yield self._read_row(row, cell, answer, columns, part)

    def _read_row(self, row: int, cell: Any, answer: Any, columns: ColumnMap, part: Part) -> Example | Problem:
        by_tokens = "tokens" in columns
        column = columns.one("tokens" if by_tokens else "text")
        try:
            inputs = read_tokens(cell) if by_tokens else read_text(cell)
            if part == "predict":
                return Example(inputs, row=row)
            column = columns.one("tags" if by_tokens else "entities")
            if by_tokens:
                target = tag_spans(answer, inputs, self.options.scheme, self.options.tag_names)
            else:
                target = entity_spans(answer, inputs)
        except ValueError as error:
            return Problem(row, str(error), column)
        return Example(inputs, target, row)

    def check_table(self, table: pd.DataFrame, columns: ColumnMap, part: Part) -> Iterable[Finding]:
        if "tags" not in columns:
            return ()
        return violations(table[columns.one("tags")], part, self.options.scheme, self.options.tag_names)

    def with_texts(self, example: Example, change: Callable[[str], str]) -> Example | None:
        return with_tokens(example, change) if "tokens" in example.inputs else None

    def labels_of(self, example: Example) -> Sequence[str]:
        return [kind for _, _, kind in gold(example)]

    def identity(self, example: Example) -> str:
        return str(example.inputs["text"]).casefold().strip()

    def inventory(self, train: Sequence[Example]) -> Inventory:
        """Types with their counts; as facts the words of each BIO tag, and what is labelled in raw text."""
        counts: Counter[str] = Counter()
        tags: Counter[str] = Counter()
        inside = 0
        for example in train:  # once: a million examples are read anew each time
            counts.update(self.labels_of(example))
            tags.update(_word_tags(example))
            inside += _inside_words(example)
        types = self.order_labels(counts)
        auto = "subword" if inside and inside >= _SUBWORDS_FROM * counts.total() else "word"
        units = auto if self.options.units == "auto" else self.options.units
        facts = {"rows": len(train), "tags": dict(sorted(tags.items())), "units": units}
        return Inventory(types, {kind: counts[kind] for kind in types}, facts)

    def check(self, parts: Mapping[Part, Sequence[Example]], inventory: Inventory) -> Iterable[Finding]:
        units = inventory.facts["units"]
        for part, examples in parts.items():
            of_tokens = bool(examples) and "tokens" in examples[0].inputs  # then all of them: it is their column
            split = {} if of_tokens else {each.row: n for each in examples if (n := _inside_words(each))}
            count = sum(split.values())
            if count:
                handled = (
                    "subwords are labelled, so that they can be found"
                    if units == "subword"
                    else 'they are learned as whole words and count as missed; units = "subword" can find them'
                )
                yield Finding(
                    "note" if units == "subword" else "warning",
                    f"{count:,} entities of {part} begin or end inside a word",
                    handled,
                    tuple(split)[:10],
                    count,
                )
            if part != "train" and examples and not any(gold(example) for example in examples):
                yield Finding(
                    "warning", f"{part} has no entities: every entity score is 0", "give a part that has some"
                )

    def corrected(self, example: Example, answer: Any) -> Example:
        return replace(example, target=entity_spans(answer, example.inputs))

    def answer_in_words(self, example: Example, answer: Any) -> str:
        text = example.inputs["text"]
        return ", ".join(f"{text[start:end]} ({kind})" for start, end, kind in answer)

    # --- head

    def head(self, base: Pretrained, inventory: Inventory, recipe: Recipe) -> Head:
        from nbtune_ner.head import NerHead

        return NerHead(base, inventory, recipe, self.options)

    # --- metrics

    def metrics(self, inventory: Inventory) -> MetricSet:
        from nbtune_ner.metrics import entity_metrics

        return entity_metrics(inventory.labels)

    def tables(
        self, examples: Sequence[Example], predictions: Sequence[Any], inventory: Inventory
    ) -> Mapping[str, pd.DataFrame | str]:
        from nbtune_ner.tables import entity_tables

        return entity_tables(examples, predictions)

    def baselines(self, inventory: Inventory) -> Sequence[Baseline]:
        def look_up(train: Sequence[Example], examples: Sequence[Example]) -> Sequence[Any]:
            from nbtune_ner.baselines import look_up

            return look_up(train, examples)

        return (Baseline("names seen in training", look_up),)

    def slices(
        self, examples: Sequence[Example], predictions: Sequence[Any], train: Sequence[Example], inventory: Inventory
    ) -> Iterable[Slice]:
        from nbtune_ner.slices import by_sight

        return by_sight(examples, predictions, train) if train else ()

    def confidences(self, example: Example, prediction: Any) -> Iterable[tuple[float, bool]]:
        wanted = set(gold(example))
        for entity in prediction["entities"]:
            yield entity["confidence"], (entity["start"], entity["end"], entity["type"]) in wanted

    # --- predictions for people

    def to_row(self, example: Example, prediction: Any) -> dict[str, Any]:
        return {"entities": [dict(entity) for entity in prediction["entities"]]}

    def panels(self) -> Sequence[Panel]:
        from nbtune_ner.panel import document_panel

        return (document_panel(),)

    def render(self, example: Example, prediction: Any) -> str | None:
        from nbtune_ner.rendering import render_entities

        return render_entities(example, prediction)


def _word_tags(example: Example) -> list[str]:
    words = example.inputs["words"]
    spans: list[WordSpan] = []
    for start, end, kind in gold(example):
        first, stop = touched(words, start, end)
        if first < stop and (not spans or spans[-1][1] <= first):
            spans.append((first, stop, kind))
    return write_tags(spans, len(words))


def _inside_words(example: Example) -> int:
    """How many entities begin or end inside a word."""
    if "tokens" in example.inputs or not example.target:
        return 0
    starts = {start for start, _ in example.inputs["words"]}
    ends = {end for _, end in example.inputs["words"]}
    return sum(start not in starts or end not in ends for start, end, _ in gold(example))
