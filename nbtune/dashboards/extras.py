"""The panels that a task brings, as tabs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbtune.dashboards.desk import Desk
from nbtune.dashboards.look import Notice, area, button, column, entry, hint, picture, row, suggesting
from nbtune.drawing import Markup, panel, shorten, table, tag, visible
from nbtune.errors import PluginError
from nbtune.notebook.picture import bundle_of
from nbtune.running import opened

if TYPE_CHECKING:
    from nbtune.running.model import Model
    from nbtune.running.run import Run
    from nbtune.tasks.panels import Ask, Panel

_ROWS = 200


class Extra:
    """One panel of a task, for one run."""

    def __init__(self, desk: Desk, run: Run, drawn: Panel) -> None:
        self._desk, self._run, self._panel = desk, run, drawn
        self._offered = False
        self.title = shorten(visible(drawn.title), 30)
        self.inputs = {ask.name: _input(ask) for ask in drawn.asks}
        self.show = button("Show", self._show, kind="primary")
        self.notice = Notice()
        self.picture = picture()
        words = [hint(drawn.help)] if drawn.help else []
        self.widget = column(*words, *self.inputs.values(), row(self.show), self.notice.widget, self.picture)

    def visited(self) -> None:
        """The tab was opened: only now the model is needed, for what there is to choose from."""
        if not self._offered and any(ask.choices is not None for ask in self._panel.asks):
            self._desk.ask(self.notice, "looking at what can be chosen", self._offer)

    def _offer(self) -> None:
        for ask in self._panel.asks:
            if ask.choices is not None:
                place, choices = self.inputs[ask.name], [str(each) for each in ask.choices(self._model())]
                place.options = choices
                place.value = place.value or (choices[0] if choices else "")
        self._offered = True

    def _show(self) -> None:
        self._desk.ask(self.notice, "asking the model", self._shown)

    def _shown(self) -> None:
        given: Mapping[str, str] = {name: str(place.value) for name, place in self.inputs.items()}
        drawn = self._panel.draw(self._model(), given)
        pieces = drawn if isinstance(drawn, (list, tuple)) else [drawn]
        self.picture.value = panel(*(piece(each) for each in pieces))

    def _model(self) -> Model:
        run = self._run
        return opened.model(run.folder, run.spec, None, trust_remote_code=run.trusted)


def extras_of(desk: Desk, run: Run | None) -> list[Extra]:
    """The panels of the task of a run that has a model."""
    from nbtune.tasks.registry import registry

    known = registry().tasks.get(run.task) if run is not None else None
    if run is None or known is None or not run.model_path.is_dir():
        return []
    return [Extra(desk, run, each) for each in known.task.panels()]


def _input(ask: Ask) -> Any:
    label = shorten(visible(ask.label), 40)
    if ask.choices is not None:
        return suggesting(label, ask.default)
    return entry(label, ask.default) if ask.lines == 1 else area(label, ask.default, rows=ask.lines)


def piece(drawn: Any) -> Markup:
    """One thing that a panel drew: HTML of its own, which it has escaped, a table, or something with a picture."""
    if isinstance(drawn, str):
        return tag("div", Markup(drawn))
    if hasattr(drawn, "to_dict") and hasattr(drawn, "columns"):
        rows = drawn.head(_ROWS).itertuples(index=False, name=None)
        return table([str(name) for name in drawn.columns], rows)
    if hasattr(drawn, "_repr_mimebundle_"):
        return Markup(bundle_of(drawn).get("text/html", ""))
    words = f"a panel drew a {type(drawn).__name__}"
    raise PluginError(words, "it gives HTML as a string, a DataFrame, or an object with _repr_mimebundle_")
