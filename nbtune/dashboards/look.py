"""The few forms that all parts of the dashboard are made of, so that they look and sound alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets as widgets

from nbtune.drawing import Markup, callout, join, progress, style, tag
from nbtune.errors import Interrupted, NbtuneError
from nbtune.notebook.controls import hear_while_busy
from nbtune.notebook.faults import Fault
from nbtune.notebook.state import Throttle

WIDE = "640px"
NARROW = "420px"
NAMED = "140px"
"""Room for the name of an input, left of it."""


def heard(made: Any) -> Any:
    """An input whose clicks and changes reach the dashboard while a cell is busy: all of them or none, since one that
    comes first must be heard first."""
    hear_while_busy(made.comm)
    return made


def html(*parts: object, css: str = "") -> Markup:
    """Content of an `ipywidgets.HTML`. It goes into the page as it is, so whatever is not `Markup` is escaped."""
    extra = f" {css}" if css else ""
    return Markup(f'<div class="nbtune tex2jax_ignore mathjax_ignore{extra}">{join(parts)}</div>')


def picture(content: str = "") -> Any:
    """A place for what nbtune has drawn."""
    return widgets.HTML(value=content, layout=widgets.Layout(width="100%", margin="0"))


ROOT = "nbtune-dashboard"
WRAPPED = "nbtune-wrapped"
"""Tables of whatever the data hold, which must not be wider than their place: words are broken."""
# eight tabs must fit into a narrow page, and where the keys are must be seen
_STYLE = f"""
.{ROOT}{{--jp-widgets-horizontal-tab-width:auto}}
.{ROOT} .lm-TabBar-content{{flex-wrap:wrap}}
.{ROOT} .lm-TabBar-tab.lm-TabBar-tab{{min-width:0;padding:0 12px}}
.{ROOT} :is(.widget-box,.widget-vbox,.widget-tab-contents){{overflow:visible}}
.{ROOT} .widget-dropdown select.widget-dropdown,.{ROOT} .widget-dropdown>select{{appearance:auto;background-image:none}}
.{ROOT} .{WRAPPED} table.nbtune-table :is(th,td){{overflow-wrap:anywhere;min-width:3.6em}}
.{ROOT} .{WRAPPED} progress{{width:8em}}
.{ROOT} .widget-html,.{ROOT} .widget-html-content{{min-width:0;max-width:100%}}
.{ROOT} :is(button,input,select,textarea,.lm-TabBar-tab):focus-visible{{
outline:2px solid var(--jp-brand-color1,#2f7fd1);outline-offset:1px}}
""".strip()


def theme() -> Any:
    """The style sheets, once for all pictures that do not bring them."""
    sheets = Markup(f"{style()}<style>{_STYLE}</style>")
    return widgets.HTML(value=sheets, layout=widgets.Layout(height="0", margin="0"))


def title(words: str) -> Any:
    return picture(html(tag("div", words, css="nbtune-title")))


def hint(words: object) -> Any:
    return picture(html(tag("div", words, css="nbtune-soft")))


def row(*children: Any) -> Any:
    """Beside each other, and below each other where the page is narrow."""
    layout = widgets.Layout(display="flex", flex_flow="row wrap", align_items="flex-start", width="100%")
    return widgets.Box(list(children), layout=layout)


def column(*children: Any, width: str = "100%") -> Any:
    return widgets.VBox(list(children), layout=widgets.Layout(width=width))


def share(made: Any, *, wide: bool = False) -> Any:
    """Let something take half of a row where the page is wide enough, or else, and where it is wide, all of it."""
    made.layout.flex = "1 1 100%" if wide else "1 1 300px"
    made.layout.width = "auto"
    made.layout.min_width = "0"
    made.layout.padding = "0 12px 0 0"
    return made


def button(words: str, pressed: Callable[[], None], *, tooltip: str = "", kind: str = "", enabled: bool = True) -> Any:
    """`kind` is "primary" for the one thing to do next, "danger" for what cannot be undone."""
    made = widgets.Button(
        description=words, tooltip=tooltip, button_style=kind, disabled=not enabled, layout=widgets.Layout(width="auto")
    )
    made.on_click(lambda _: pressed())
    return heard(made)


def named(kind: Any, words: str, *, width: str = NARROW, **more: Any) -> Any:
    """An input of this kind of widget, with its name left of it."""
    layout = widgets.Layout(width=width, max_width="calc(100% - 4px)")
    return heard(kind(description=words, style={"description_width": NAMED}, layout=layout, **more))


def choice(words: str, options: Iterable[Any], *, width: str = NARROW, **more: Any) -> Any:
    return named(widgets.Dropdown, words, width=width, options=list(options), **more)


def entry(words: str, value: str = "", **more: Any) -> Any:
    return named(widgets.Text, words, value=value, continuous_update=False, **more)


def area(words: str, value: str = "", *, rows: int = 4) -> Any:
    return named(widgets.Textarea, words, width=WIDE, value=value, rows=rows, continuous_update=False)


def suggesting(words: str, value: str, options: Sequence[str] = (), **more: Any) -> Any:
    """A line with suggestions; others may be typed."""
    return named(widgets.Combobox, words, value=value, options=list(options), continuous_update=False, **more)


def listing(words: str, kind: Any) -> Any:
    """A list to go through with the arrow keys: `kind` is `Select` or `SelectMultiple`."""
    return named(kind, words, width="100%", rows=8)


class Fold:
    """Content behind a button that opens and closes it. The accordion of ipywidgets does not hear the keyboard."""

    def __init__(self, words: str, content: Any, *, shown: bool = False) -> None:
        self._words = words
        self._content = content
        layout = widgets.Layout(width="auto", align_self="flex-start")
        self._toggle = heard(widgets.ToggleButton(value=shown, tooltip="", layout=layout))  # None is shown as null
        self._toggle.observe(self._changed, names="value")
        self.widget = column(self._toggle, content)
        self._changed()

    def rename(self, words: str) -> None:
        self._words = words
        self._changed()

    def _changed(self, _: Any = None) -> None:
        shown = self._toggle.value
        self._toggle.description = f"{'▾' if shown else '▸'} {self._words}"
        self._content.layout.display = "" if shown else "none"


_WRITTEN = re.compile(r'write (\[columns\] )?(\w+) = "([^"]*)"')
"""What a remedy tells those to write who work in cells."""


def _chosen_instead(written: re.Match[str]) -> str:
    of_columns, name, value = written.groups()
    return f"choose the column for {name} in Set up" if of_columns else f"set {name} to {value} in Set up"


class Notice:
    """A line beside what it is about: that work goes on, what it gave, or what is wrong and what to do."""

    def __init__(self) -> None:
        self.widget = picture()
        self.busy = False

    def say(self, words: object) -> None:
        self._show(tag("div", words, css="nbtune-callout"))

    def good(self, words: object) -> None:
        self._show(callout(words, tone="good"))

    def working(self, words: str) -> None:
        bar = progress(0, 0, "working")
        self._show(tag("div", bar, tag("span", f" {words} …")), busy=True)

    def counting(self, verb: str) -> Callable[[int, int], None]:
        """Says how far long work has come; to be called with what is done and what there is to do."""
        throttle = Throttle(0.5)

        def told(done: int, total: int) -> None:
            if throttle.ready():
                words = f"{verb} {done:,} of {total:,}"
                self._show(tag("div", progress(done, total, words), tag("span", f" {words}")), busy=True)

        return told

    def refuse(self, error: BaseException) -> None:
        """What is wrong, and the remedy. A fault that is not the user's is named, too; never with a traceback."""
        if isinstance(error, (NbtuneError, Interrupted)):
            said, remedy = error.message, error.hint
        else:
            fault = Fault.of(error)
            said, remedy = f"{fault.error}: {fault.message}", fault.meaning
        more = tag("div", _WRITTEN.sub(_chosen_instead, remedy), css="nbtune-soft") if remedy else ""
        self._show(callout(tag("strong", "Not done: "), said, more, tone="error"))

    def clear(self) -> None:
        self.widget.value, self.busy = "", False

    def done(self) -> None:
        """Work has ended: what it said stays, that it goes on does not."""
        if self.busy:
            self.clear()

    def _show(self, content: Markup, *, busy: bool = False) -> None:
        self.busy = busy
        self.widget.value = html(Markup(f'<div role="status">{content}</div>'))
