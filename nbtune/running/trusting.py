"""What a `Run` does for whoever asks whether to believe it: it says what an answer rests on, and how sure to be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbtune.running.folder import RunFolder

if TYPE_CHECKING:
    from nbtune.evaluation.explanation import Explanation, Explanations
    from nbtune.running.calibrating import Calibrated
    from nbtune.running.model import Model


class Trusting(ABC):
    """Two methods of `Run`."""

    _folder: RunFolder

    @abstractmethod
    def _model(self, precision: str | None = None) -> Model: ...

    def explain(self, text: str | Mapping[str, Any], *, target: str | None = None) -> Explanation | Explanations:
        """The words that the prediction for a text (or a dict of a row's columns) rests on, for and against.

        `target` picks the answer: a label, or an entity by its text or type; by default the model's own. Tasks that may
        give any number of answers give `Explanations`, one for each, where none is picked.

        >>> run.explain("a fine film").to_frame()["word"].tolist()
        ['a', 'fine', 'film']

        Raises:
            RunError: the task does not explain its predictions.
            SpecError: there is no such `target`.
        """
        from nbtune.running.explaining import explain

        return explain(self._folder, self._model(), text, target)

    def calibrate(self) -> Calibrated:
        """Fit a temperature on the validation data the run kept, so that confidences tell how often the model is right.
        It changes no answer but those that thresholds decide; it is saved with the model, and tells what it changed.

        >>> run.calibrate().temperature > 0
        True

        Raises:
            RunError: the run kept no validation data, or its answers are no labels with probabilities.
        """
        from nbtune.running.calibrating import calibrate_run

        return calibrate_run(self._folder, self._model())
