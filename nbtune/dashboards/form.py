"""Everything that is chosen before a training: task, data, columns, model, settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbtune.dashboards.code import Asked
from nbtune.dashboards.columns import Columns
from nbtune.dashboards.desk import Desk
from nbtune.dashboards.look import Fold, Notice, button, choice, column, picture, row, title
from nbtune.dashboards.settings import Settings
from nbtune.dashboards.sources import Source
from nbtune.drawing import shorten
from nbtune.errors import NbtuneError, SpecError
from nbtune.notebook.picture import bundle_of

if TYPE_CHECKING:
    from nbtune.running.spec import RunSpec
    from nbtune.tasks.task import Task

_READING = "reading the data"


class Form:
    """`changed` is called after every choice, from `open` on, and `start` when all is chosen."""

    def __init__(self, desk: Desk, changed: Callable[[], None], start: Callable[[], None]) -> None:
        from nbtune.tasks.registry import registry

        self._desk = desk
        self._changed = changed
        self._known: dict[str, Any] = {}  # the columns of a run that was taken, until its data is read
        tasks = registry().tasks
        self.task = choice("task", [(shorten(f"{n}: {each.task.summary}", 110), n) for n, each in tasks.items()])
        self.task.layout.width = "760px"
        self.data = Source("data", desk.namespace, self._read)
        self.validation = Source("validation", desk.namespace, changed, without="split off the data")
        self.test = Source("test", desk.namespace, changed, without="none")
        self.columns = Columns(self._mapped)
        self.settings = Settings(changed)
        self.notice = Notice()
        self.inspection = picture()
        self.start = button("Start", start, kind="primary", tooltip="train in the background")
        self.whole = button("Inspect the whole data", self._inspect, tooltip="checks, lengths, time and memory")
        self.again = button("Look for new variables", self._look, tooltip="data that was made since")
        self.task.observe(lambda _: self.open(), names="value")
        self.widget = self._laid_out()

    def open(self) -> None:
        """Offer what the chosen task asks for."""
        self._desk.guarded(self.columns.notice, self._of_task)

    def asked(self) -> Asked:
        """What the form asks for.

        Raises:
            SpecError: something is missing, or no value.
        """
        if not self.data.value:
            raise SpecError("there is no data to learn from", "choose the data: a variable, a sample or a file")
        parts = {"data": self.data.value, "validation": self.validation.value, "test": self.test.value}
        settings: dict[str, Any] = {name: value for name, value in parts.items() if value}
        if self.settings.name.value.strip():
            settings["name"] = self.settings.name.value.strip()
        settings |= self.settings.given()
        if self.columns.given:
            settings["columns"] = self.columns.given
        return Asked(self.task.value, settings)

    def take(self, spec: RunSpec) -> bool:
        """Show how a run was made; False if its data cannot be found again."""
        self.task.value = spec.task
        self.settings.take(spec)
        self._known = dict(spec.columns)
        sources = ((self.data, spec.data), (self.validation, spec.validation), (self.test, spec.test))
        taken = [place.take(_place_of(words)) for place, words in sources]
        return all(taken)

    def refresh(self) -> None:
        """Look for variables that were made or changed their form since."""
        for source in (self.data, self.validation, self.test):
            source.look()

    def _laid_out(self) -> Any:
        return column(
            title("Task and data"),
            self.task,
            self.data.widget,
            Fold("Validation and test data", column(self.validation.widget, self.test.widget)).widget,
            row(self.again, self.whole),
            self.columns.widget,
            self.inspection,
            title("Model and settings"),
            self.settings.widget,
            row(self.start),
            self.notice.widget,
        )

    def _of_task(self) -> None:
        task = self._registered()
        self.settings.of_task(task)
        samples = [f"sample:{task.name}"] if task.samples is not None or task.read_samples() is not None else []
        for source in (self.data, self.validation, self.test):
            source.offer(samples)
        self._read()

    def _read(self) -> None:
        """Read the chosen data and show what can be told at once."""
        self.inspection.value = ""
        self.columns.clear()
        self._changed()
        if self.data.value:
            self._desk.ask(self.columns.notice, _READING, self._look_at_data)

    def _look_at_data(self) -> None:
        from nbtune.data.sources import open_source

        task, known = self._configured(), self._known
        tables = open_source(self.data.value, task, namespace=self._desk.namespace)
        self._known = {}
        self.columns.show(task, tables, known)
        self._changed()

    def _mapped(self) -> None:
        self._desk.guarded(self.columns.notice, self.columns.look)
        self._changed()

    def _look(self) -> None:
        self._desk.guarded(self.columns.notice, self.refresh)
        self._read()

    def _inspect(self) -> None:
        self._desk.ask(self.notice, "inspecting the data, and trying a few steps of the training", self._inspected)

    def _inspected(self) -> None:
        from nbtune.notebook.inspection import inspect

        asked = self.asked()
        settings = {name: value for name, value in asked.settings.items() if name not in ("data", "name", "bad_rows")}
        found = inspect(asked.task, asked.settings["data"], namespace=self._desk.namespace, **settings)
        self.inspection.value = bundle_of(found)["text/html"]

    def _registered(self) -> Task:
        from nbtune.tasks.registry import registry

        return registry().task(self.task.value)

    def _configured(self) -> Task:
        """The task with its settings where they are fine; what is wrong with them is said on start."""
        from nbtune.running.spec import make_spec

        task = self._registered()
        try:
            return make_spec(task, self.settings.options())[1]
        except NbtuneError:
            return task


def _place_of(words: str) -> str:
    """The source in the words of a spec, which may add how many rows it had: `train_df (120 rows)`."""
    found, parenthesis, _ = words.partition(" (")
    return found if parenthesis else words
