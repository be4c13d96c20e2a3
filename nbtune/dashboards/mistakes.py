"""Labels that are likely wrong and the model's own mistakes: looked through, filtered, corrected in a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from nbtune.control import Control
from nbtune.dashboards.desk import Desk
from nbtune.dashboards.evaluating import NO_RUN
from nbtune.dashboards.look import Notice, area, button, choice, column, entry, hint, html, listing, named, picture, row
from nbtune.dashboards.work import Work
from nbtune.drawing import Markup, duration, escape, facts, number, shorten, tag, visible
from nbtune.errors import DataError, RunError
from nbtune.events import Ended
from nbtune.running.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbtune.evaluation.mistakes import Mistakes as Found
    from nbtune.running import background
    from nbtune.running.run import Run

_MOST = 200
_AROUND = 400
_KINDS = (
    ("labels that are likely wrong", "doubted"),
    ("all labels the model disagrees with", "all"),
    ("what the model gets wrong for sure", "confident"),
)
_ANY = "\0any"
_FOLDS = "\0folds"
_PARTS = (
    ("validation data", "validation"),
    ("test data", "test"),
    ("training data", "train"),
    ("training data, asking models that have not seen it", _FOLDS),
)


class Mistakes:
    """A list to go through with the arrow keys, and the place chosen with its answer below."""

    def __init__(self, desk: Desk, use: Callable[[str], None]) -> None:
        self._desk = desk
        self._use = use
        self._run: Run | None = None
        self._found: Found | None = None
        self._rows: list[dict[str, Any]] = []
        self._control: Control | None = None  # of the models of folds, while they are trained
        self._folding = Work()  # longer than what others wait for in the dashboard's own thread
        self.part = choice("look at", _PARTS, width="600px")
        self.folds = named(widgets.BoundedIntText, "folds", width="240px", value=5, min=2, max=100)
        self.cost = picture()
        self._of_folds = column(self.folds, self.cost)
        self.look = button("Look for mistakes", self._look, kind="primary")
        self.stop = button("Stop", self._stop, kind="danger", tooltip="nothing is kept of the models", enabled=False)
        self.kind = choice("show", _KINDS, width="520px")
        self.words = entry("with the words", placeholder="in the text")
        self.given = choice("labelled", [("anything", _ANY)])
        self.list = listing("places", widgets.Select)
        self.place = picture()
        self.label = choice("right answer", [""])
        self.answer = area("right answer", rows=3)
        self.save = button("Save this answer", self._save)
        self.accept = button("Accept the suggestion", self._accept)
        self.train = button("Train with the corrections", self._train, tooltip="set corrections in Set up")
        self.notice, self.saved = Notice(), Notice()
        self._shown = column(
            self.kind, self.words, self.given, self.list, self.place, self.label, self.answer,
            row(self.accept, self.save, self.train), self.saved.widget,
        )  # fmt: skip
        for place in (self.kind, self.words, self.given):
            place.observe(lambda _: desk.guarded(self.notice, self._filter), names="value")
        for place in (self.part, self.folds):
            place.observe(lambda _: desk.guarded(self.notice, self._count_cost), names="value")
        self.list.observe(lambda _: desk.guarded(self.saved, self._choose), names="value")
        words = "The data itself is never changed: corrections are written to a file beside it."
        self.widget = column(
            self.part, self._of_folds, row(self.look, self.stop), hint(words), self.notice.widget, self._shown
        )
        desk.on_run(self._take)
        self._take(None)

    @property
    def corrections(self) -> Path:
        """The file that is written to.

        Raises:
            RunError: nothing has been looked at yet.
        """
        if self._found is None:
            raise RunError("nothing was looked at yet", "press Look for mistakes")
        return self._found.corrections

    def steers(self, training: background.Training) -> bool:
        """Whether this trains models of folds for what is looked at here."""
        return training.control is self._control

    def _count_cost(self) -> None:
        by_folds, run, folds = self.part.value == _FOLDS, self._desk.run, self.folds.value
        self._of_folds.layout.display = self.stop.layout.display = "" if by_folds else "none"
        if not by_folds or run is None:
            self.cost.value = ""
            return
        ended = RunFolder(run.folder).event_log.last()
        time = ""
        if isinstance(ended, Ended) and ended.status == "finished":  # one that was stopped cannot tell how long
            # each learns from all folds but its own
            time = f", about {duration((folds - 1) * ended.seconds)} in all"
        words = (
            f"{folds} models are trained like {run.name} and thrown away{time}. Each judges the rows it has not seen."
        )
        self.cost.value = html(tag("div", words, css="nbtune-soft"))

    def _take(self, run: Run | None) -> None:
        self._count_cost()
        if run is not None and self._run is not None and run.folder == self._run.folder:
            return
        if self._control is not None:
            self._control.stop()
        self._run, self._found = run, None
        self._shown.layout.display = "none"
        self.notice.clear()

    def _look(self) -> None:
        if self.part.value == _FOLDS:
            self._folding.ask(self.notice, "asking the run's own model first", self._looked_by_folds)
        else:
            self._desk.ask(self.notice, "asking the model", self._looked)

    def _stop(self) -> None:
        if self._control is not None:
            self._control.stop()
            self.notice.working("ending after the current step")

    def _asked_run(self) -> Run:
        if self._desk.run is None:
            raise NO_RUN
        return self._desk.run

    def _looked(self) -> None:
        run = self._asked_run()
        self._show(run, run.mistakes(part=self.part.value, progress=self.notice.counting("judged")))

    def _looked_by_folds(self) -> None:
        run, self._control = self._asked_run(), Control()
        self._enable(looking=False)
        try:
            told = self.notice.counting("trained step")
            self._show(run, run.mistakes(folds=self.folds.value, progress=told, control=self._control))
        finally:
            self._control = None
            self._enable(looking=True)

    def _enable(self, *, looking: bool) -> None:
        self.look.disabled = self.part.disabled = self.folds.disabled = not looking
        self.stop.disabled = looking

    def _show(self, run: Run, found: Found) -> None:
        if self._run is None or self._run.folder != run.folder:
            return
        self._found = found
        labels = sorted({str(each) for each in (*found.labels["given"], *found.confident["given"])})
        self.given.options = [("anything", _ANY), *((shorten(visible(each), 60) or "none", each) for each in labels)]
        self._filter()
        self._shown.layout.display = ""
        doubted = int(found.labels["doubted"].sum())
        words = f"{doubted:,} labels are likely wrong, of {found.examined:,} rows; {len(found.confident):,} confident"
        self.notice.say(" ".join([f"{words} mistakes of the model.", *found.notes]))

    def _filter(self) -> None:
        if self._found is None:
            return
        kind = self.kind.value
        frame = self._found.confident if kind == "confident" else self._found.labels
        if kind == "doubted":
            frame = frame[frame["doubted"].astype(bool)]
        words = self.words.value.casefold()
        self._rows = [
            {str(name): cell for name, cell in each.items()}
            for each in frame.to_dict("records")
            if words in each["text"].casefold() and self.given.value in (_ANY, each["given"])
        ]
        self.list.options = [(_line(each), place) for place, each in enumerate(self._rows[:_MOST])]
        self.list.value = 0 if self._rows else None
        self._choose()

    def _choose(self) -> None:
        chosen = self._chosen()
        for each in (self.save, self.accept, self.label, self.answer):
            each.disabled = chosen is None
        self.saved.clear()
        if chosen is None or self._found is None:
            self.place.value = html("nothing of this kind was found")
            return
        self.place.value = _drawn(chosen, len(self._rows))
        self._offer_answer(self._found, chosen)

    def _offer_answer(self, found: Found, chosen: dict[str, Any]) -> None:
        """What the place is answered with now, corrections included, to be changed."""
        book = found.book
        now = book.answer(int(chosen["row"]), chosen["part"])
        labelled = isinstance(now, str) and bool(book.inventory.labels)
        self.label.layout.display = "" if labelled else "none"
        self.answer.layout.display = "none" if labelled else ""
        if labelled:
            self.label.options = [(visible(each), each) for each in book.inventory.labels]
            self.label.value = now if now in book.inventory.labels else None
        else:
            self.answer.value = json.dumps(now, ensure_ascii=False)

    def _chosen(self) -> dict[str, Any] | None:
        place = self.list.value
        return self._rows[place] if place is not None and place < len(self._rows) else None

    def _save(self) -> None:
        self._write(lambda found, chosen: found.correct(int(chosen["row"]), self._typed(), part=chosen["part"]))

    def _accept(self) -> None:
        self._write(lambda found, chosen: found.accept(int(chosen["row"]), part=chosen["part"]))

    def _write(self, write: Callable[[Found, dict[str, Any]], list[Any]]) -> None:
        def work() -> None:
            found, chosen = self._found, self._chosen()
            if found is None or chosen is None:
                raise RunError("no place is chosen", "choose one in the list")
            written = write(found, chosen)
            self._offer_answer(found, chosen)
            if written:
                self.saved.good(f"row {chosen['row']} is corrected in {found.corrections}")
            else:
                self.saved.say(f"{found.corrections} has this answer for row {chosen['row']} already")

        self._desk.guarded(self.saved, work)

    def _typed(self) -> Any:
        if self.label.layout.display != "none":
            return self.label.value
        try:
            return json.loads(self.answer.value)
        except ValueError:
            raise DataError("the answer is not JSON", 'such as [[0, 5, "PER"]] or ["sports", "politics"]') from None

    def _train(self) -> None:
        def work() -> None:
            if self._found is None or not self.corrections.exists():
                raise RunError("there are no corrections yet", "accept a suggestion or save an answer first")
            self._use(str(self.corrections))
            self.saved.good(f"corrections = {self.corrections} in Set up: Start trains with them")

        self._desk.guarded(self.saved, work)


def _line(each: dict[str, Any]) -> str:
    """A place in one line of the list."""
    change = f"{each['given'] or 'none'} → {each['suggested'] or 'none'}"
    return shorten(visible(f"row {each['row']}: {change} · {each['text']}"), 160)


def _drawn(each: dict[str, Any], count: int) -> Markup:
    """The text with the place marked, and both answers."""
    text, start, end = each["text"], each.get("start"), each.get("end")
    if isinstance(start, int) and isinstance(end, int):
        first = max(0, start - _AROUND)
        parts = [text[first:start], tag("mark", text[start:end]), text[end : end + _AROUND]]
        body = Markup("".join(escape(part) for part in (("…" if first else ""), *parts)))
    else:
        body = escape(text, 4 * _AROUND)
    pairs = [("row", each["row"]), ("in the data", each["given"] or "none"), ("suggested", each["suggested"] or "none")]
    pairs += [("score", number(each["score"]))]
    more = f"the first {_MOST} of {count:,}; filter to see others" if count > _MOST else ""
    return html(tag("div", more, css="nbtune-soft"), tag("div", body, css="nbtune-callout"), facts(pairs))
