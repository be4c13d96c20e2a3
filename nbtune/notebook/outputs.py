"""The outputs that the picture of a run stands in, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbtune.drawing import Bundle

BLANK: Bundle = {"text/plain": ""}
"""What is left of an output that is no longer wanted: it cannot be taken back."""


class Outputs:
    """Each is redrawn in place when its content changes, and only then: a fold that somebody opened closes with it."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self._shown: list[Bundle] = []

    def __bool__(self) -> bool:
        return bool(self._handles)

    def show(self, bundles: Sequence[Bundle]) -> None:
        """Show these; the outputs that were needed before and are not now become blank. The first call says how many
        there will be at most, so that they stand in one place."""
        from IPython.display import display

        if not self._handles:
            for bundle in bundles:
                self._handles.append(display(bundle, raw=True, display_id=True))  # type: ignore[no-untyped-call]
            self._shown = list(bundles)
            return
        wanted = [*bundles, *[BLANK] * (len(self._handles) - len(bundles))]
        for place, (handle, bundle) in enumerate(zip(self._handles, wanted, strict=True)):
            if bundle != self._shown[place]:
                handle.update(bundle, raw=True)
                self._shown[place] = bundle
