"""What stands in a notebook where a dashboard was, once its kernel is gone."""

from __future__ import annotations

from nbtune.drawing import Markup, callout, panel
from nbtune.notebook.picture import Bundle, Picture

_WORDS = "The nbtune dashboard lives with its kernel: run this cell to open it again. Its runs are kept."

# JupyterLab prefers a view to any other form, and shows "model not found" for one whose kernel has gone. So the words
# come first, as an output of their own, and of the two neighbours only one is shown: the view while it holds widgets.
_STYLE = """
.jp-OutputArea-child:has(.nbtune-gone):has(+ .jp-OutputArea-child .jupyter-widgets .jupyter-widgets){display:none}
.jp-OutputArea-child:has(.nbtune-gone) + .jp-OutputArea-child:not(:has(.jupyter-widgets .jupyter-widgets)){display:none}
""".strip()


def fallback() -> Picture:
    """The words in place of a dashboard."""
    return Picture(html=panel(callout(_WORDS)), markdown=_WORDS, text=_WORDS)


def shown_twice(view: Bundle) -> tuple[Bundle, Bundle]:
    """The words, and the view of the widgets that hides them while it lives."""
    words = fallback()._repr_mimebundle_()
    marked = Markup(f'<style>{_STYLE}</style><div class="nbtune-gone">{words["text/html"]}</div>')
    return {**words, "text/html": marked}, {"text/plain": "", **view}
