"""Rows to examples, what counts as liked, features, splits and what is said about the data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from nbtune_recommendation import Recommendation

from nbtune.errors import DataError
from nbtune.values import ColumnMap, Example, Finding, Part, Problem

COLUMNS = ColumnMap({"user": "user", "item": "item", "text": "title", "label": "stars", "time": "when"})


def read(table: pd.DataFrame, part: Part = "train", **options: Any) -> list[Example | Problem]:
    columns = ColumnMap({role: name for role, name in COLUMNS.names.items() if name in table.columns})
    return list(Recommendation().configured(options).read(table, columns, part))


def examples(table: pd.DataFrame, part: Part = "train", **options: Any) -> list[Example]:
    found = read(table, part, **options)
    assert not [problem for problem in found if isinstance(problem, Problem)]
    return [example for example in found if isinstance(example, Example)]


def listens(**columns: list[Any]) -> pd.DataFrame:
    size = len(next(iter(columns.values())))
    default: dict[str, list[Any]] = {"user": ["u"] * size, "item": [f"i{n}" for n in range(size)]}
    default["title"] = [f"about {item}" for item in columns.get("item", default["item"])]
    return pd.DataFrame({**default, **columns})


def findings(table: pd.DataFrame, **options: Any) -> list[Finding]:
    task = Recommendation().configured(options)
    rows = examples(table, **options)
    return list(task.check({"train": rows}, task.inventory(rows)))


def test_importing_the_plugin_brings_no_pandas_and_no_torch() -> None:
    code = "import sys, nbtune_recommendation; print([m for m in ('torch', 'pandas', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_row_holds_user_item_text_time_and_features() -> None:
    table = listens(user=[7], stars=[5], when=["2024-02-04T08:18:38Z"], minutes=[35], category=["travel"])
    (example,) = examples(table)
    assert example.inputs["user"] == example.group == "7"
    assert example.inputs["time"] == 1707034718.0
    assert example.inputs["features"] == {"minutes": 35.0, "category": "travel"}
    assert example.target == 5.0


def test_bad_cells_are_named_by_row_and_column() -> None:
    table = listens(
        user=["a", None, "c", "d"], title=["x", "y", " ", "z"], stars=[1, 2, 3, None], when=["2024-01-01"] * 4
    )
    problems = [problem for problem in read(table) if isinstance(problem, Problem)]
    assert [(problem.row, problem.column) for problem in problems] == [(1, "user"), (2, "title"), (3, "stars")]
    (problem,) = [p for p in read(listens(when=["2024-01-01", "someday"])) if isinstance(p, Problem)]
    assert (problem.row, problem.reason, problem.column) == (1, "is not a time", "when")


def test_rows_to_predict_need_neither_label_nor_text() -> None:
    (example,) = examples(pd.DataFrame({"user": ["u"], "item": ["i"]}), "predict")
    assert (example.target, example.inputs["text"]) == (None, "")


def test_training_without_texts_says_what_to_do() -> None:
    with pytest.raises(DataError, match="no column with the items' text") as error:
        read(pd.DataFrame({"user": ["u"], "item": ["i"]}))
    assert "items.csv" in error.value.hint


@pytest.mark.parametrize(
    ("stars", "options", "threshold"),
    [
        ([1, 3, 5, 4, 2], {}, 4.0),
        ([0, 1, 1, 0, 1], {}, 1.0),
        ([True, False, True, True, False], {}, 1.0),
        ([1, 3, 9, 7, 10, 2], {}, 7.0),
        ([0, 12, 3, 250, 1], {}, 1.0),
        ([1, 3, 5, 4, 2], {"positive_from": 3}, 3.0),
    ],
)
def test_what_counts_as_liked_is_guessed_from_the_range_or_chosen(
    stars: list[Any], options: dict[str, Any], threshold: float
) -> None:
    table = listens(user=list("aaaaaa")[: len(stars)], stars=stars)
    rows = examples(table, **options)
    inventory = Recommendation().configured(options).inventory(rows)
    assert inventory.facts["positive_from"] == threshold
    liked = [f"i{n}" for n, value in enumerate(stars) if value >= threshold]
    assert [inventory.facts["items"][place] for place in inventory.facts["liked"]["a"]] == liked


def test_the_guess_is_reported() -> None:
    notes = [finding.message for finding in findings(listens(user=list("aab"), stars=[5, 4, 1]))]
    assert any("4 and more counts as liked (guessed; positive_from)" in note for note in notes)


def test_columns_that_vary_within_an_item_are_no_features() -> None:
    table = listens(item=list("xyx"), minutes=[10, 20, 10], device=["phone", "web", "web"], constant=[1, 1, 1])
    rows = examples(table)
    facts = Recommendation().inventory(rows).facts
    assert facts["kinds"] == {"minutes": "number"}
    assert facts["features"] == {"minutes": [10.0, 20.0]}
    assert any("device" in finding.message for finding in findings(table))


def test_a_misspelt_feature_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DataError, match="minuts") as error:
        read(listens(user=["a"], minutes=[3]), features=["minuts"])
    assert "minutes" in error.value.hint


def test_a_table_of_items_adds_candidates_nobody_used(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    pd.DataFrame({"item_id": ["i0", "new"], "title": ["about i0", "brand new"], "minutes": [1, 2]}).to_csv(path)
    task = Recommendation().configured({"items": str(path)})
    table = pd.DataFrame({"user": ["a", "a"], "item": ["i0", "new"]})
    rows = [e for e in task.read(table[:1], COLUMNS_WITHOUT_TEXT, "train") if isinstance(e, Example)]
    facts = task.inventory(rows).facts
    assert facts["items"] == ["i0", "new"]
    assert facts["texts"] == ["about i0", "brand new"]
    assert facts["popularity"] == [1, 0]
    assert facts["kinds"] == {"minutes": "number"}


COLUMNS_WITHOUT_TEXT = ColumnMap({"user": "user", "item": "item"})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.csv", None, "there is no table of items"),
        ("items.xyz", "a", "not a known kind"),
        ("items.parquet", "not parquet", "cannot be read"),
        ("items.csv", "item,words\n1,x\n", "no column 'text'"),
        ("items.csv", "item,text\n1,\n", "row 0 of the table of items is missing"),
    ],
)
def test_a_bad_table_of_items_is_explained(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    task = Recommendation().configured({"items": str(path)})
    with pytest.raises(DataError, match=message):
        task.inventory([])


def test_findings_name_what_is_wrong() -> None:
    several = findings(listens(item=["x", "x", "y"], title=["one", "two", "three"], user=list("aba")))
    assert any("several texts (such as 'x')" in f.message and f.severity == "warning" for f in several)
    same = findings(listens(item=["x", "y"], title=["same", "same"], user=list("aa")))
    assert any("cannot be told apart" in f.message for f in same)
    nothing = findings(listens(stars=[0, 0, 0]))
    assert any("no training row counts as liked" in f.message and f.severity == "error" for f in nothing)
    lonely = findings(listens(user=list("abc")))
    assert any("no user has two liked items" in f.message and f.severity == "error" for f in lonely)
    some = findings(listens(user=list("aab")))
    assert any("1 of 2 users have fewer than two" in f.message for f in some)


def timed(users: str, times: list[int], stars: list[int] | None = None) -> list[Example]:
    table = listens(user=list(users), when=times, **({"stars": stars} if stars else {}))
    return examples(table)


def test_leave_last_out_holds_out_the_newest_liked_item_of_each_user() -> None:
    rows = timed("aaaabbbb", [4, 3, 2, 1, 1, 2, 3, 4])
    parts = Recommendation().split(rows, {"validation": 0.3, "test": 0.3}, seed=0)
    assert [example.row for example in parts["test"]] == [0, 7]
    assert [example.row for example in parts["validation"]] == [1, 6]
    assert [example.row for example in parts["train"]] == [2, 3, 4, 5]


def test_rows_after_the_held_out_item_leave_training_too() -> None:
    rows = timed("aaaa", [1, 2, 3, 4], [1, 1, 1, 0])
    parts = Recommendation().split(rows, {"validation": 0.5}, seed=0)
    assert [example.row for example in parts["validation"]] == [2, 3]


def test_users_with_little_keep_what_is_needed_to_learn() -> None:
    parts = Recommendation().split(timed("aabbb", [1, 2, 1, 2, 3]), {"validation": 0.5}, seed=0)
    assert [example.row for example in parts["validation"]] == [4]


def test_a_split_in_time_has_one_cut_for_everybody() -> None:
    rows = timed("abababab", [8, 1, 7, 2, 6, 3, 5, 4])
    parts = Recommendation().configured({"split": "time"}).split(rows, {"validation": 0.25, "test": 0.25}, seed=0)
    times = {part: sorted(example.inputs["time"] for example in chosen) for part, chosen in parts.items()}
    assert times == {"train": [1, 2, 3, 4], "validation": [5, 6], "test": [7, 8]}


def test_without_times_the_split_is_random_within_users_and_seeded() -> None:
    rows = examples(listens(user=list("aaaaaabbbbbb")))
    one, again, other = (Recommendation().split(rows, {"validation": 0.2}, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert {example.group for example in one["validation"]} == {"a", "b"}
