"""What a run is made of: settings, data and base model. A checkpoint belongs to these and to no others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbtune.running.plan import Plan
from nbtune.running.spec import RunSpec
from nbtune.tasks.pretrained import Pretrained

HARMLESS = frozenset(
    {
        *("name", "data", "validation", "test", "columns", "split_seed"),
        *("seeds", "checkpoint_every", "device", "trust_remote_code"),
    }
)
"""Settings that a resume may change: names, how data that is compared anyway is found and split, how many seeds there
are, how often is saved, and where the arithmetic runs (which is noted, because other hardware rounds otherwise)."""


def settings(spec: RunSpec) -> dict[str, Any]:
    """The settings that decide what is learned, flat."""
    content = spec.model_dump(mode="json")
    options = content.pop("options")
    return {name: value for name, value in {**content, **options}.items() if name not in HARMLESS}


def recorded(plan: Plan) -> dict[str, Any]:
    """The identity of a run, from its spec and what `data.json` says of data and base."""
    content = plan.folder.read_json("data.json") or {}
    parts = {part: facts["sha256"] for part, facts in content.get("parts", {}).items()}
    return {"settings": settings(plan.spec), "data": parts, "base": content.get("base")}


def base_digest(base: Pretrained) -> str:
    """SHA-256 over the files of a local model; the commit of one from the hub."""
    if not base.local:
        return str(getattr(base.config, "_commit_hash", None) or "")
    digest = hashlib.sha256()
    for path in sorted(Path(base.source).iterdir()):
        if path.is_file() and not path.name.startswith("."):
            with open(path, "rb") as file:
                digest.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def differences(then: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Each entry that is not the same, in words."""
    found: list[str] = []
    for name in dict.fromkeys((*then, *now)):
        old, new = then.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} changed from {old!r} to {new!r}")
    return found
