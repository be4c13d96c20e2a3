"""What a prediction rests on: the words of a text, and by how much each speaks for an answer or against it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import pandas as pd

ROUGH = 0.1
"""From this share of the score's change on, what the gradients miss is said."""
ALIKE, PARTLY = 0.7, 0.4
"""Rank correlations from which two methods are said to agree, and to agree in part."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, its characters [start, end) in `source` (a key of the example's inputs), and its part of the score.

    `gradients` is by integrated gradients, `occlusion` by blanking the word alone (NaN where that was not tried);
    above 0 speaks for the target, below 0 against it.
    """

    text: str
    start: int
    end: int
    gradients: float
    occlusion: float = math.nan
    source: str = "text"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What `Run.explain` gives for one answer of a model: `target`, which has `probability` (None: it has none).

    `score` is the model's score for the target (in `unit`), and `baseline` that of the same text with every word
    blanked: the words' gradients add up to the difference. `steps` is how many were taken from one to the other.
    """

    run: str
    target: str
    probability: float | None
    unit: str
    score: float
    baseline: float
    words: tuple[Word, ...]
    texts: Mapping[str, str] = field(repr=False)
    steps: int
    filler: str
    about: tuple[str, int, int] | None = None  # the piece of text that the target names
    notes: tuple[str, ...] = ()

    @property
    def completeness(self) -> float:
        """How much of the score's difference the gradients miss, relative to it: 0 is exact, NaN where the scores are
        the same (captum's convergence delta over the difference)."""
        change = self.score - self.baseline
        missed = sum(word.gradients for word in self.words) - change
        return abs(missed / change) if change else math.nan

    @property
    def agreement(self) -> float:
        """Spearman's rank correlation of the two methods over the words; NaN below three words."""
        pairs = [(word.gradients, word.occlusion) for word in self.words if not math.isnan(word.occlusion)]
        first, second = zip(*pairs, strict=True) if pairs else ((), ())
        if len(pairs) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
            return math.nan
        from scipy.stats import spearmanr

        return float(spearmanr(first, second).statistic)

    @property
    def is_doubtful(self) -> bool:
        """Whether the methods rank the words differently, and do not even put the same one first."""
        return self.agreement < PARTLY and self._first_by_occlusion() is not self.top(1)[0]

    def _first_by_occlusion(self) -> Word:
        tried = (word for word in self.words if not math.isnan(word.occlusion))
        return max(tried, key=lambda word: abs(word.occlusion))

    def top(self, count: int = 10) -> list[Word]:
        """The words with the largest part of the score, for or against."""
        return sorted(self.words, key=lambda word: -abs(word.gradients))[:count]

    def to_frame(self) -> pd.DataFrame:
        """One row a word in the order of the text: target, source, word, start, end, gradients, occlusion."""
        import pandas as pd

        rows = [(self.target, w.source, w.text, w.start, w.end, w.gradients, w.occlusion) for w in self.words]
        return pd.DataFrame(rows, columns=["target", "source", "word", "start", "end", "gradients", "occlusion"])

    def warnings(self) -> Iterator[str]:
        """In words, what should keep a reader from leaning on the numbers."""
        parts = sum(abs(word.gradients) for word in self.words)
        # where parts for and against cancel, the difference is no measure of them
        if self.completeness > ROUGH and self.completeness * abs(self.score - self.baseline) > ROUGH * parts / 2:
            yield (
                f"the gradients miss {self.completeness:.0%} of the difference they should add up to, after "
                f"{self.steps} steps: take them as rough"
            )
        if self.is_doubtful:
            yield (
                f"the two methods rank the words differently (rank correlation {self.agreement:.2f}): the words work "
                "together, and single numbers say little"
            )

    def sentences(self) -> Iterator[str]:
        """In words, what was compared and how well the methods agree."""
        yield (
            f"{self.unit} {self.score:+.2f}; with every word replaced by {self.filler} {self.baseline:+.2f}. "
            "The numbers of the words are parts of the difference."
        )
        if self.agreement >= PARTLY:
            how = "agree" if self.agreement >= ALIKE else "agree in part"
            yield f"integrated gradients and occlusion {how} (rank correlation {self.agreement:.2f})"
        elif self.agreement < PARTLY and not self.is_doubtful:
            yield (
                "integrated gradients and occlusion put the same word first and differ in the order of the others "
                f"(rank correlation {self.agreement:.2f})"
            )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return _bundle([self])

    def __repr__(self) -> str:
        return _bundle([self])["text/plain"]


@dataclass(frozen=True)
class Explanations(Sequence[Explanation]):
    """The explanations of a text's answers where it may have any number: labels, entities. `notes` concern all."""

    run: str
    parts: tuple[Explanation, ...]
    notes: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Explanation]: ...
    def __getitem__(self, index: int | slice) -> Explanation | Sequence[Explanation]:
        return self.parts[index]

    def __len__(self) -> int:
        return len(self.parts)

    def to_frame(self) -> pd.DataFrame:
        """The rows of all, one after the other; `answer` counts them from 0."""
        import pandas as pd

        tables = [part.to_frame().assign(answer=place) for place, part in enumerate(self.parts)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return _bundle(self.parts, self.notes)

    def __repr__(self) -> str:
        return _bundle(self.parts, self.notes)["text/plain"]


def _bundle(parts: Sequence[Explanation], notes: Sequence[str] = ()) -> dict[str, str]:
    from nbtune.evaluation import explanation_drawn as drawn

    return {
        "text/html": drawn.html(parts, notes),
        "text/markdown": drawn.markdown(parts, notes),
        "text/plain": drawn.text(parts, notes),
    }


__all__ = ["Explanation", "Explanations", "Word"]
