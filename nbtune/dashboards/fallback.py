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

# In a list or on a button JupyterLab takes the keys for its own: a letter typed to find an entry, say m, turns the cell
# into Markdown and removes the dashboard. It leaves alone what has this attribute, which no widget can set. The script
# is fixed: nothing of the user's or of the data is in it.
_KEYS = """
document.currentScript?.closest('.jp-OutputArea')?.addEventListener('focusin', ({target}) =>
  target.closest('.nbtune-dashboard') && target.setAttribute('data-lm-suppress-shortcuts', 'true'))
""".strip()


def fallback() -> Picture:
    """The words in place of a dashboard."""
    return Picture(html=panel(callout(_WORDS)), markdown=_WORDS, text=_WORDS)


def shown_twice(view: Bundle) -> tuple[Bundle, Bundle]:
    """The words, and the view of the widgets that hides them while it lives."""
    words = fallback()._repr_mimebundle_()
    note = f'<div class="nbtune-gone">{words["text/html"]}</div>'
    marked = Markup(f"<style>{_STYLE}</style>{note}<script>{_KEYS}</script>")
    return {**words, "text/html": marked}, {"text/plain": "", **view}
