"""Gold answers as people write them into a file of corrections, and read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nbtune.data.corrections import same
from nbtune.tasks.task import Task
from nbtune.testing.walk import Walk, not_plain, raised
from nbtune.values import Example

_LOOKED_AT = 8


def check(walk: Walk) -> Iterator[str]:
    task = walk.task
    known = [example for example in walk.prepared.raw["train"] if example.target is not None][:_LOOKED_AT]
    answers = [task.answer(example) for example in known]
    for example, answer in zip(known, answers, strict=True):
        breach = next(_one(task, example, answer, answers), None)
        if breach is not None:
            yield breach
            return


def _one(task: Task, example: Example, answer: Any, others: list[Any]) -> Iterator[str]:
    found = not_plain(answer, "answer")
    if found:
        yield f"{found}, not a plain JSON value: answers stand in a file of corrections"
        return
    if not isinstance(task.answer_in_words(example, answer), str):
        yield "answer_in_words must give a text"
    again = _tried(task, example, answer)
    if again is None:
        yield f"corrected refuses {answer!r:.80}, which is the answer of row {example.row}"
    elif isinstance(again, Example) and not same(task.answer(again), answer):
        yield f"corrected with its own answer {answer!r:.80}, row {example.row} has {task.answer(again)!r:.80}"
    for changed in (again, *(_tried(task, example, other) for other in others)):
        if isinstance(changed, str):
            yield f"{changed}: corrected takes the answers of other rows, or raises ValueError"
        elif changed is not None and replace(changed, target=None) != replace(example, target=None):
            yield "corrected changes more than the target: corrections are told by what a row says"
    nonsense: Any = "no answer" if isinstance(example.target, dict) else {"no": "answer"}
    refused = _tried(task, example, nonsense)
    if refused is not None:
        words = refused if isinstance(refused, str) else f"corrected takes {nonsense!r} for an answer"
        yield f"{words}: raise ValueError where there is none"


def _tried(task: Task, example: Example, answer: Any) -> Example | str | None:
    """The corrected example; None where the answer is refused; words where that goes wrong."""
    try:
        return task.corrected(example, answer)
    except ValueError:
        return None
    except Exception as error:  # a stranger's code
        return raised(error, task)
