"""How the result of a magic is drawn, where that is not how an object of its type is drawn elsewhere."""

from __future__ import annotations

from typing import Any

from nbtune.notebook.progress import is_terminal


class DrawnAs:
    """Makes the display hook draw a result in another way, or not at all, for the rest of the cell.

    A magic must return its result (`run = %finetune ...` needs it), but a run's own output shows it already, and
    predictions may have a better picture than their table. The hook asks for `_ipython_display_` first and then
    publishes nothing itself, while `Out[]` and `_` are set all the same.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._marked: list[tuple[Any, Any]] = []

    def hide(self, result: Any) -> None:
        """Draw nothing for `result` in this cell: it has been shown already."""
        self.draw_as(result, None)

    def draw_as(self, result: Any, picture: Any) -> None:
        """Draw `picture` in place of `result` in this cell."""
        if result is None:
            return
        if not self._marked:
            self._shell.events.register("post_run_cell", self._forget)
        self._marked.append((result, picture))
        self._formatter().for_type(type(result), self._draw)

    def _draw(self, result: Any) -> None:
        from IPython.display import display

        for marked, picture in self._marked:
            if marked is result:
                if picture is not None:
                    if is_terminal(self._shell):
                        print()  # its prompt stands on the line already, and would push the first row aside
                    display(picture)  # type: ignore[no-untyped-call]
                return
        # another object of the same type: draw it as if we were not here
        own = self._formatter().pop(type(result))
        try:
            display(result)  # type: ignore[no-untyped-call]
        finally:
            self._formatter().for_type(type(result), own)

    def _forget(self, *_: Any) -> None:
        for kind in {type(result) for result, _ in self._marked}:
            self._formatter().pop(kind, None)
        self._marked.clear()
        self._shell.events.unregister("post_run_cell", self._forget)

    def _formatter(self) -> Any:
        return self._shell.display_formatter.ipython_display_formatter
