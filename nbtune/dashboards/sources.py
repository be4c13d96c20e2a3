"""Choosing data: a variable of the notebook, a sample, or the name of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbtune.dashboards.look import choice, column, entry
from nbtune.drawing import shorten

FILE = "\0file"
NONE = ""
_HINT = "reviews.csv, a folder, hub:NAME"
_KERNEL = ("In", "Out")


class Source:
    """A list of what there is, and a line for the name of what is not in it. `value` is what a magic would be given."""

    def __init__(
        self, words: str, namespace: Mapping[str, Any], changed: Callable[[], None], *, without: str = ""
    ) -> None:
        self._namespace = namespace
        self._without = without
        self._samples: list[str] = []
        self._list = choice(words, [("", NONE)])
        self._path = entry(f"{words}: name", placeholder=_HINT)
        self._path.layout.display = "none"
        self.widget = column(self._list, self._path)
        self._changed = changed
        self._quiet = False
        self._list.observe(self._chosen, names="value")
        self._path.observe(lambda _: self._tell(), names="value")
        self.look()

    @property
    def value(self) -> str:
        """ "" where nothing is chosen."""
        return str(self._path.value).strip() if self._list.value == FILE else str(self._list.value)

    @property
    def options(self) -> list[str]:
        """What is offered, in words."""
        return [str(words) for words, _ in self._list.options]

    def offer(self, samples: list[str]) -> None:
        """The samples of the task in place of those of another."""
        self._samples = samples
        self.look()

    def look(self) -> None:
        """Look again for variables."""
        from nbtune.data.sources import data_names

        names = [name for name in data_names(dict(self._namespace)) if name not in _KERNEL]
        options = [(self._without or "choose …", NONE)]
        options += [(_described(name, self._namespace[name]), name) for name in names]
        options += [(f"{name} (sample data)", name) for name in self._samples]
        options += [("a file, a folder or the hub …", FILE)]
        kept = self._list.value
        self._quiet = True
        self._list.options = options
        self._list.value = kept if kept in [value for _, value in options] else NONE
        self._quiet = False
        if self._list.value != kept:
            self._chosen()

    def take(self, source: str) -> bool:
        """Choose this; False if it is nothing that could be found again."""
        known = source != FILE and source in [value for _, value in self._list.options]
        if not known and not _findable(source):
            return False
        self._choose(source, "") if known else self.type(source)
        return True

    def type(self, name: str) -> None:
        """Choose what is called so and is not in the list."""
        self._choose(FILE, name)

    def _choose(self, listed: str, typed: str) -> None:
        self._quiet = True
        self._path.value, self._list.value = typed, listed
        self._quiet = False
        self._chosen()

    def _chosen(self, _: Any = None) -> None:
        self._path.layout.display = "" if self._list.value == FILE else "none"
        self._tell()

    def _tell(self) -> None:
        if not self._quiet:
            self._changed()


def _findable(source: str) -> bool:
    from nbtune.data.sources import looks_like_source

    return looks_like_source(source, {})


def _described(name: str, value: Any) -> str:
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    size = f"{shape[0]:,} × {shape[1]}" if isinstance(shape, tuple) and len(shape) == 2 else ""
    if not size and hasattr(value, "__len__"):
        size = f"{len(value):,}"
    return shorten(f"{name} ({kind}{', ' if size else ''}{size})", 80)
