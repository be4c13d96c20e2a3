"""The head: a token classifier over BIO labels, in overlapping windows where a text is longer than the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nbtune.api import Batch, Example, Explained, Feature, Head, Inventory, Judgement, Recipe, SpecError, tokens_read
from nbtune_ner.judging import judge
from nbtune_ner.predictions import Entity, Prediction, entity_at, picked
from nbtune_ner.reading import gold
from nbtune_ner.tagging import IGNORED, Ints, Scores, best_valid_path, find_entities, label_names, label_units, softmax
from nbtune_ner.units import Tokenized, UnitTokenizer, places
from nbtune_ner.windows import Window, cut

if TYPE_CHECKING:
    from nbtune.api import Pretrained
    from nbtune_ner.task import NerOptions

_UNITS = ("unit_starts", "unit_ends")


@dataclass(frozen=True, slots=True)
class Scored:
    """Units with their characters, [units], and the scores of every label, [units, labels]."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    logits: NDArray[np.float32]


class NerHead(Head):
    """`AutoModelForTokenClassification` over O and B, I of each type.

    A feature's outputs are those of the units it owns.
    """

    def __init__(self, base: Pretrained, inventory: Inventory, recipe: Recipe, options: NerOptions) -> None:
        self.tokenizer = base.tokenizer
        self._names = label_names(inventory.labels)
        self._types = {kind: index for index, kind in enumerate(inventory.labels)}
        self._kinds = inventory.labels
        self._recipe = recipe
        self._options = options
        self._weights = _label_weights(self._names, inventory, recipe)
        self._tokenize = UnitTokenizer(self.tokenizer, inventory.facts.get("units", "word"))
        # a base that was itself fine-tuned for other labels gets a new last layer
        self.model = base.load(
            "token-classification",
            id2label=dict(enumerate(self._names)),
            label2id={name: index for index, name in enumerate(self._names)},
            ignore_mismatched_sizes=True,
        )
        special = self._tokenize.prefix.shape[1] + self._tokenize.suffix.shape[1]
        self._room = recipe.max_length - special
        cut(0, self._room, options.stride)  # a stride that does not fit is refused now, not at the first long text

    def encode(self, examples: Sequence[Example], *, training: bool) -> Iterator[list[Feature]]:
        for example, tokenized in zip(examples, self._tokenize(examples), strict=True):
            labels = self._labels(example, tokenized) if training else None
            windows = cut(len(tokenized.ids), self._room, self._options.stride)
            yield [self._feature(tokenized, window, labels) for window in windows]

    def features_key(self) -> Mapping[str, Any]:
        return {}

    def loss(self, batch: Batch) -> Tensor:
        with tokens_read(batch["labels"] != IGNORED):
            logits = self.model(**_fed(batch)).logits.float()
        labels = batch["labels"].flatten()
        weights = None if self._weights is None else self._weights.to(logits.device)
        total = F.cross_entropy(
            logits.flatten(0, 1),
            labels,
            weight=weights,
            ignore_index=IGNORED,
            label_smoothing=self._recipe.label_smoothing,
            reduction="sum",
        )
        # a batch of windows that own no word has weight 0, and must not give 0 / 0
        return total / self._mass(labels).clamp(min=1e-9)

    def weigh(self, batch: Batch) -> float:
        return float(self._mass(batch["labels"].flatten()))

    def padding(self) -> Mapping[str, int]:
        return dict.fromkeys(_UNITS, -1)

    def outputs(self, batch: Batch) -> list[Scored]:
        with tokens_read(batch["unit_starts"] >= 0):
            logits = self.model(**_fed(batch)).logits.float().cpu().numpy()
        starts, ends = (batch[key].cpu().numpy() for key in _UNITS)
        return [
            Scored(starts[row, owned], ends[row, owned], logits[row, owned]) for row, owned in enumerate(starts >= 0)
        ]

    def decode(self, example: Example, outputs: Sequence[Scored]) -> Prediction:
        starts, ends, logits, labels = self._labelled(outputs)
        found = find_entities(labels)
        entities: list[Entity] = []
        if len(found.first):
            sure = np.take_along_axis(softmax(logits / self.temperature), labels[:, None], axis=-1)[:, 0]
            for first, stop, kind in zip(found.first, found.stop, found.kind, strict=True):
                start, end = int(starts[first]), int(ends[stop - 1])
                confidence = float(sure[first:stop].mean())
                entities.append(entity_at(example, start, end, self._kinds[kind], confidence))
        return {"entities": entities, "repaired": found.repaired.tolist()}

    def judge(self, example: Example, outputs: Sequence[Scored]) -> Judgement:
        starts, ends, logits, labels = self._labelled(outputs)
        spans = None if example.target is None else gold(example)
        return judge(spans, self._types, starts, ends, softmax(logits / self.temperature), labels)

    def _labelled(self, outputs: Sequence[Scored]) -> tuple[Ints, Ints, Scores, Ints]:
        """The units of a text: first and last characters, the scores of every label, the label decided for."""
        logits = np.concatenate([units.logits for units in outputs])
        starts, ends = (np.concatenate(part) for part in zip(*((u.starts, u.ends) for u in outputs), strict=True))
        labels = best_valid_path(logits) if self._options.decoding == "viterbi" else logits.argmax(axis=-1)
        return starts, ends, logits, labels

    def explained(self, example: Example, prediction: Prediction, target: str | None) -> list[Explained]:
        """The entities that were found, or the first of this text or type. Explained are the log-odds of the type, a
        mean over the words of the entity, whether they begin it or go on with it."""
        (tokenized,) = self._tokenize([example])
        windows = cut(len(tokenized.ids), self._room, self._options.stride)
        chosen = picked(prediction["entities"], target)
        return [self._explained(tokenized, windows, entity) for entity in chosen]

    def _explained(self, tokenized: Tokenized, windows: Sequence[Window], entity: Entity) -> Explained:
        named = (tokenized.starts >= entity["start"]) & (tokenized.ends <= entity["end"]) & (tokenized.starts >= 0)
        reading = [window for window in windows if named[window.own_start : window.own_end].any()]
        before, after = self._tokenize.prefix.shape[1], self._tokenize.suffix.shape[1]
        around = places(tokenized)
        inside = [2 * self._types[entity["type"]] + offset for offset in (1, 2)]

        def share(window: Window) -> NDArray[np.float32]:
            own = np.zeros(before + window.end - window.start + after, dtype=np.float32)
            place = before + window.own_start - window.start
            own[place : place + window.own_end - window.own_start] = named[window.own_start : window.own_end]
            own /= named.sum()
            return own

        def score(batch: Batch) -> Tensor:
            logits = self.model(**{key: value for key, value in _fed(batch).items() if key != "share"}).logits.float()
            others = [label for label in range(len(self._names)) if label not in inside]
            odds = logits[..., inside].logsumexp(-1) - logits[..., others].logsumexp(-1)
            total: Tensor = (odds * batch["share"]).sum(-1)
            return total

        return Explained(
            target=f"{entity['text']} as {entity['type']}",
            probability=entity["confidence"],
            features=[{**self._feature(tokenized, window, None), "share": share(window)} for window in reading],
            places=[[*[None] * before, *around[window.start : window.end], *[None] * after] for window in reading],
            score=score,
            about=("text", entity["start"], entity["end"]),
        )

    def _labels(self, example: Example, tokenized: Tokenized) -> NDArray[np.int64]:
        """The label of every token, `IGNORED` where it carries none."""
        carriers = np.flatnonzero(tokenized.starts >= 0)
        labels = np.full(len(tokenized.ids), IGNORED, dtype=np.int64)
        labels[carriers] = label_units(gold(example), self._types, tokenized.starts[carriers], tokenized.ends[carriers])
        return labels

    def _feature(self, tokenized: Tokenized, window: Window, labels: NDArray[np.int64] | None) -> Feature:
        prefix, suffix = self._tokenize.prefix, self._tokenize.suffix
        ids = tokenized.ids[window.start : window.end]
        if not len(ids) and not prefix.size and not suffix.size:
            ids = np.asarray([self.tokenizer.pad_token_id or 0])  # a model must be fed something
        feature: dict[str, Any] = {"input_ids": np.concatenate((prefix[0], ids, suffix[0]))}
        feature["attention_mask"] = np.ones_like(feature["input_ids"])
        if "token_type_ids" in self.tokenizer.model_input_names:
            feature["token_type_ids"] = np.concatenate((prefix[1], np.zeros_like(ids), suffix[1]))
        own = slice(window.own_start, window.own_end)
        place = prefix.shape[1] + window.own_start - window.start
        carried = (
            {"labels": (labels, IGNORED)}
            if labels is not None
            else {"unit_starts": (tokenized.starts, -1), "unit_ends": (tokenized.ends, -1)}
        )
        for key, (values, filler) in carried.items():
            feature[key] = np.full(len(feature["input_ids"]), filler, dtype=np.int64)
            feature[key][place : place + window.own_end - window.own_start] = values[own]
        return feature

    def _mass(self, labels: Tensor) -> Tensor:
        """Over how much the loss is a mean: labelled units, or the sum of their weights."""
        known = labels != IGNORED
        if self._weights is None:
            return known.sum()
        return (self._weights.to(labels.device)[labels.clamp(min=0)] * known).sum()


def _fed(batch: Batch) -> Batch:
    return {key: value for key, value in batch.items() if key != "labels" and key not in _UNITS}


def _label_weights(names: Sequence[str], inventory: Inventory, recipe: Recipe) -> Tensor | None:
    """A weight for each label: by type from a mapping, or `balanced`: words / (labels * words of this label)."""
    chosen = recipe.class_weights
    if chosen is None:
        return None
    if isinstance(chosen, Mapping):
        unknown = [key for key in chosen if key != "O" and key not in inventory.labels and key not in names]
        if unknown:
            raise SpecError(
                f"class_weights names {unknown[0]!r}, which is no entity type of the training data",
                f"the types are: {', '.join(inventory.labels)} (and O)",
            )
        return torch.tensor([float(chosen.get(name, chosen.get(name[2:] or name, 1.0))) for name in names])
    counts = torch.tensor([float(inventory.facts["tags"].get(name, 0)) for name in names])
    present = counts > 0
    balanced = counts.sum() / (present.sum() * counts.clamp(min=1.0))
    return torch.where(present, balanced, torch.ones(()))  # a label that never occurs is never weighed
