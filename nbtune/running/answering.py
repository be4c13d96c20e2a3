"""What a `Run` answers about data: gold beside its own answers, predictions, and how they look."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from nbtune.running import asked
from nbtune.running.folder import RunFolder
from nbtune.values import Part

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.running.model import Model, Progress

STREAMED = 2000
"""Rows of a stream that are predicted together."""


class Answering(ABC):
    """Four methods of `Run`."""

    _folder: RunFolder

    @abstractmethod
    def _model(self, precision: str | None = None) -> Model: ...

    def answers(
        self,
        data: Any = None,
        *,
        columns: Mapping[str, str | list[str]] | None = None,
        bad_rows: str = "error",
        namespace: Mapping[str, Any] | None = None,
        precision: str | None = None,
        progress: Progress | None = None,
        corrections: str = "",
    ) -> asked.Answered:
        """Examples with gold answers and what the model says to them, for whoever counts; as for `evaluate`.
        `corrections` is a file of corrected answers that holds for `data`.

        >>> answered = run.answers(test_df)
        >>> len(answered.predictions) == len(test_df)
        True
        """
        model = self._model(precision)
        part: Part = "test"
        notes: tuple[str, ...] = ()
        if data is None:
            examples, part = asked.held_out(self._folder)
            where = f"{part} data of the run"
            if part == "validation":
                notes = ("these are the examples that chose the best checkpoint: the scores are a little too good",)
        else:
            examples = asked.read(
                self._folder, model, data, part, columns=columns, bad_rows=bad_rows, namespace=namespace
            )
            examples, notes = asked.corrected(model.task, examples, corrections)
            where, notes = asked.described(data), (*asked.remarks(self._folder), *notes)
        arranged = model.task.arrange(examples, model.inventory, part)
        predictions = list(model.predict(arranged, progress))
        return asked.Answered(model, examples, arranged, predictions, where, notes)

    def predict(
        self,
        data: Any,
        *,
        columns: Mapping[str, str | list[str]] | None = None,
        namespace: Mapping[str, Any] | None = None,
        precision: str | None = None,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """Predictions for a text, a list of texts, a DataFrame or anything `finetune` takes as data.

        The table has the input's rows and columns, with the task's prediction columns added. `precision` is that of
        the run if not given; "int8" is faster on a CPU and costs a little of the score. `progress` is called with the
        number of rows answered and the number of all, as they are answered.

        >>> run.predict(["not bad at all", "never again"])["text"].tolist()
        ['not bad at all', 'never again']
        >>> list(run.predict(test_df))[:3]  # your columns, then the answers
        ['text', 'sentiment', 'shop']
        """
        from nbtune.evaluation.reporting import predictions_frame

        model = self._model(precision)
        if isinstance(data, str) and not asked.names_data(data, namespace):
            data = [data]
        examples = asked.read(self._folder, model, data, "predict", columns=columns, namespace=namespace)
        arranged = model.task.arrange(examples, model.inventory, "predict")
        predictions = list(model.predict(arranged, progress))
        table = predictions_frame(model.task, arranged, predictions)
        return asked.beside(data, table)

    def stream(
        self,
        rows: Iterable[Any],
        *,
        columns: Mapping[str, str | list[str]] | None = None,
        precision: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Predictions one after the other, in order, for rows that come from anywhere: texts, or dicts of columns.

        Only a few thousand rows are in memory at once. For tasks that regroup their rows (recommendation), use
        `predict`.

        >>> rows = run.stream(f"text number {number}" for number in range(5000))
        >>> next(rows)["text"]
        'text number 0'
        """
        waiting = iter(rows)
        while chunk := list(islice(waiting, STREAMED)):
            table = self.predict(chunk, columns=columns, precision=precision)
            yield from ({str(key): value for key, value in row.items()} for row in table.to_dict("records"))

    def render(self, data: Any) -> list[str]:
        """The HTML of each prediction where the task draws one; safe to show.

        >>> len(run.render(["not bad at all"]))
        1
        """
        model = self._model()
        examples = asked.read(self._folder, model, [data] if isinstance(data, str) else data, "predict")
        arranged = model.task.arrange(examples, model.inventory, "predict")
        drawn = (model.task.render(e, p) for e, p in zip(arranged, model.predict(arranged), strict=True))
        return [html for html in drawn if html is not None]
