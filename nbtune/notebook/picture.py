"""What a cell may end with."""

from __future__ import annotations

from typing import Any

from nbtune.drawing import Bundle, Picture


def bundle_of(shown: Any) -> Bundle:
    """What an object draws of itself; empty for None."""
    if shown is None:
        return {}
    bundle = shown._repr_mimebundle_()
    return dict(bundle[0] if isinstance(bundle, tuple) else bundle)


__all__ = ["Bundle", "Picture", "bundle_of"]
