"""The models used last, kept open outside of `Run`, which may lie in `Out[]` and must stay light."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from nbtune.running.memory import give_back
from nbtune.running.spec import RunSpec

if TYPE_CHECKING:
    from nbtune.running.model import Model

_OPEN: OrderedDict[tuple[Path, str], Model] = OrderedDict()
_MOST = 2


def model(folder: Path, spec: RunSpec, precision: str | None, *, trust_remote_code: bool) -> Model:
    """The model of the run in `folder`, opened unless it is open and still the one on disk."""
    from nbtune.running.model import open_model

    wanted = precision or spec.precision
    key = (folder.resolve(), wanted)
    card = folder / "model" / "nbtune.json"
    stamp = card.stat().st_mtime_ns if card.is_file() else 0
    held = _OPEN.get(key)
    if held is None or held.stamp != stamp:
        held = open_model(folder, spec.device, wanted, trust_remote_code=trust_remote_code)
        held.stamp = stamp
        _OPEN[key] = held
    _OPEN.move_to_end(key)
    while len(_OPEN) > _MOST:
        _OPEN.popitem(last=False)
    return held


def close(folder: Path | None = None) -> int:
    """Close the models of a run, or all, and give their memory back; the number closed."""
    keys = [key for key in _OPEN if folder is None or key[0] == folder.resolve()]
    for key in keys:
        del _OPEN[key]
    give_back()
    return len(keys)
