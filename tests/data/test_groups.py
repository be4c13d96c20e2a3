"""Groups whose rows lie in two parts."""

from __future__ import annotations

import pandas as pd
import pytest

from nbtune.data.prepare import prepare
from nbtune.data.scoring import read_for_scoring
from nbtune.errors import SpecError
from nbtune.tasks.registry import registry
from nbtune.tasks.task import Task


def frame(first: int, count: int, **columns: list[object]) -> pd.DataFrame:
    numbers = range(first, first + count)
    return pd.DataFrame(
        {
            "text": [f"{hash(n) * 7919 % 100003} text {n}" for n in numbers],
            "label": [("a", "b")[n % 2] for n in numbers],
        }
        | columns
    )


def messages(task: Task, train: pd.DataFrame, validation: pd.DataFrame | None) -> list[str]:
    findings = prepare(task, data=train, validation=validation).findings
    return [each.message for each in findings if "group" in each.message]


def test_a_column_that_ties_rows_together_is_noticed(toy: Task) -> None:
    train = frame(0, 40, doc_id=[number // 4 for number in range(40)])
    validation = frame(100, 4, doc_id=[9, 9, 50, 51])
    assert messages(toy, train, validation) == [
        "1 doc_id group has rows in both the training and the validation data, such as '9': 2 of the 4 validation"
        " examples are of them (rows 0, 1)"
    ]


def test_a_split_made_here_through_documents_is_noticed_too(toy: Task) -> None:
    (message,) = messages(toy, frame(0, 60, document=[number % 5 for number in range(60)]), None)
    assert "document groups have rows in both the training and the validation data" in message


def test_a_column_that_numbers_rows_or_is_read_by_the_task_is_not(toy: Task) -> None:
    assert messages(toy, frame(0, 40, user=list(range(40))), frame(100, 4, user=[1, 2, 3, 4])) == []
    own = [f"w{number % 4}" for number in range(40)]
    assert messages(toy, frame(0, 40, writer=own), None) == []  # the split keeps a task's own groups together


def test_the_tasks_own_groups_in_given_parts_are_noticed(toy: Task) -> None:
    train = frame(0, 40, writer=[f"<b>w{number % 4}" for number in range(40)])
    (message,) = messages(toy, train, frame(100, 3, writer=["<b>w1", "new", "new"]))
    assert message.startswith("1 group has rows in both the training and the validation data, such as '<b>w1'")


def test_a_column_named_as_the_group_is_never_parted(toy: Task) -> None:
    train = frame(0, 120, document=[number % 12 for number in range(120)])
    prepared = prepare(toy, data=train, group="document", validation_fraction=0.25)
    parts = {part: set(examples.groups.tolist()) for part, examples in prepared.raw.items()}
    assert parts["train"] | parts["validation"] == {str(number) for number in range(12)}
    assert not parts["train"] & parts["validation"]
    assert not [each for each in prepared.findings if "group" in each.message]


def test_empty_cells_of_the_group_tie_nothing_together(toy: Task) -> None:
    prepared = prepare(toy, data=frame(0, 40, user=[None, "a"] * 20), group="user")
    groups = [example.group for part in prepared.raw.values() for example in part]
    assert groups.count(None) == 20
    assert groups.count("a") == 20


def test_a_group_that_is_not_there_is_refused_with_the_nearest(toy: Task) -> None:
    with pytest.raises(SpecError, match="no column 'documnt'") as refused:
        prepare(toy, data=frame(0, 40, document=[0] * 40), group="documnt")
    assert "document" in refused.value.hint


def test_a_task_that_ties_rows_by_itself_takes_no_group() -> None:
    visits = pd.DataFrame(
        [{"user": f"u{n % 7}", "item": f"i{n % 5}", "text": f"t {n % 5}", "day": n} for n in range(60)]
    )
    with pytest.raises(SpecError, match="by itself"):
        prepare(registry().task("recommendation"), data=visits, group="day")


def test_new_data_is_tied_by_the_same_column_where_it_has_it(toy: Task) -> None:
    tied = read_for_scoring(toy, frame(0, 4, user=["a", "a", "b", None]), part="test", group="user")
    assert [example.group for example in tied] == ["a", "a", "b", None]
    assert read_for_scoring(toy, frame(0, 4), part="test", group="user").groups is None
