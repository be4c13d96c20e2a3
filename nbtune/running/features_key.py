"""What features depend on, in one digest: where anything of it differs, other features are kept and found."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbtune.data.packing import PackedExamples
from nbtune.running.plan import Plan
from nbtune.tasks.head import Head

_PLACES = {"name_or_path", "vocab_file", "merges_file", "tokenizer_file", "is_local", "local_files_only"}
"""Settings of a tokenizer that say where it lies and not what it does."""


def features_key(plan: Plan, head: Head, examples: PackedExamples) -> str | None:
    """The digest, or None where not all that the features depend on can be known."""
    own = _answer(head)
    tokenizer = _tokenizer(head.tokenizer)
    code = _code(head, plan.task)
    if own is None or tokenizer is None or code is None:
        return None
    facts = {
        "versions": [version(name) for name in ("transformers", "tokenizers")],
        "code": code,
        "task": plan.task.name,
        "options": plan.task.options.model_dump(mode="json"),
        "inventory": asdict(plan.prepared.inventory),
        "recipe": asdict(plan.recipe),
        "model": plan.base.config.to_json_string(),
        "tokenizer": tokenizer,
        "head": [f"{type(head).__module__}.{type(head).__qualname__}", own],
        "examples": [examples.digest, *_beside(examples)],
    }
    return _digest(facts)


def _answer(head: Head) -> Mapping[str, Any] | None:
    """What the head adds; None unless the class that wrote its `encode`, or a subclass of that, answers."""
    kinds = type(head).__mro__
    if "encode" in vars(head) or "features_key" in vars(head):
        return None
    writer = next(kind for kind in kinds if "encode" in vars(kind))
    speaker = next(kind for kind in kinds if "features_key" in vars(kind))
    return head.features_key() if issubclass(speaker, writer) else None


def _tokenizer(tokenizer: Any) -> str | None:
    """A tokenizer's whole state; None for those that run Python code of a stranger's, or have no state to show."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not hasattr(backend, "to_str") or not type(tokenizer).__module__.startswith("transformers."):
        return None
    settings = {name: value for name, value in tokenizer.init_kwargs.items() if name not in _PLACES}
    now = {
        name: getattr(tokenizer, name, None)
        for name in ("model_max_length", "padding_side", "truncation_side", "model_input_names", "special_tokens_map")
    }
    return _digest([type(tokenizer).__qualname__, backend.to_str(), settings, now])


def _code(*objects: Any) -> str | None:
    """The source of the packages that the objects' classes come from: a plugin may change without a new version.

    None for code that is in no file, such as a class written in a notebook.
    """
    names = {kind.__module__.partition(".")[0] for each in objects for kind in type(each).__mro__}
    digest = hashlib.sha256()
    for name in sorted(names - sys.stdlib_module_names):
        files = list(_sources(name))
        if not files:
            return None
        for file in files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(name: str) -> Iterator[Path]:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # __main__ has none
        return
    if spec is None:
        return
    if spec.submodule_search_locations:
        for place in spec.submodule_search_locations:
            yield from sorted(Path(place).rglob("*.py"))
    elif spec.origin and Path(spec.origin).is_file():
        yield Path(spec.origin)


def _beside(examples: PackedExamples) -> list[str]:
    """Digests of rows and groups, which a head may read too (as a seed, say)."""
    rows = hashlib.sha256(examples.rows.tobytes()).hexdigest()
    groups = "" if examples.groups is None else _digest(examples.groups.tolist())
    return [rows, groups]


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=repr).encode()).hexdigest()
