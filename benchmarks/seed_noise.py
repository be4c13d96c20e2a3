"""How far scores differ from seed to seed, and whether two contenders differ by more."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from scipy import stats


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    return f"{fmean(values):.4f} ± {stdev(values):.4f}" if len(values) > 1 else f"{values[0]:.4f}"


def welch(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Difference of the means with its 95% interval (Welch, 1947); the bounds are NaN for a single seed."""
    difference = fmean(ours) - fmean(theirs)
    if min(len(ours), len(theirs)) < 2:
        return difference, float("nan"), float("nan")
    interval = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    return difference, float(interval.low), float(interval.high)


def verdict(difference: float, low: float, high: float) -> str:
    """In words; an interval that is NaN (one seed, or no spread at all) decides nothing."""
    if low > 0:
        return "above seed noise"
    if high < 0:
        return "below seed noise"
    return "inside seed noise" if low <= 0 <= high else f"{difference:+.4f}, too few seeds"
