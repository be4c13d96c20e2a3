"""What a run ran on, for those who want to repeat it."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from nbtune.training.devices import cpu_quota

PACKAGES = ("nbtune", "torch", "transformers", "tokenizers", "peft", "safetensors", "datasets", "numpy", "pandas")


def describe() -> dict[str, Any]:
    """Versions and hardware as plain values; nothing that names the user or the machine."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "cores": cpu_quota(),
        "torch_threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "implementation": sys.implementation.name,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
