"""What nbtune raises when the user, the data or the machine is at fault.

Anything that is not an `NbtuneError` is a bug of nbtune and keeps its traceback.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from nbtune.drawing.text import visible

_MOST = 4000
"""Characters of a message. It quotes data, which may be long and may hold what a terminal obeys."""


class NbtuneError(Exception):
    """A fault the user can act on: what is wrong, and what to do about it.

    In a notebook it is shown as two lines instead of a traceback, while the cell still fails
    with this type, so that nbclient and papermill notice.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = visible(message, _MOST), visible(hint, _MOST)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """IPython calls this in place of its own traceback."""
        lines = [f"{type(self).__name__}: {self.message}"]
        return [*lines, self.hint] if self.hint else lines


class SpecError(NbtuneError, ValueError):
    """A setting that is unknown, misspelt, of the wrong type or out of range."""


class DataError(NbtuneError, ValueError):
    """Data that cannot be read, or rows that a task cannot learn from."""


class ModelError(NbtuneError, ValueError):
    """A pre-trained model that is missing, damaged or does not fit the task."""


class RunError(NbtuneError, RuntimeError):
    """A run that is missing, taken, unfinished or not what was asked for."""


class TrainingError(NbtuneError, RuntimeError):
    """Training that cannot go on (a loss that is not finite, memory that ran out)."""


class PluginError(NbtuneError, RuntimeError):
    """A plugin that breaks the contract of `nbtune.tasks`."""


class Interrupted(KeyboardInterrupt):
    """The interrupt key, in two lines: where it struck, and what to do now.

    A `KeyboardInterrupt`, so that a loop over many runs that survives failures still ends.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = visible(message, _MOST), visible(hint, _MOST)
        super().__init__(self.message)

    def _render_traceback_(self) -> list[str]:
        """IPython calls this in place of its own traceback."""
        return [f"{type(self).__name__}: {self.message}", *([self.hint] if self.hint else [])]


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, newest first."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def release(error: BaseException) -> None:
    """Empty the frames that have ended in an error's traceback: an error that was shown is kept by the interpreter,
    and would keep the model, the optimizer and the data with it. Files and lines stay."""
    for each in chain(error):
        traceback.clear_frames(each.__traceback__)


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A sentence that offers the nearest of `choices`, or lists them when none is near."""
    known = [str(choice) for choice in choices]
    folded = {choice.casefold(): choice for choice in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    return f"choose from: {', '.join(known)}" if known else ""
