"""Errors on their way out of a magic: remembered for `%nbtune why`, and stripped of what they would keep in memory."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass

from nbtune.drawing import Markup, callout, escape, fold, markdown_table, panel, tag, visible
from nbtune.errors import (
    DataError,
    Interrupted,
    ModelError,
    NbtuneError,
    PluginError,
    RunError,
    SpecError,
    TrainingError,
    chain,
    release,
)
from nbtune.notebook.picture import Picture

_MEANING: tuple[tuple[type[BaseException], str], ...] = (
    (
        SpecError,
        "A setting, an option or a name was refused. Settings are checked before any data is read, so nothing was "
        "trained and nothing on disk has changed. `%finetune?` lists the options, and completion inside a %%finetune "
        "cell offers the settings with the task's own.",
    ),
    (
        DataError,
        "The data was refused before any training. "
        "`%nbtune inspect DATA --task TASK` shows which columns are taken and what is wrong with which rows; "
        '`bad_rows = "drop"` leaves bad rows out, and `[columns]` names the columns.',
    ),
    (
        ModelError,
        "The pre-trained model, or the saved one, could not be used. Aliases work offline where their package is "
        "installed; other names are folders, or are fetched from the hub. `%nbtune doctor` says what is installed.",
    ),
    (
        RunError,
        "A run was not what was asked for: missing, taken, or not finished. `%nbtune runs` lists them. A run is never "
        "overwritten unless you say so.",
    ),
    (
        TrainingError,
        "Training could not go on. What had been learned up to the last checkpoint is kept in the run's folder. A loss "
        "that stops being a number usually means a learning rate that is too high for this data, or rows that are "
        'broken: divide learning_rate by 10, set clip = 1.0, precision = "fp32". Memory that ran out: halve batch_size '
        "and double accumulate (the same result), lower max_length, set freeze or lora = true, and run `%nbtune free`.",
    ),
    (
        PluginError,
        "A task's plugin broke the contract; this is for its author. `%nbtune tasks` names the package it came from.",
    ),
    (
        NbtuneError,
        "Something about the settings, the data or the machine stood in the way; the hint says what to change.",
    ),
    (
        KeyboardInterrupt,
        "The interrupt key ended the cell. A run that was training keeps what it had saved: `%finetune --resume NAME` "
        "goes on with it.",
    ),
    (
        MemoryError,
        "The machine's memory ran out. Lower batch_size or max_length, free other variables, and run `%nbtune free`.",
    ),
)

_MOST = 20_000
"""Characters of a traceback that are shown: its beginning, and its end with the message."""
_UNKNOWN = (
    "This is not an error nbtune raises on purpose. If the traceback ends inside nbtune, it is a bug of nbtune's: "
    "please report it with these lines."
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is left of an error: words, no frames."""

    error: str
    message: str
    hint: str
    meaning: str
    causes: tuple[str, ...]
    details: str

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        own = isinstance(error, (NbtuneError, Interrupted))
        meaning = next((words for kind, words in _MEANING if isinstance(error, kind)), "")
        return cls(
            error=type(error).__name__,
            message=error.message if isinstance(error, (NbtuneError, Interrupted)) else str(error),
            hint=error.hint if isinstance(error, (NbtuneError, Interrupted)) else "",
            meaning=meaning or _UNKNOWN,
            causes=tuple(f"{type(cause).__name__}: {cause}" for cause in chain(error) if cause is not error),
            details="".join(traceback.format_exception(error)) if not own or error.__traceback__ else "",
        )

    def picture(self, *, unfolded: bool = False) -> Picture:
        """The error at more length."""
        causes = tag("p", "It came from: ", "; ".join(self.causes), css="nbtune-soft") if self.causes else ""
        title = Markup(f"{tag('strong', self.error)}: {tag('span', self.message)}")
        hint = callout(self.hint, tone="good") if self.hint else ""
        details = fold("traceback", tag("pre", escape(self.details, _MOST)), shown=unfolded) if self.details else ""
        words = [f"{self.error}: {self.message}", self.hint, self.meaning]
        words += [f"it came from: {cause}" for cause in self.causes]
        words += [self.details.rstrip()] if unfolded else []
        rows = [(self.error, self.message), ("what to do", self.hint), ("what it means", self.meaning)]
        return Picture(
            html=panel(callout(title, tone="error"), hint, tag("p", self.meaning), causes, details),
            markdown=markdown_table(("last error", ""), rows),
            text="\n".join(visible(line, _MOST) for line in words if line),
        )


class Faults:
    """The last error of a magic."""

    def __init__(self) -> None:
        self._last: tuple[int, Fault] | None = None

    def clean(self, error: BaseException) -> BaseException:
        """The same error, remembered, with its frames emptied: a shown exception would keep the model on the device."""
        self._last = (id(error), Fault.of(error))
        release(error)
        # the two lines of an NbtuneError are all there is to see; a bug of ours keeps its (empty) frames
        return error.with_traceback(None) if isinstance(error, (NbtuneError, Interrupted)) else error

    def last(self) -> Fault | None:
        """The last error shown in this session: one of ours, or of plain Python."""
        shown = getattr(sys, "last_value", None)
        if self._last is not None and (shown is None or id(shown) == self._last[0]):
            return self._last[1]
        return Fault.of(shown) if shown is not None else None
