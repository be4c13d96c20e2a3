"""`Run`: one fine-tuning on disk, found by its name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtune.control import Control
from nbtune.drawing import Bundle
from nbtune.errors import RunError, did_you_mean
from nbtune.events import Ended, Evaluated, Event
from nbtune.running import background, opened
from nbtune.running.answering import Answering
from nbtune.running.drawn import run_card
from nbtune.running.folder import RunFolder
from nbtune.running.labelling import Labelling
from nbtune.running.spec import RunSpec
from nbtune.running.trusting import Trusting

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.evaluation.report import Report
    from nbtune.running.model import Model, Progress


class Run(Answering, Labelling, Trusting):
    """A fine-tuning on disk. Light: it holds a path and no model, so `Out[]` may keep it."""

    def __init__(
        self, folder: RunFolder, *, trust_remote_code: bool = False, training: background.Training | None = None
    ) -> None:
        self._folder = folder
        self._trust = trust_remote_code
        self._training = training

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def folder(self) -> Path:
        return self._folder.path

    @property
    def model_path(self) -> Path:
        """Loads with `AutoTokenizer` and the right `AutoModelFor...` of transformers.

        >>> from transformers import pipeline
        >>> classify = pipeline("text-classification", model=run.model_path)
        >>> classify("a fine film")[0]["label"] in run.predict("a fine film")["prediction"].tolist()
        True
        """
        return self._folder.model

    @property
    def status(self) -> str:
        """`finished`, `stopped`, `failed`, `running`, or `unfinished` where nobody trains any more.

        >>> run.status
        'finished'
        """
        if self._going() is not None:
            return "running"
        if self._training is not None and not self.folder.is_dir():
            return "failed"  # before anything was learned, so that its name is free again
        return self._folder.status()

    @property
    def trusted(self) -> bool:
        """Whether whoever opened the run lets code run that came with its model."""
        return self._trust

    @property
    def control(self) -> Control:
        """Pauses, resumes, stops the training and changes its learning rate, at its next step.

        >>> busy = nbtune.finetune("sentiment", data=reviews_df, epochs=1000, name="busy", background=True)
        >>> busy.control.set_learning_rate(2e-5)
        >>> busy.control.stop()
        >>> busy.wait().status
        'stopped'

        Raises:
            RunError: the run is not training in this kernel.
        """
        training = self._going()
        if training is None:
            raise background.not_training(self.name, self.status)
        return training.control

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for the end of a training in the background, `timeout` seconds at most: `status` says if it came.
        The interrupt key ends the waiting, not the training.

        >>> later = nbtune.finetune("sentiment", data=reviews_df, name="later", background=True)
        >>> later.wait().status
        'finished'

        Raises:
            Exception: what ended the training, if it failed.
        """
        training = self._going() or self._training
        if training is not None:
            training.wait(timeout)
        return self

    @functools.cached_property
    def spec(self) -> RunSpec:
        return self._folder.spec()

    @property
    def task(self) -> str:
        return self.spec.task

    @property
    def report(self) -> Report | None:
        """The report made at the end of training, without its predictions; None before.

        >>> run.report.headline
        'macro_f1'
        """
        from nbtune.evaluation.report import Report

        content = self._folder.read_json("report.json")
        return None if content is None else Report.from_dict(content)

    @property
    def metrics(self) -> dict[str, float]:
        """The scores of the report; before there is one, the best scores on the validation data.

        >>> sorted(run.metrics)[:3]
        ['accuracy', 'macro_f1', 'mae']
        """
        report = self.report
        if report is not None:
            return {name: score.value for name, score in report.metrics.items()}
        best = [event.metrics for event in self.events() if isinstance(event, Evaluated) and event.best]
        return dict(best[-1]) if best else {}

    @property
    def history(self) -> pd.DataFrame:
        """The evaluations made while training: step, epoch, one column a metric, best.

        >>> list(run.history)[:3]
        ['step', 'epoch', 'macro_f1']
        """
        import pandas as pd

        rows = [
            {"step": event.step, "epoch": event.epoch, **event.metrics, "best": event.best}
            for event in self.events()
            if isinstance(event, Evaluated)
        ]
        return pd.DataFrame(rows)

    def events(self) -> Iterator[Event]:
        """The events of the run so far, as they are on disk.

        >>> [type(event).__name__ for event in run.events()][-1]
        'Ended'
        """
        return self._folder.events()

    def evaluate(
        self,
        data: Any = None,
        *,
        by: str | Sequence[str] = (),
        seeds: bool = False,
        columns: Mapping[str, str | list[str]] | None = None,
        bad_rows: str = "error",
        namespace: Mapping[str, Any] | None = None,
        precision: str | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Score the model on `data`; by default on the run's test part, or else its validation part.

        The scores are also given apart for each value of the columns named in `by`; with `seeds`, their mean and spread
        over all runs of the family, which differ in their seed alone. The run's corrections hold for rows of `data`
        too, which a note says. `precision` is that of the run if not given; "int8" is faster on a CPU and costs a
        little of the score. `progress` is called with the number of rows answered and the number of all, as they are
        answered.

        >>> report = run.evaluate(test_df, by="shop")
        >>> report.metrics["macro_f1"].low <= report.metrics["macro_f1"].value
        True
        >>> report.by_slice()["by"].tolist()[:2]
        ['shop', 'shop']

        Raises:
            DataError: the data cannot be read, or holds labels the model does not know.
            SpecError: the data has no such column as `by` names.
            RunError: `seeds` is asked of a run that was trained with one.
        """
        from nbtune.running.evaluating import report

        named = (by,) if isinstance(by, str) else by
        ask = functools.partial(
            Run.answers,
            data=data,
            columns=columns,
            bad_rows=bad_rows,
            namespace=namespace,
            precision=precision,
            progress=progress,
            corrections=self.spec.corrections,
        )
        return report(self, data, named, seeds, ask, namespace or {})

    def resume(self, **further: Any) -> Run:
        """Go on from the newest checkpoint of a run that was stopped or cut off; takes what
        `nbtune.running.launch.resume` takes, and needs none of it.

        >>> cut_off = nbtune.load("cut-off")
        >>> cut_off.status
        'stopped'
        >>> cut_off.resume().status
        'finished'
        """
        from nbtune.running.launch import resume

        return resume(self, **further)

    def free(self) -> None:
        """Give the memory of the opened model back; it is opened again on use.

        >>> run.free()
        """
        opened.close(self.folder)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The task's own actions: `run.recommend(user, k)`."""
        if name.startswith("_"):
            raise AttributeError(name)
        from nbtune.tasks.registry import registry

        task = registry().task(self.task)
        actions = task.actions()
        if name not in actions:
            known = [each for each in (*dir(type(self)), *actions) if not each.startswith("_")]
            raise AttributeError(f"a {self.task} run has no {name!r}; {did_you_mean(name, known)}")
        return functools.partial(self._act, name)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return run_card(self)._repr_mimebundle_()

    def __repr__(self) -> str:
        best = [event for event in self.events() if isinstance(event, (Evaluated, Ended))]
        headline = next((e.headline for e in best if isinstance(e, Evaluated)), None)
        value = self.metrics.get(headline or "")
        score = f", {headline} {value:.4f}" if value is not None else ""
        return f"Run({self.name!r}: {self.task}, {self.status}{score}; {self.folder})"

    def _going(self) -> background.Training | None:
        return background.training_in(self.folder)

    def _act(self, name: str, *args: Any, **kwargs: Any) -> Any:
        model = self._model()
        return model.task.actions()[name](model, *args, **kwargs)

    def _model(self, precision: str | None = None) -> Model:
        """The opened model; the few used last stay open."""
        if not self.model_path.is_dir() and self.status == "running":
            here = "wait() waits for it, control.stop() ends it with what it has learned"
            raise RunError(
                f"the run {self.name!r} is still training, and has no model yet",
                here if self._going() is not None else "another kernel trains it: wait for its end, or stop it there",
            )
        return opened.model(self.folder, self.spec, precision, trust_remote_code=self._trust)
