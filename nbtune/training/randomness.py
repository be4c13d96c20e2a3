"""The random generators a training draws from: python's, numpy's and torch's, together."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_generators(seed: int) -> None:
    """Start all generators from one seed, so that a head may draw from any of them."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state() -> dict[str, Any]:
    """The state of all generators as plain JSON values."""
    version, internal, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    state: dict[str, Any] = {
        "python": [version, list(internal), gauss],
        "numpy": [kind, np.asarray(keys).tolist(), int(position), int(has_gauss), float(cached)],
        "torch": _text(torch.get_rng_state()),
    }
    if torch.cuda.is_available():
        state["cuda"] = [_text(device) for device in torch.cuda.get_rng_state_all()]
    if torch.backends.mps.is_available():
        state["mps"] = _text(torch.mps.get_rng_state())
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Take back what `random_state` gave; what this machine does not have is passed over."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(_tensor(state["torch"]))
    if torch.cuda.is_available():
        for index, device in enumerate(state.get("cuda", ())[: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(_tensor(device), index)
    if torch.backends.mps.is_available() and "mps" in state:
        torch.mps.set_rng_state(_tensor(state["mps"]))


def _text(state: Tensor) -> str:
    return state.numpy().tobytes().hex()


def _tensor(text: str) -> Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
