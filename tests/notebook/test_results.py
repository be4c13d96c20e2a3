"""Whatever a cell may end with draws itself: as HTML, as Markdown for GitHub, and as text for a terminal."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbtune
import nbtune.api
from nbtune.drawing import Record
from nbtune.notebook import doctor, tutorial
from nbtune.notebook.inspection import inspect as look_at
from nbtune.notebook.overview import tasks_picture
from nbtune.testing import check_task
from nbtune.testing.harmless import NASTY, faults

FORMS = {"text/html", "text/markdown", "text/plain"}
INNER = {"Book", "Lora", "Model", "Prepared"}
"""Fields of results that are there for code, and not to be looked at."""
SETTINGS = {"epochs": 1, "batch_size": 8, "max_length": 16, "validation_fraction": 0.25, "watchers": []}


def classes() -> dict[str, type]:
    """Every public class of nbtune by its name."""
    found: dict[str, type] = {}
    modules = list(pkgutil.walk_packages(nbtune.__path__, "nbtune."))
    # a picture of a result may bear its name, and lies in an upper room
    for module in sorted(modules, key=lambda each: each.name.startswith(("nbtune.notebook", "nbtune.dashboards"))):
        for name, each in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(each) and each.__module__ == module.name and not name.startswith("_"):
                found.setdefault(name, each)
    return found


def named(annotation: Any, *, inside: bool) -> set[str]:
    """The names in an annotation; unless `inside`, without those that stand in a list or tuple of them."""
    if not isinstance(annotation, str):
        return set()
    tree = ast.parse(annotation, mode="eval")
    hidden: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and not inside and ast.unparse(node.value) in ("tuple", "Sequence", "list"):
            hidden |= set(ast.walk(node.slice))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in hidden}


def given_by(kind: type) -> Iterator[str]:
    """What the public methods, properties and fields of a class give."""
    for each in kind.__mro__:
        if not each.__module__.startswith("nbtune"):
            continue
        for name, member in vars(each).items():
            function = (
                getattr(member, "fget", None) or getattr(member, "__func__", None) or getattr(member, "func", member)
            )
            if not name.startswith("_") and hasattr(function, "__annotations__"):
                yield from named(function.__annotations__.get("return"), inside=False)
        for name, annotation in vars(each).get("__annotations__", {}).items():
            if not name.startswith("_"):
                yield from named(annotation, inside=False)


def results() -> dict[str, type]:
    """What the public functions give, and what `Run` and these results give in turn."""
    known = classes()
    functions = [getattr(nbtune, name) for name in nbtune.__all__] + [look_at, check_task]
    first = {"Run"} | {
        name
        for each in functions
        if inspect.isfunction(each)
        for name in named(each.__annotations__["return"], inside=False)
    }
    second = {name for result in first & known.keys() for name in given_by(known[result])}
    third = {name for result in (second - INNER) & known.keys() for name in given_by(known[result])}
    words = set(nbtune.api.__all__) | INNER | {"Markup", "Part", "Event"}
    return {name: known[name] for name in sorted((first | second | third) & known.keys() - words)}


def test_every_result_of_the_public_functions_draws_itself() -> None:
    found = results()
    assert {
        "Run",
        "Report",
        "Comparison",
        "Mistakes",
        "Explanation",
        "Calibrated",
        "RunSpec",
        "Score",
        "Spread",
    } <= set(found)
    assert [name for name, kind in found.items() if not hasattr(kind, "_repr_mimebundle_")] == []


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> dict[str, Any]:
    """One of each, of a tiny run whose data are nasty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        nasty = NASTY["script"]
        texts = [f"a {word} {thing} {nasty}" for word in ("good", "bad") for thing in "abcdefghijkl"]
        table = pd.DataFrame({"text": texts, "label": [f"good {nasty}"] * 12 + ["bad"] * 12})
        given = {"data": table, "validation": table, "test": table, "model": tiny_model, **SETTINGS}
        del given["validation_fraction"]
        run = nbtune.finetune("classification", name="one", **given, seeds=2)
        other = nbtune.finetune("classification", name="two", **given, seed=9)
        report = run.evaluate(seeds=True)
        return {
            "run": run,
            "settings": run.spec,
            "report": report,
            "score": report.metrics["macro_f1"],
            "seeds": report.seeds["macro_f1"],
            "calibration": report.calibration,
            "answers": run.answers(),
            "calibrated": run.calibrate(),
            "mistakes": run.mistakes(),
            "explanation": run.explain(f"a good book {nasty}"),
            "comparison": nbtune.compare([run, other]),
            "plot": report.plot(),
            "inspection": look_at("classification", table, estimates=False, model=tiny_model),
            "tasks": tasks_picture(),
            "doctor": doctor.picture([doctor.Check(nasty, nasty, "note", nasty)]),
            "tutorial": tutorial.picture([tutorial.Copy(Path("quickstart.ipynb"), nasty, "kept")]),
        }


def test_each_has_html_markdown_and_text_that_are_harmless(shown: dict[str, Any]) -> None:
    for name, result in shown.items():
        bundle = result._repr_mimebundle_()
        bundle = bundle[0] if isinstance(bundle, tuple) else bundle
        assert set(bundle) >= FORMS, name
        assert all(bundle[form].strip() for form in FORMS), name
        if name != "explanation":  # has marks of its own: tests/evaluation/test_explanation_drawn.py
            assert faults({form: bundle[form] for form in FORMS}) == [], name


def test_the_tables_of_tasks_and_runs_and_predictions_are_data_frames(shown: dict[str, Any]) -> None:
    run = shown["run"]
    for table in (run.predict("a good book"), run.history, shown["report"].to_frame()):
        assert isinstance(table, pd.DataFrame)


def test_a_run_says_how_good_it_is_and_what_to_do_next(shown: dict[str, Any]) -> None:
    text = shown["run"]._repr_mimebundle_()["text/markdown"]
    assert "one: classification, finished" in text.replace("\\", "")
    assert "95% interval" in text
    assert "%predict one" in text


def test_a_record_is_a_table_of_its_fields() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True, slots=True)
    class Pair(Record):
        first: float
        second: tuple[float, ...]
        third: str

    drawn = Pair(0.5, (1.0, 2.5), NASTY["script"])._repr_mimebundle_()
    assert faults(drawn) == []
    assert "1.0000, 2.5000" in drawn["text/plain"]
