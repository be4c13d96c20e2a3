"""Whether a model that says 0.8 is right eight times of ten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nbtune.drawing import Record
from nbtune.evaluation.intervals import Score, group_sums, resample, score
from nbtune.tasks.metrics import Floats, Metric, ratio

BINS = 15
_WIDTH = 3  # per bin: answers, sum of their confidences, how many were right
CONVENTION = f"expected calibration error over {BINS} bins of equal width (Guo et al., 2017)"


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of like confidence: their mean confidence, the share that was right, and how many they are."""

    confidence: float
    right: float
    count: int


@dataclass(frozen=True, slots=True)
class Calibration(Record):
    """`error` is the expected calibration error, `brier` the mean squared gap between confidence and truth, both with
    95% intervals; `confidence` and `right` are means over all `answers`. Empty bins are left out."""

    error: Score
    brier: Score
    confidence: float
    right: float
    answers: int
    bins: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Calibration:
        """What `to_dict` wrote."""
        rest = {key: content[key] for key in ("confidence", "right", "answers")}
        return cls(
            Score(**content["error"]), Score(**content["brier"]), bins=tuple(Bin(**b) for b in content["bins"]), **rest
        )


def calibration(
    answers: Iterable[Iterable[tuple[float, bool]]], groups: Sequence[str | None] = ()
) -> Calibration | None:
    """From each example's answers as (confidence, whether it was right); None where there are none."""
    tallies = np.stack([_tally(own) for own in answers] or [np.zeros(BINS * _WIDTH + 1)])
    sums = group_sums(tallies, groups)
    total = sums.sum(axis=0)
    bins = total[:-1].reshape(BINS, _WIDTH)
    count = bins[:, 0].sum()
    if not count:
        return None
    samples = resample(sums)
    return Calibration(
        error=score(Metric("calibration_error", _error), sums, samples),
        brier=score(Metric("brier", lambda each: ratio(each[..., -1], _count(each), empty=np.nan)), sums, samples),
        confidence=float(bins[:, 1].sum() / count),
        right=float(bins[:, 2].sum() / count),
        answers=int(count),
        bins=tuple(Bin(float(c / n), float(r / n), int(n)) for n, c, r in bins if n),
    )


def _tally(answers: Iterable[tuple[float, bool]]) -> Floats:
    counts = np.zeros(BINS * _WIDTH + 1)
    bins = counts[:-1].reshape(BINS, _WIDTH)  # a view
    for confidence, right in answers:
        bins[min(BINS - 1, int(confidence * BINS))] += 1, confidence, right
        counts[-1] += (confidence - right) ** 2
    return counts


def _error(sums: Floats) -> Floats:
    bins = sums[..., :-1].reshape(*sums.shape[:-1], BINS, _WIDTH)
    return ratio(np.abs(bins[..., 1] - bins[..., 2]).sum(-1), _count(sums), empty=np.nan)


def _count(sums: Floats) -> Floats:
    count: Floats = sums[..., :-1:_WIDTH].sum(-1)
    return count
