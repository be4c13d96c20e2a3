"""Where the cache of encoded texts lies, how large it may grow, and how to empty it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbtune.errors import SpecError
from nbtune.running.cache import FeatureCache

USUAL_GIGABYTES = 5.0


def feature_cache() -> FeatureCache | None:
    """The user's cache; None where `NBTUNE_CACHE_GB` is 0.

    Raises:
        SpecError: `NBTUNE_CACHE_GB` is no number.
        OSError: the user has no home.
    """
    written = os.environ.get("NBTUNE_CACHE_GB", "").strip()
    try:
        gigabytes = float(written) if written else USUAL_GIGABYTES
    except ValueError:
        raise SpecError(
            f"NBTUNE_CACHE_GB is {written!r}, not a number", "set it to gigabytes, 0 for no cache"
        ) from None
    return FeatureCache(cache_dir() / "features", gigabytes * 1e9) if gigabytes > 0 else None


def cache_dir() -> Path:
    """`NBTUNE_CACHE_DIR`, else `nbtune` in `XDG_CACHE_HOME` or in the system's folder for caches.

    Raises:
        OSError: the user has no home.
    """
    chosen = os.environ.get("NBTUNE_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "nbtune"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise OSError(str(error)) from None
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "nbtune"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home) / "nbtune" / "Cache"
    return home / ".cache" / "nbtune"


def clear_cache() -> int:
    """Remove all encoded texts that earlier runs left in the cache folder; gives the bytes freed.

    >>> nbtune.clear_cache()
    0
    """
    return FeatureCache(cache_dir() / "features", 0).clear()
