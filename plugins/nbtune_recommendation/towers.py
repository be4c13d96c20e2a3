"""Two towers that share the encoder: an item is its text's mean token vector, a user the items they liked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nbtune.api import Batch, Example, Feature, Forward, Inventory, Pretrained, Recipe
from nbtune_recommendation.catalogue import Catalogue
from nbtune_recommendation.encoding import pool, pool_texts
from nbtune_recommendation.options import RecommendationOptions
from nbtune_recommendation.profiles import Matcher, Scores
from nbtune_recommendation.ranking_head import RankingHead
from nbtune_recommendation.vectors import VectorStore

BLOCKED = -1e9
LARGEST_SCALE = 100.0


class Towers(nn.Module):
    """What is learned beside the encoder.

    `centre` is taken from every item vector: the texts of a catalogue are alike, and what they share tells nothing.
    A user is the mean of their items' vectors; an item that is n likes old weighs exp(-forgetting n).
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.zeros(size))
        # both are kept at a tenth, so that they move further than the encoder's weights at the same learning rate
        self.log_scale_tenth = nn.Parameter(torch.tensor(math.log(20.0) / 10))
        self.forgetting_tenth = nn.Parameter(torch.tensor(-0.4))

    @property
    def scale(self) -> Tensor:
        return (10 * self.log_scale_tenth).exp().clamp(max=LARGEST_SCALE)

    @property
    def forgetting(self) -> Tensor:
        return F.softplus(10 * self.forgetting_tenth)

    def place(self, pooled: Tensor) -> Tensor:
        """Item vectors of length 1 from pooled texts, shape [items, size]."""
        return F.normalize(pooled - self.centre, dim=-1)


