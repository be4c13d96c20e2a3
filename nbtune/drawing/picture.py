"""Something to look at: the same content as HTML, Markdown and plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from nbtune.drawing.text import Markup

Bundle: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """Something to look at, in the forms a frontend may choose from."""

    html: Markup
    markdown: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return {"text/html": self.html, "text/markdown": self.markdown, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text
