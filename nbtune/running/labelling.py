"""What a `Run` does for whoever labels data: it points at labels that are wrong, and at rows worth labelling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtune.control import Control
from nbtune.running.folder import RunFolder
from nbtune.values import Part

if TYPE_CHECKING:
    import pandas as pd

    from nbtune.evaluation.doubts import Ranking
    from nbtune.evaluation.mistakes import Mistakes
    from nbtune.evaluation.uncertainty import Measure, Over
    from nbtune.running.model import Model, Progress


class Labelling(ABC):
    """Two methods of `Run`."""

    _folder: RunFolder
    _trust: bool

    @abstractmethod
    def _model(self, precision: str | None = None) -> Model: ...

    def mistakes(
        self,
        folds: int | None = None,
        *,
        part: Part | None = None,
        ranking: Ranking = "self_confidence",
        corrections: str | Path | None = None,
        progress: Progress | None = None,
        control: Control | None = None,
    ) -> Mistakes:
        """Labels that are likely wrong, the worst first, and apart from them the model's confident mistakes.

        With `folds`, so many models are trained like the run on parts of its training data, and each judges the part
        it has not seen. Without, the run's model judges its validation data (or the `part` named). `corrections` is the
        file that the result's `correct` and `accept` write to; that of the spec, or else `NAME.corrections.jsonl`.
        `control` stops the training of folds.

        >>> found = run.mistakes(folds=2)
        >>> list(found.labels)[:5]
        ['part', 'row', 'text', 'given', 'suggested']
        >>> found.correct(3, "negative", part="train", why="read again")[0].new
        'negative'

        Raises:
            RunError: the task has no labels with probabilities, or the run kept no such data.
            Interrupted: the interrupt key was pressed, or `control` asked to stop, while the folds were trained.
        """
        from nbtune.running.mistaking import find_mistakes

        return find_mistakes(
            self._folder,
            self._model,
            folds=folds,
            part=part,
            ranking=ranking,
            corrections=corrections,
            trust_remote_code=self._trust,
            progress=progress,
            control=control,
        )

    def uncertain(
        self,
        pool: Any,
        k: int,
        *,
        by: Measure = "margin",
        over: Over = "worst",
        diverse: bool = True,
        seed: int = 0,
        columns: Mapping[str, str | list[str]] | None = None,
        namespace: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> pd.DataFrame:
        """The `k` rows of a pool without labels that are most worth labelling, the least sure first, with a column
        `uncertainty` from 0 to 1 measured `by` margin, entropy or confidence; `over` the worst word of a text or
        the mean of all. `diverse` chooses rows that differ among the 10 k least sure. Texts that the run knows are left
        out.

        >>> run.uncertain(["no idea", "a fine film", "awful"], 1)[["text", "uncertainty"]].shape
        (1, 2)

        Raises:
            RunError: the task has no labels with probabilities.
        """
        from nbtune.running.choosing import choose

        return choose(
            self._folder,
            self._model(),
            pool,
            k,
            by=by,
            over=over,
            diverse=diverse,
            seed=seed,
            columns=columns,
            namespace=namespace,
            progress=progress,
        )
