"""`Run.mistakes`: labels that are likely wrong and, apart from them, what the model itself gets wrong for sure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtune.data.corrections import Correction
from nbtune.evaluation.correcting import Book, Change
from nbtune.evaluation.doubts import Ranking, doubts
from nbtune.tasks.judging import Claim, Judgement
from nbtune.tasks.task import Task
from nbtune.values import Example, Part

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("part", "row", "text", "start", "end", "given", "suggested", "score", "doubted")


@dataclass(frozen=True, eq=False)
class Heard:
    """The examples of a part with what a model says of each; None where it could not judge."""

    part: Part
    examples: Sequence[Example]
    judgements: Sequence[Judgement | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mistakes:
    """What `Run.mistakes` gives.

    `labels` are the places where a model disagrees with the data, the most likely wrong labels first: `score` is how
    well the given label fits, from 0 to 1, and `doubted` whether cleanlab takes it for wrong. `confident` are the run's
    own mistakes, the surest first, if the data is right: `score` is how sure the model is of its answer. Both have
    the number of the row in its table and, where an answer is a place in the text, its characters.
    """

    run: str
    task: str
    judged: str  # how and on what, in words
    examined: int
    labels: pd.DataFrame
    confident: pd.DataFrame
    confident_on: str
    notes: tuple[str, ...]
    book: Book

    @property
    def corrections(self) -> Path:
        """The file that `correct` and `accept` write to."""
        return self.book.path

    def to_frame(self) -> pd.DataFrame:
        """Both lists in one table; `kind` is "label" or "mistake"."""
        import pandas as pd

        return pd.concat([self.labels.assign(kind="label"), self.confident.assign(kind="mistake")], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is missing becomes None."""
        plain = {name: json.loads(getattr(self, name).to_json(orient="records")) for name in ("labels", "confident")}
        words = {"run": self.run, "task": self.task, "judged": self.judged, "examined": self.examined}
        return {**words, **plain, "confident_on": self.confident_on, "notes": list(self.notes)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    def correct(
        self,
        row: int,
        new: Any,
        *,
        part: Part | None = None,
        why: str = "",
        who: str | None = None,
        new_label: bool = False,
    ) -> list[Correction]:
        """Write down the right answer of a row, in the form of the data: a label, labels, or [start, end, type] of each
        entity. Nothing is written where the file says so already. `part` is needed where two parts have that row.

        Raises:
            DataError: there is no such row, `new` is no answer to it, or a label that no training row has (a slip,
                unless `new_label`); the file cannot be read or written.
        """
        return self.book.correct(row, new, part=part, why=why, who=who, new_label=new_label)

    def accept(
        self, rows: int | Iterable[int], *, part: Part | None = None, why: str = "", who: str | None = None
    ) -> list[Correction]:
        """Write down what is suggested for these rows, all of a row's suggestions together.

        Raises:
            DataError: nothing is suggested for a row; the file cannot be read or written.
        """
        return self.book.accept([rows] if isinstance(rows, int) else list(rows), part=part, why=why, who=who)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from nbtune.evaluation import mistakes_drawn

        return {
            "text/html": mistakes_drawn.html(self),
            "text/markdown": mistakes_drawn.markdown(self),
            "text/plain": mistakes_drawn.text(self),
        }

    def __repr__(self) -> str:
        from nbtune.evaluation import mistakes_drawn

        return mistakes_drawn.text(self)


def make_mistakes(
    task: Task,
    *,
    run: str,
    judged: str,
    heard: Heard,
    own: Heard,
    confident_on: str,
    ranking: Ranking,
    book: Book,
    notes: Sequence[str] = (),
) -> Mistakes:
    """Rank the labels of `heard`, and the mistakes that the run's own model makes on `own`."""
    known = [each for each in zip(heard.examples, heard.judgements, strict=True) if each[1] is not None]
    judgements = [judgement for _, judgement in known if judgement is not None]
    fits, wrong = doubts(judgements, ranking)
    rows = []
    for (example, judgement), fit, doubted in zip(known, fits, wrong, strict=True):
        for claim in judgement.claims if judgement else ():
            units = slice(claim.first, claim.stop)
            score = float(fit[units].min())
            if claim.given != claim.found and score == score:
                rows.append((example, claim, score, bool(doubted[units].any())))
    rows.sort(key=lambda each: (not each[3], each[2]))
    skipped = len(heard.examples) - len(known)
    if skipped:
        notes = [*notes, f"{skipped:,} rows were not judged, because only their own fold has their label"]
    sure = _confident(own)
    book.suggest(_changes(heard.part, ((example, claim) for example, claim, *_ in rows)))
    book.suggest(_changes(own.part, ((example, claim) for example, claim, _ in sure)))
    return Mistakes(
        run=run,
        task=task.name,
        judged=judged,
        examined=len(known),
        labels=_frame(task, heard.part, rows),
        confident=_frame(task, own.part, [(*each, None) for each in sure]).drop(columns="doubted"),
        confident_on=confident_on,
        notes=tuple(notes),
        book=book,
    )


def _confident(heard: Heard) -> list[tuple[Example, Claim, float]]:
    """The claims that the data contradicts, of which the model is at least as sure as it is, on average, of those that
    the data confirms; the surest first."""
    claims = [
        (example, claim)
        for example, judgement in zip(heard.examples, heard.judgements, strict=True)
        for claim in (judgement.claims if judgement else ())
    ]
    right = [claim.confidence for _, claim in claims if claim.given == claim.found]
    usual = float(np.mean(right)) if right else 0.0
    wrong = [(example, claim, claim.confidence) for example, claim in claims if claim.given != claim.found]
    return sorted((each for each in wrong if each[2] >= usual), key=lambda each: -each[2])


def _changes(part: Part, claims: Iterable[tuple[Example, Claim]]) -> Mapping[tuple[Part, int], list[Change]]:
    found: dict[tuple[Part, int], list[Change]] = {}
    for example, claim in claims:
        found.setdefault((part, example.row), []).append(Change(claim.given, claim.found))
    return found


def _frame(task: Task, part: Part, rows: Sequence[tuple[Example, Claim, float, bool | None]]) -> pd.DataFrame:
    import pandas as pd

    lines = [
        (
            part,
            example.row,
            _text(example),
            *(claim.place or (None, None)),
            task.answer_in_words(example, claim.given),
            task.answer_in_words(example, claim.found),
            score,
            doubted,
        )
        for example, claim, score, doubted in rows
    ]
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    return (
        frame.astype({"start": "Int64", "end": "Int64"})
        if frame["start"].notna().any()
        else frame.drop(columns=["start", "end"])
    )


def _text(example: Example) -> str:
    """The texts among the inputs, one under the other."""
    return "\n".join(value for value in example.inputs.values() if isinstance(value, str))
