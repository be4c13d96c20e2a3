"""Temperature scaling of a trained model: as sure as it is right on the validation data."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbtune.drawing import Bundle
from nbtune.errors import RunError
from nbtune.evaluation.calibration import Calibration, calibration
from nbtune.evaluation.temperature import fit_temperature
from nbtune.running import asked
from nbtune.running.disk import settled, write_atomically
from nbtune.running.drawn import in_words
from nbtune.running.folder import RunFolder
from nbtune.running.model import CARD, Model
from nbtune.tasks.head import Forward, Head
from nbtune.tasks.judging import judgements
from nbtune.tasks.metrics import Floats
from nbtune.values import Example, Part

_PROBES = 20


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The temperature that was fitted, and the calibration on `data` before and after it."""

    temperature: float
    data: str
    before: Calibration | None
    after: Calibration | None

    def in_words(self) -> str:
        """The same in a sentence."""
        if self.before is None or self.after is None:
            return f"temperature {self.temperature:.3f}"
        return (
            f"temperature {self.temperature:.3f}: on the {self.data} data the calibration error goes from "
            f"{self.before.error:.3f} to {self.after.error:.3f}, the Brier score from {self.before.brier.value:.3f} to "
            f"{self.after.brier.value:.3f}"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return in_words(self.in_words())._repr_mimebundle_()


def calibrate(head: Head, validation: Sequence[Example], forward: Forward) -> float:
    """Fit the head's temperature to validation data with gold answers, and set it.

    Raises:
        RunError: what the head predicts are no labels with probabilities, or it makes them without its temperature.
    """
    head.temperature = 1.0
    judged = list(judgements(head, validation, forward))
    if not judged:
        raise RunError("there is no validation data to fit a temperature to", "give some, or leave calibrate out")
    probabilities = [each.probabilities for each in judged]
    fitted = fit_temperature(np.concatenate(probabilities), np.concatenate([each.given for each in judged]))
    head.temperature = fitted
    probes = list(judgements(head, validation[:_PROBES], forward))
    heeded = all(
        np.allclose(probe.probabilities, _tempered(before, fitted), atol=1e-3)
        for probe, before in zip(probes, probabilities, strict=False)
    )
    if not heeded:
        head.temperature = 1.0
        raise RunError(
            f"{type(head).__name__} makes probabilities without its temperature, so it cannot be calibrated",
            "divide the scores by self.temperature in decode (and judge) before they become probabilities",
        )
    return fitted


def calibrate_run(folder: RunFolder, model: Model) -> Calibrated:
    """Calibrate a saved model on the validation data it kept, with what follows (thresholds) fitted again.

    Raises:
        RunError: as `calibrate`; or the run kept no validation data, or its model cannot be written. The model is then
            as it was.
    """
    wanted: tuple[Part, ...] = ("train", "validation")
    train, validation = (model.task.arrange(asked.kept(folder, part) or [], model.inventory, part) for part in wanted)
    if not validation:
        raise RunError(f"the run {folder.name!r} kept no validation data", "train again with calibrate = true")
    held_out, part = asked.held_out(folder)
    examples = model.task.arrange(held_out, model.inventory, part)

    def look() -> Calibration | None:
        groups = [example.group for example in examples]
        return calibration(map(model.task.confidences, examples, model.predict(examples)), groups)

    head = model.head
    before, temperature, state = look(), head.temperature, head.state()
    try:
        fitted = calibrate(head, validation, model.forward)
        head.conclude(train, validation, model.forward)
        _write(folder, head)
    except BaseException:  # the opened model says what the one on disk says
        head.temperature = temperature
        head.restore(state)
        raise
    return Calibrated(fitted, part, before, look())


def fitted_with_training(
    head: Head, validation: Sequence[Example], forward: Forward, note: Callable[[str], Any]
) -> None:
    """`calibrate` at the end of a training, where a head that cannot is noted: nothing else is lost by it."""
    try:
        calibrate(head, validation, forward)
    except RunError as error:
        note(f"no temperature was fitted: {error.message}")


def _tempered(probabilities: Floats, temperature: float) -> Floats:
    powers: Floats = np.maximum(probabilities, 1e-300) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _write(folder: RunFolder, head: Head) -> None:
    path = settled(folder.model) / CARD
    card = json.loads(path.read_text(encoding="utf-8"))
    card |= {"temperature": head.temperature, "state": head.state()}
    with folder.writing("the temperature"):
        write_atomically(path, json.dumps(card, ensure_ascii=False, indent=1))