class TowersHead(RankingHead):
    """Learns from stretches of histories; scores a catalogue by one matrix product a user."""

    def __init__(self, base: Pretrained, inventory: Inventory, recipe: Recipe, options: RecommendationOptions) -> None:
        super().__init__(Catalogue.of(inventory), options)
        self.tokenizer = base.tokenizer
        self.recipe = recipe
        self.seed = recipe.seed
        self.model = base.load("base")
        self.towers = Towers(int(self.model.config.hidden_size))
        self.vectors = VectorStore()
        self._users = {user: number for number, user in enumerate(self.catalogue.liked)}
        self._liked = [frozenset(items) for items in self.catalogue.liked.values()]
        self._tokens: list[list[int]] = []
        # in-batch candidates come as often as they are popular (Yi et al., 2019)
        met = np.maximum(1.0, self.catalogue.popularity)
        self._log_q = options.correction * torch.tensor(np.log(met / met.sum()), dtype=torch.float32)

    def extra_modules(self) -> Mapping[str, nn.Module]:
        return {"towers": self.towers}

    def padding(self) -> Mapping[str, int]:
        return {"items": -1}

    # --- learning

    def encode(self, examples: Sequence[Example], *, training: bool) -> Iterator[list[Feature]]:
        """Positions of items, whose texts the loss encodes once a batch; outside training, the texts' tokens."""
        for example in examples:
            if training:
                stretch = {key: example.inputs[key] for key in ("items", "liked", "start")}
                yield [{**stretch, "user": self._users[example.inputs["user"]]}]
            elif "item" in example.inputs:
                yield self._features([example.inputs["text"]])
            else:
                history = self.view(example, self.catalogue).history
                yield self._features([self.catalogue.texts[item] for item in history])

    def features_key(self) -> Mapping[str, Any]:
        return {}

    def loss(self, batch: Batch) -> Tensor:
        """Softmax over the batch's items of what was liked next, and a margin above what was met and not liked."""
        self._find_centre()
        items = batch["items"]
        found, place = torch.unique(items, return_inverse=True)
        padded = int(found[0] < 0)
        found, place = found[padded:], (place - padded).clamp(min=0)
        vectors = self._encode_items(found.tolist())
        wanted, ordinal = _wanted(batch)
        rows, columns = wanted.nonzero(as_tuple=True)
        match = self._profiles(batch, vectors[place], rows, columns, ordinal) @ vectors.T * self.towers.scale
        target = place[rows, columns]
        loss = self._softmax(match, found, target, batch["user"][rows])
        disliked = (items >= 0) & (batch["liked"] == 0)
        return loss + _margin(match, target, place[rows], disliked[rows])

    def weigh(self, batch: Batch) -> float:
        return float(_wanted(batch)[0].sum())

    def _profiles(self, batch: Batch, vectors: Tensor, rows: Tensor, columns: Tensor, ordinal: Tensor) -> Tensor:
        """User vectors just before each wanted item, shape [wanted, size]."""
        age = ordinal[rows, columns][:, None] - 1 - ordinal[rows]
        used = _liked(batch)[rows] & (age >= 0) & (age < self.options.history)
        weight = (-self.towers.forgetting * age).masked_fill(~used, BLOCKED)
        return torch.einsum("wh,whd->wd", torch.softmax(weight, dim=1), vectors[rows])

    def _softmax(self, match: Tensor, found: Tensor, target: Tensor, users: Tensor) -> Tensor:
        also_liked = (
            self._also_liked(found.tolist(), users.tolist()).to(match.device).scatter(1, target[:, None], False)
        )
        logits = (match - self._log_q.to(match.device)[found]).masked_fill(also_liked, BLOCKED)
        shares = torch.log_softmax(logits, dim=1)
        loss = -shares.gather(1, target[:, None]).mean()
        smooth = self.recipe.label_smoothing
        if not smooth:
            return loss
        even = -(shares.masked_fill(also_liked, 0.0).sum(1) / (~also_liked).sum(1)).mean()
        return (1 - smooth) * loss + smooth * even

    def _also_liked(self, items: Sequence[int], users: Sequence[int]) -> Tensor:
        """Whether a row's user likes an item at any time, shape [users, items]: such an item is no negative."""
        known = {user: torch.tensor([item in self._liked[user] for item in items]) for user in set(users)}
        return torch.stack([known[user] for user in users])

    def _encode_items(self, positions: Sequence[int]) -> Tensor:
        return self.towers.place(self._pooled(positions))

    def _pooled(self, positions: Sequence[int]) -> Tensor:
        if not self._tokens:
            self._tokens = self._tokenize(self.catalogue.texts)
        tokens = [self._tokens[position] for position in positions]
        return pool_texts(self.model, tokens, self.tokenizer.pad_token_id or 0, self.towers.centre.device)

    def _find_centre(self) -> None:
        """Before the first step of a new model: the centre is the mean item as the base model sees it."""
        if bool(self.towers.centre.any()):
            return
        mode = self.model.training
        self.model.eval()
        some = np.random.default_rng(self.seed).permutation(len(self.catalogue))[:512]
        with torch.no_grad():
            self.towers.centre.copy_(self._pooled(some.tolist()).mean(0))
        self.model.train(mode)

    # --- scoring

    def outputs(self, batch: Batch) -> list[NDArray[np.float32]]:
        pooled = pool(self.model, batch["input_ids"], batch["attention_mask"])
        return list(self.towers.place(pooled.float()).cpu().numpy())

    def decode(self, example: Example, outputs: Sequence[Any]) -> NDArray[np.float32]:
        """The mean of the item vectors; rankings are made in `predict`."""
        return np.mean(outputs, axis=0, dtype=np.float32) if len(outputs) else np.zeros(0, dtype=np.float32)

    def matcher(self, catalogue: Catalogue, forward: Forward) -> Matcher:
        vectors = self.item_vectors(catalogue, forward)
        return vector_matcher(
            vectors,
            scale=self.towers.scale.item(),
            forgetting=self.towers.forgetting.item(),
            latest=self.options.history,
        )

    def item_vectors(self, catalogue: Catalogue, forward: Forward) -> NDArray[np.float32]:
        """Unit vectors of all items, shape [items, size], computed once as long as weights and texts stay."""

        def compute(texts: Sequence[str]) -> NDArray[np.float32]:
            return np.stack(list(forward(self._features(texts)))).astype(np.float32)

        return self.vectors.of(catalogue.texts, self.fingerprint(), compute)

    def fingerprint(self) -> NDArray[np.float64]:
        """The sum of every weight matrix, shape [parameters]."""
        with torch.no_grad():
            parameters = [*self.model.parameters(), *self.towers.parameters()]
            exact = torch.float32 if parameters[0].device.type == "mps" else torch.float64
            return np.asarray([float(parameter.sum(dtype=exact)) for parameter in parameters])

    def save_assets(self, folder: Path) -> None:
        self.vectors.save(folder, self.catalogue.texts, self.fingerprint())

    def load_assets(self, folder: Path) -> None:
        self.vectors.load(folder, self.catalogue.texts)

    def _features(self, texts: Sequence[str]) -> list[Feature]:
        return [{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in self._tokenize(texts)]

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        return list(self.tokenizer(list(texts), truncation=True, max_length=self.recipe.max_length)["input_ids"])


def vector_matcher(vectors: NDArray[np.float32], *, scale: float, forgetting: float, latest: int) -> Matcher:
    """Scores of all items from the user's vector: one product with the matrix of item vectors."""

    def match(history: Sequence[int]) -> Scores:
        own = list(history)[-latest:]
        weight = np.exp(-forgetting * np.arange(len(own) - 1, -1, -1, dtype=np.float32))
        scores: Scores = vectors @ (scale * (weight / weight.sum()) @ vectors[own]).astype(np.float32)
        return scores

    return match


def _liked(batch: Batch) -> Tensor:
    return (batch["liked"] == 1) & (batch["items"] >= 0)


def _wanted(batch: Batch) -> tuple[Tensor, Tensor]:
    """Which items are to be predicted, and how many liked ones come before each, both [stretches, longest]."""
    liked = _liked(batch)
    ordinal = liked.cumsum(1) - liked.long()
    steps = torch.arange(liked.shape[1], device=liked.device)
    return liked & (steps >= batch["start"][:, None]) & (ordinal > 0), ordinal


def _margin(match: Tensor, target: Tensor, place: Tensor, disliked: Tensor) -> Tensor:
    """Mean of -log sigmoid(liked - not liked) over pairs of one stretch (Rendle et al., 2009); 0 without such items."""
    if not bool(disliked.any()):
        return match.new_zeros(())
    apart = match.gather(1, target[:, None]) - match.gather(1, place)
    return -F.logsigmoid(apart)[disliked].mean()
