from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from nbtune.data.checks import check, refuse
from nbtune.errors import DataError
from nbtune.tasks.task import Task
from nbtune.values import Column, Example, Finding, Part


def examples(*pairs: tuple[str, str]) -> list[Example]:
    return [Example({"text": text}, label, row=row) for row, (text, label) in enumerate(pairs)]


def many(**counts: int) -> list[Example]:
    return examples(*[(f"{label} {number}", label) for label, count in counts.items() for number in range(count)])


def found(task: Task, **parts: list[Example]) -> tuple[Finding, ...]:
    by_part: dict[Part, list[Example]] = {
        part: parts[part] for part in ("train", "validation", "test") if part in parts
    }  # type: ignore[misc]
    findings = check(task, by_part, task.inventory(parts["train"]))
    refuse(findings)
    return findings


def test_sound_data_has_no_findings(toy: Task) -> None:
    assert found(toy, train=many(a=10, b=10), validation=examples(("new", "a"))) == ()


def test_one_class_only_is_an_error(toy: Task) -> None:
    with pytest.raises(DataError) as caught:
        found(toy, train=many(a=10))
    assert caught.value.message == "the training data has only one label, 'a'; the task 'toy' needs at least 2"
    toy.minimum_labels = 1
    assert found(toy, train=many(a=10)) == ()


def test_a_label_seen_only_in_validation_is_an_error_with_the_nearest_name(toy: Task) -> None:
    validation = examples(("x", "sport"), ("y", "sprot"), ("z", "sprot"))
    with pytest.raises(DataError) as caught:
        found(toy, train=many(sport=9, politics=9), validation=validation)
    assert caught.value.message == (
        "the label 'sprot' is in the validation data but not in the training data (rows 1, 2)"
    )
    assert caught.value.hint.endswith("did you mean 'sport'?")


def test_a_label_seen_only_in_test_is_a_warning(toy: Task) -> None:
    (finding,) = found(toy, train=many(a=9, b=9), validation=examples(("v", "a")), test=examples(("x", "zzz")))
    assert (finding.severity, finding.rows, finding.count) == ("warning", (0,), 1)
    assert finding.message == "the label 'zzz' is in the test data but not in the training data (row 0)"


def test_several_errors_are_counted(toy: Task) -> None:
    with pytest.raises(DataError, match=r"the label 'x' .*\(and 1 more such finding\)"):
        found(toy, train=many(a=9, b=9), validation=examples(("1", "x"), ("2", "y")))


def test_duplicates_across_parts_are_counted_and_named(toy: Task) -> None:
    train = many(a=9, b=9)
    validation = examples(("new", "a"), (" A 3", "a"), ("b 1 ", "b"))
    (finding,) = found(toy, train=train, validation=validation)
    assert (finding.severity, finding.rows, finding.count) == ("warning", (1, 2), 2)
    assert finding.message == "2 of the 3 validation examples are also in the training data (rows 1, 2)"


def test_duplicates_between_validation_and_test_are_found_too(toy: Task) -> None:
    same = examples(("new", "a"))
    (finding,) = found(toy, train=many(a=9, b=9), validation=same, test=same)
    assert finding.message == "1 of the 1 test examples is also in the validation data (row 0)"


def test_one_text_with_two_labels_is_a_warning_and_no_repeat(toy: Task) -> None:
    (warning,) = found(toy, train=[*many(a=9, b=9), *examples(("same", "a"), ("Same", "b"))])
    assert warning.message == "1 input is in the training data more than once, with different targets (rows 0, 1)"
    assert (warning.severity, warning.fix) == ("warning", "drop_conflicts")
    assert warning.remedy.endswith('fix = ["drop_conflicts"]')


def test_the_same_text_with_the_same_label_is_a_repeat(toy: Task) -> None:
    (note,) = found(toy, train=[*many(a=9, b=9), *examples(("same", "a"), ("Same", "a"))])
    assert note.message == "1 training example repeats an earlier one (row 1)"
    assert (note.severity, note.fix) == ("note", "drop_duplicates")


def test_rare_labels_and_imbalance_are_noted(toy: Task) -> None:
    (rare,) = found(toy, train=many(a=9, b=2, c=1))
    assert rare.message == "2 labels with fewer than 5 training examples: b (2), c (1)"
    (uneven,) = found(toy, train=many(a=200, b=10))
    assert uneven.message == "the labels are out of balance: 'a' has 200 examples, 'b' 10"
    assert uneven.remedy == 'class_weights = "balanced" makes rare labels count as much'


def test_the_task_checks_too_and_its_errors_stop(toy_class: type[Task]) -> None:
    findings = [Finding("note", "a note"), Finding("warning", "a warning")]

    class Checking(toy_class):
        def check(self, parts: object, inventory: object) -> Iterable[Finding]:
            return findings

    assert [finding.severity for finding in found(Checking(), train=many(a=9, b=9))] == ["warning", "note"]
    findings.append(Finding("error", "this cannot work", "do that"))
    with pytest.raises(DataError, match="this cannot work\ndo that"):
        found(Checking(), train=many(a=9, b=9))


def test_a_task_without_labels_is_left_alone(toy_class: type[Task]) -> None:
    class Numbers(toy_class):
        minimum_labels = 0

        def labels_of(self, example: Example) -> Sequence[str]:
            return ()

    assert found(Numbers(), train=many(a=3), validation=examples(("x", "y"))) == ()


def test_slow_checks_of_large_data_are_left_out_before_a_training_and_that_is_said(
    toy: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbtune.data.checks.QUICK", 30)
    parts = {"train": [*many(a=20, b=20), *examples(("a sentence that is long enough", "a"))]}
    parts["train"] += examples(("a sentence that is long enough!", "a"))
    inventory = toy.inventory(parts["train"])
    (note,) = check(toy, parts, inventory)  # type: ignore[arg-type]
    assert note.message == "not looked at, because 42 examples take a while: near duplicates"
    (thorough,) = check(toy, parts, inventory, thorough=True)  # type: ignore[arg-type]
    assert thorough.message.startswith("1 training example is almost the same as an earlier one")


def test_rows_told_apart_by_ids_have_no_near_duplicates(toy_class: type[Task]) -> None:
    class Interactions(toy_class):
        columns = (Column("text", "text"), Column("label", "label", target=True), Column("user", "id"))

    alike = examples(("the same item, seen by one", "a"), ("the same item, seen by one!", "b"))
    assert found(Interactions(), train=[*many(a=9, b=9), *alike]) == ()
    assert len(found(toy_class(), train=[*many(a=9, b=9), *alike])) == 1
