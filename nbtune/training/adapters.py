"""Which parameters learn: all, the upper layers, the head alone, or low-rank adapters (LoRA)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from nbtune.errors import SpecError
from nbtune.tasks.head import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Low-rank adapters (Hu et al., 2021): each adapted weight gains `alpha / rank * B A`.

    `targets` are module names as peft takes them; None adapts every linear layer of the encoder.
    """

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: tuple[str, ...] | None = None


def freeze(head: Head, setting: int | Literal["base"]) -> None:
    """Stop the embeddings and the lower `setting` layers, or everything but the head, from learning.

    Raises:
        SpecError: the model has fewer layers.
    """
    base = base_model(head)
    if setting == "base":
        _stop(base)
        for module in _new_parts(head).values():
            module.requires_grad_(True)
        return
    if setting == 0:
        return
    layers = encoder_layers(head)
    if setting > len(layers):
        raise SpecError(
            f"freeze = {setting}, but the model has {len(layers)} layers",
            f'use freeze = 1 to {len(layers)}, or freeze = "base" to train the head alone',
        )
    for name, module in base.named_children():
        if "embed" in name:
            _stop(module)
    for layer in layers[:setting]:
        _stop(layer)


def add_lora(head: Head, settings: LoraSettings) -> None:
    """Replace `head.model` by one whose only learners are adapters and the parts that are new for the task.

    Raises:
        SpecError: `targets` names no module of the model.
    """
    from peft import LoraConfig, get_peft_model

    targets = list(settings.targets) if settings.targets else _linear_names(head)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        modules_to_save=list(_new_parts(head)) or None,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft's own use of transformers, nothing a user can change
            head.model = get_peft_model(head.model, config)
    except ValueError as error:
        raise SpecError(
            f"LoRA finds no module named {', '.join(targets[:3])}", "leave out lora targets to adapt every linear layer"
        ) from error


def merge_lora(head: Head) -> None:
    """Fold the adapters into the weights and take them off; nothing happens without adapters."""
    if is_lora(head):
        head.model = head.model.merge_and_unload()  # type: ignore[operator]  # peft's method


def load_lora(head: Head, folder: Path) -> None:
    """Put the adapters that were saved unmerged in `folder` onto a fresh `head.model`."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        head.model = PeftModel.from_pretrained(head.model, str(folder))


def name_base(head: Head, name: str) -> None:
    """Record which model the adapters belong to; by default peft would write a path of this machine."""
    for config in head.model.peft_config.values():  # type: ignore[operator]  # peft's attribute
        config.base_model_name_or_path = name


def is_lora(head: Head) -> bool:
    return hasattr(head.model, "peft_config")


def learners(head: Head) -> Iterator[tuple[str, nn.Parameter]]:
    """Name and parameter of everything that learns."""
    for prefix, module in modules(head).items():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                yield f"{prefix}.{name}", parameter


def learns(module: nn.Module) -> bool:
    """Whether any parameter of the module does."""
    return any(parameter.requires_grad for parameter in module.parameters())


def frozen_parts(module: nn.Module) -> Iterator[nn.Module]:
    """The largest submodules that have parameters of which none learns."""
    if learns(module):
        for child in module.children():
            yield from frozen_parts(child)
    elif any(True for _ in module.parameters()):
        yield module


def modules(head: Head) -> dict[str, nn.Module]:
    """The model and what the head trains beside it."""
    return {"model": head.model, **head.extra_modules()}


def base_model(head: Head) -> nn.Module:
    """The pre-trained body inside a transformers model (itself where there is nothing around it)."""
    return getattr(head.model, "base_model", head.model)


def encoder_layers(head: Head) -> list[nn.Module]:
    """The transformer layers, lowest first.

    Raises:
        SpecError: the model's layers cannot be told.
    """
    layers = find_layers(head)
    if layers is None:
        raise SpecError(
            "the layers of this model cannot be told apart",
            'use freeze = "base" (the head alone), lora, or full fine-tuning',
        )
    return layers


def find_layers(head: Head) -> list[nn.Module] | None:
    """The transformer layers, lowest first; None where they cannot be told."""
    config: Any = getattr(head.model, "config", None)
    wanted = getattr(config, "num_hidden_layers", None)
    for module in base_model(head).modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted:
            return list(module)
    return None


def _new_parts(head: Head) -> dict[str, nn.Module]:
    """Children of the model outside its pre-trained body: the classifier on top."""
    base = base_model(head)
    if base is head.model:
        return {}
    return {
        name: module
        for name, module in head.model.named_children()
        if module is not base and any(True for _ in module.parameters())
    }


def _linear_names(head: Head) -> list[str]:
    """Full names of the linear layers inside the transformer layers."""
    inside = {id(part) for layer in encoder_layers(head) for part in layer.modules()}
    return [name for name, part in head.model.named_modules() if isinstance(part, nn.Linear) and id(part) in inside]


def _stop(module: nn.Module) -> None:
    module.requires_grad_(False)
