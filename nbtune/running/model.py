"""A saved model, opened: the task, its head with the trained weights, and what it knows of the training data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from nbtune.errors import ModelError
from nbtune.running.disk import replace_folder, settled, write_atomically
from nbtune.running.memory import hold_on
from nbtune.running.spec import RunSpec
from nbtune.tasks.head import Forward, Head, Recipe
from nbtune.tasks.judging import Judgement, judgements
from nbtune.tasks.pretrained import Pretrained, hub_name, pretrained, quiet
from nbtune.tasks.registry import registry
from nbtune.tasks.task import Task
from nbtune.training import adapters
from nbtune.training.batches import Budget, forward_with
from nbtune.training.devices import Device, choose_device
from nbtune.training.int8 import quantise
from nbtune.training.loop import set_training
from nbtune.training.shortcuts import pack_predictions
from nbtune.training.tensor_files import sync
from nbtune.values import Example, Inventory

FORMAT = 1
Progress = Callable[[int, int], None]
"""Takes what is done and what there is to do."""
CARD = "nbtune.json"
_EXTRA = "nbtune_extra.safetensors"


class Model:
    """What predicts: `task`, `head` (in evaluation mode, on `device`), the `inventory` and `recipe` it was made with,
    and the run's `folder`."""

    def __init__(
        self, folder: Path, task: Task, head: Head, inventory: Inventory, recipe: Recipe, device: Device
    ) -> None:
        self.folder = folder
        self.task = task
        self.head = head
        self.inventory = inventory
        self.recipe = recipe
        self.device = device
        self.stamp = 0  # when the files it was opened from were written
        self._budget = Budget()  # found once, kept from one prediction to the next
        for module in adapters.modules(head).values():
            module.to(device.device)
        set_training(head, False)
        pack_predictions(head, device)

    @property
    def forward(self) -> Forward:
        """Runs features through the head in efficient batches."""
        return forward_with(self.head, self.device, budget=self._budget)

    def predict(self, examples: Sequence[Example], progress: Progress | None = None) -> Iterator[Any]:
        """Predictions in the order of the examples. `progress` is called with how many are done, and how many there
        are; within a batch of windows of long texts the first number is an estimate."""
        set_training(self.head, False)
        if progress is None:
            return self.head.predict(examples, self.forward)
        return self._counted(self.head.predict, examples, progress)

    def judge(self, examples: Sequence[Example], progress: Progress | None = None) -> Iterator[Judgement]:
        """What the model thinks of every label of each example, in order; as `predict`.

        Raises:
            RunError: what the task predicts are no labels with probabilities.
        """
        set_training(self.head, False)
        judge = partial(judgements, self.head)
        return judge(examples, self.forward) if progress is None else self._counted(judge, examples, progress)

    def _counted(
        self,
        answer: Callable[[Sequence[Example], Forward], Iterator[Any]],
        examples: Sequence[Example],
        progress: Progress,
    ) -> Iterator[Any]:
        total, given, ahead, said = len(examples), 0, 0, 0

        def say(done: int) -> None:
            nonlocal said
            said = min(max(said, done), total)
            progress(said, total)

        def told(features: int) -> None:
            nonlocal ahead  # answered but not yet given: answers are sorted back, a window of features at a time
            ahead += features
            say(given + ahead)

        forward = forward_with(self.head, self.device, budget=self._budget, told=told)
        for prediction in answer(examples, forward):
            given, ahead = given + 1, 0
            say(given)
            yield prediction


def export(folder: Path, task: Task, head: Head, inventory: Inventory, recipe: Recipe, spec: RunSpec) -> None:
    """Write the run's `model/`: what plain transformers reads, and beside it what nbtune needs.

    Adapters are merged first where the spec says so. Written aside and renamed.
    """
    if spec.lora is not None and spec.lora.merge:
        adapters.merge_lora(head)
    aside = folder / ".model.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    with quiet():
        if adapters.is_lora(head):
            adapters.name_base(head, hub_name(spec.model))
            head.model.config.save_pretrained(aside)  # type: ignore[union-attr, operator]  # peft leaves it out
        head.model.save_pretrained(aside)  # type: ignore[operator]  # a transformers or peft model
        head.tokenizer.save_pretrained(aside)
    extra = {
        f"{name}.{key}": tensor.detach().cpu().contiguous()
        for name, module in head.extra_modules().items()
        for key, tensor in module.state_dict().items()
    }
    if extra:
        save_file(extra, aside / _EXTRA)
    head.save_assets(aside)
    card = {
        "format": FORMAT,
        "task": task.name,
        "options": task.options.model_dump(mode="json"),
        "inventory": {"labels": inventory.labels, "counts": dict(inventory.counts), "facts": dict(inventory.facts)},
        "recipe": asdict(recipe),
        "state": head.state(),
        "temperature": head.temperature,
        "base": spec.model,
    }
    write_atomically(aside / CARD, json.dumps(card, ensure_ascii=False, indent=1))
    for path in (*aside.rglob("*"), aside):
        sync(path)
    replace_folder(aside, folder / "model")


def open_model(
    folder: Path,
    device: str = "auto",
    precision: str = "auto",
    *,
    trust_remote_code: bool = False,
    task: Task | None = None,
) -> Model:
    """Open the `model/` of a run. What a folder says of trusting code is not believed: the caller must say it.
    `task` opens it with a task that is not installed (one being written); by default the registered one of its name.

    Raises:
        ModelError: there is none, or it is damaged or of another format.
    """
    hold_on()
    path = settled(folder / "model")
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"the run {folder.name!r} has no saved model",
            "it was stopped or cut off before its first step; its resume() goes on with it",
        ) from None
    except json.JSONDecodeError as error:
        raise ModelError(f"{CARD} of the run {folder.name!r} is damaged: {error}", "train the run again") from None
    if card["format"] != FORMAT:
        raise ModelError(
            f"the model of {folder.name!r} has format {card['format']}, this version reads {FORMAT}",
            "install the nbtune that wrote it",
        )
    task = (task or registry().task(card["task"])).configured(card["options"])
    facts = card["inventory"]
    inventory = Inventory(labels=tuple(facts["labels"]), counts=facts["counts"], facts=facts["facts"])
    adapted = (path / "adapter_config.json").is_file()
    base = (
        pretrained(card["base"], trust_remote_code=trust_remote_code)
        if adapted
        else Pretrained(folder.name, str(path), trust_remote_code)
    )
    recipe = Recipe(**card["recipe"])
    head = task.head(base, inventory, recipe)
    if adapted:
        adapters.load_lora(head, path)
    _load_extra(head, path)
    head.restore(card["state"])
    head.temperature = card.get("temperature", 1.0)  # models of earlier versions have none
    head.load_assets(path)
    if precision != "int8":
        return Model(folder, task, head, inventory, recipe, choose_device(device, precision))
    model = Model(folder, task, head, inventory, recipe, choose_device("cpu", "fp32"))
    quantise(head)
    return model


def kept_recipe(folder: Path) -> Recipe:
    """The recipe that the model of a run was made with; the model must be there."""
    card = json.loads((settled(folder / "model") / CARD).read_text(encoding="utf-8"))
    return Recipe(**card["recipe"])


def _load_extra(head: Head, path: Path) -> None:
    file = path / _EXTRA
    if not file.is_file():
        return
    tensors = load_file(file)
    for name, module in head.extra_modules().items():
        own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        module.load_state_dict(own)
