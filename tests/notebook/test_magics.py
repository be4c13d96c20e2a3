"""The magics, through a real shell: what they parse, call, return, assign and refuse."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbtune.errors import DataError, NbtuneError, RunError, SpecError

SETTINGS = "epochs=1 batch_size=8 max_length=16 validation_fraction=0.25"


@pytest.fixture
def reviews() -> pd.DataFrame:
    words = {"good": ["great", "lovely", "superb", "fine"], "bad": ["awful", "poor", "dire", "grim"]}
    rows = [
        {"text": f"{word} {thing}", "label": label}
        for label, some in words.items()
        for word in some
        for thing in ("film", "book", "play", "song", "meal")
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def ready(shell: Any, reviews: pd.DataFrame, runs_dir: Path, tiny_model: str) -> Any:
    """A shell with data in a variable and a folder for runs."""
    shell.user_ns.update(reviews=reviews, tiny=tiny_model)
    assert runs_dir
    return shell


def cell(shell: Any, source: str) -> Any:
    """The value of a cell that must succeed."""
    result = shell.run_cell(source)
    assert result.success, result.error_in_exec
    return result.result


def error(shell: Any, source: str) -> BaseException:
    """The error of a cell that must fail."""
    result = shell.run_cell(source)
    assert isinstance(result.error_in_exec, BaseException)
    return result.error_in_exec


# --- the whole way


def test_a_prediction_is_explained_as_in_python(ready: Any, tiny_model: str) -> None:
    run = cell(ready, f"%finetune classification --data reviews --name why --model {tiny_model} {SETTINGS} --quiet")
    shown = cell(ready, '%nbtune explain why "a superb film"')
    assert shown.to_frame().equals(run.explain("a superb film").to_frame())
    against = cell(ready, 'found = %nbtune explain why "a superb film" --target bad\nfound')
    assert against.target == "bad"
    assert "takes one text, not 0" in str(error(ready, "%nbtune explain why"))
    assert "takes one text, not 2" in str(error(ready, '%nbtune explain why "a" "b"'))
    assert isinstance(error(ready, '%nbtune explain why "a film" --target bod'), SpecError)


def test_a_cell_fine_tunes_evaluates_and_predicts(ready: Any, published: Any, tiny_model: str) -> None:
    run = cell(
        ready,
        f'%%finetune classification --data reviews --name first\nmodel = "{tiny_model}"\nepochs = 1\n'
        'batch_size = 8\nmax_length = 16\nvalidation_fraction = 0.25\n[columns]\ntext = "text"\n',
    )
    assert (run.name, run.status, run.task) == ("first", "finished", "classification")
    assert len(published.new) == 1
    assert "first" in published.last["text/html"]
    assert "macro_f1" in published.last["text/html"]

    report = cell(ready, "%evaluate first --data reviews[:10]")
    assert report.examples == 10
    table = cell(ready, '%predict first "a lovely film" "a grim meal"')
    assert list(table["text"]) == ["a lovely film", "a grim meal"]
    assert len(cell(ready, "%%predict first\na lovely film\n\na grim meal\nthird\n")) == 3
    assert len(cell(ready, "%predict first --data reviews")) == 40

    shown = cell(ready, "%nbtune show first")
    assert "finished" in shown.html
    assert "training loss" in shown.html
    assert list(cell(ready, "%nbtune runs")["name"]) == ["first"]
    assert "in use" in repr(cell(ready, "%nbtune free first"))

    taken = error(ready, "%finetune classification --data reviews --name first")
    assert isinstance(taken, RunError)
    near = error(ready, "%evaluate frist")
    assert isinstance(near, RunError)
    assert "did you mean 'first'?" in str(near)


def test_results_are_assigned_by_python_and_by_prefix(ready: Any, published: Any, tiny_model: str) -> None:
    line = f"classification --data reviews --model {tiny_model} {SETTINGS}"
    assert cell(ready, f"run = %finetune {line}") is None
    assert ready.user_ns["run"].status == "finished"
    assert cell(ready, f"%%finetune other << {line}\nseed = 1\n") is None
    assert ready.user_ns["other"].spec.seed == 1
    assert len(published.new) == 2
    assert cell(ready, "report = %evaluate run --data reviews") is None
    assert ready.user_ns["report"].examples == 40


def test_quiet_shows_nothing_and_a_semicolon_keeps_the_report_away(ready: Any, published: Any, tiny_model: str) -> None:
    line = f"%finetune classification --data reviews --model {tiny_model} {SETTINGS}"
    cell(ready, f"{line} --quiet;")
    assert published.new == []
    assert cell(ready, f"{line};").status == "finished"
    assert "95% interval" not in published.last["text/html"]
    cell(ready, line)
    assert "95% interval" in published.last["text/html"]


def test_a_run_that_was_stopped_goes_on_with_resume(ready: Any, published: Any, tiny_model: str) -> None:
    import nbtune
    from nbtune.control import Control
    from nbtune.events import Event, Stepped

    control = Control()

    class StopsAtTwo:
        def on_event(self, event: Event) -> None:
            if isinstance(event, Stepped) and event.step == 2:
                control.stop()

    stopped = nbtune.finetune(
        "classification",
        data=ready.user_ns["reviews"],
        model=tiny_model,
        name="half",
        epochs=2,
        batch_size=8,
        watchers=[StopsAtTwo()],
        control=control,
    )
    assert stopped.status == "stopped"
    refused = error(ready, "%finetune --resume half epochs=3")
    assert "the run 'half' cannot go on with epochs = 3 (it has 2)" in str(refused)
    other = error(ready, "%finetune classification --resume half --data reviews[:-2]")
    assert "the train data is not what the run 'half' learned from" in str(other)
    assert cell(ready, "%finetune classification --resume half --data reviews epochs=2").status == "finished"
    assert not any("half: stopped" in each["text/plain"] for each in (*published.new, *published.updates))
    assert "finished" in published.last["text/html"]


# --- refusals


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("%finetune", SpecError, "%finetune needs a task"),
        ("%finetune classification", SpecError, "there is no data to learn from"),
        ("%finetune clasification --data reviews", SpecError, "did you mean 'classification'?"),
        ("%finetune classification --data reviws", DataError, "reviews"),
        ("%finetune classification --data reviews epoch=1", SpecError, "did you mean 'epochs'?"),
        ("%finetune classification --data reviews --model a model=b", SpecError, "model is given twice"),
        ("%%finetune classification --data reviews\nepochs = three", SpecError, "line 2 of the cell"),
        ("%%finetune classification --data reviews\n[columns]\ntext = 'txt'", DataError, "txt"),
        ("%predict", SpecError, "%predict needs a run"),
        ("%evaluate nothing", RunError, "there is no run 'nothing'"),
        ("%nbtune taks", SpecError, "did you mean 'tasks'?"),
        ("%nbtune inspect reviews", SpecError, "%nbtune inspect needs a task"),
        ("%nbtune show", SpecError, "%nbtune show needs a run"),
    ],
)
def test_mistakes_fail_the_cell_with_their_type_and_a_remedy(
    ready: Any, published: Any, capsys: Any, source: str, kind: type[NbtuneError], words: str
) -> None:
    caught = error(ready, source)
    assert isinstance(caught, kind)
    assert words in str(caught)
    told = capsys.readouterr()
    assert "Traceback" not in told.out
    assert len(told.out.strip().splitlines()) <= 2
    assert told.err == ""
    assert published.new == []


def test_a_dollar_is_not_expanded(ready: Any) -> None:
    ready.user_ns["name"] = "reviews"
    assert "$name" in str(error(ready, "%finetune classification --data $name"))


def test_names_inside_a_function_are_found(ready: Any) -> None:
    source = (
        "def look():\n    inner = reviews[10:30]\n    return get_ipython().run_line_magic('nbtune', "
        "'inspect inner --task classification')\nfound = look()\n"
    )
    cell(ready, source)
    assert "20" in ready.user_ns["found"].prepared.data


def test_an_error_leaves_no_frames_with_the_users_objects(ready: Any, monkeypatch: Any) -> None:
    import gc
    import weakref

    from nbtune.running import launch

    class Tensor:
        pass

    kept: list[weakref.ref[Tensor]] = []

    def fails(*_: Any, **__: Any) -> None:
        tensor = Tensor()
        kept.append(weakref.ref(tensor))
        try:
            raise MemoryError("inner")
        except MemoryError as inner:
            raise NbtuneError("memory ran out", "use less") from inner

    monkeypatch.setattr(launch, "finetune", fails)
    assert isinstance(error(ready, "%finetune classification --data reviews"), NbtuneError)
    assert sys.last_value is not None
    gc.collect()
    assert kept[0]() is None


def test_a_bug_of_ours_keeps_its_traceback(ready: Any, monkeypatch: Any, capsys: Any) -> None:
    from nbtune.running import launch

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(launch, "finetune", broken)
    assert isinstance(error(ready, "%finetune classification --data reviews"), ZeroDivisionError)
    assert 'raise ZeroDivisionError("a bug")' in capsys.readouterr().out
    why = cell(ready, "%nbtune why")
    assert "it is a bug of nbtune's" in why.text


# --- looking around


def test_why_explains_the_last_error(ready: Any) -> None:
    error(ready, "%finetune classification --data reviews epoch=1")
    why = cell(ready, "%nbtune why")
    assert "there is no setting 'epoch'" in why.text
    assert "did you mean 'epochs'?" in why.text
    assert "nothing was trained" in " ".join(why.text.split())
    error(ready, "import nbtune\nnbtune.load('<script>')")
    later = cell(ready, "%nbtune why")
    assert "RunError" in later.text
    assert "<script>" not in later.html


def test_why_without_an_error_says_so(ready: Any) -> None:
    assert "no error" in repr(cell(ready, "%nbtune why"))


def test_overview_and_help_show_examples(ready: Any) -> None:
    assert "%finetune" in cell(ready, "%nbtune").text
    for line in ("%finetune --help", "%evaluate -h", "%predict --help", "%nbtune inspect --help"):
        assert "examples:" in cell(ready, line).text


def test_tasks_are_listed_with_columns_scores_and_packages(ready: Any) -> None:
    text = cell(ready, "%nbtune tasks").text
    for words in ("ner", "entity_f1", "classification", "sentiment", "recommendation", "nbtune", "0.1.0"):
        assert words in text


def test_tasks_that_failed_to_load_are_listed_with_the_reason(ready: Any, monkeypatch: Any) -> None:
    from importlib.metadata import EntryPoint

    from nbtune.tasks import registry

    broken = registry.Registry([EntryPoint(name="<b>strange", value="no_such_package", group="nbtune")])
    monkeypatch.setattr(registry, "registry", lambda: broken)
    shown = cell(ready, "%nbtune tasks")
    assert "strange" in shown.text
    assert "ModuleNotFoundError" in shown.text
    assert "<b>" not in shown.html


def test_runs_are_compared_by_name_and_by_variable(ready: Any, published: Any, tiny_model: str) -> None:
    for name, rate in (("first", "1e-5"), ("second", "1e-2"), ("third", "1e-3")):
        cell(
            ready,
            f"{name}_run = %finetune classification --data reviews --name {name} --model {tiny_model} {SETTINGS} "
            f"learning_rate={rate};",
        )
    found = cell(ready, "%nbtune compare first second_run third --data reviews")
    assert list(found.scores) == ["first", "second", "third"]
    assert len(found.pairs) == 3
    assert any("has learned from" in note for note in found.notes)
    assert isinstance(error(ready, "%nbtune compare first"), SpecError)


def test_evaluate_divides_by_the_columns_that_are_named(ready: Any, reviews: pd.DataFrame) -> None:
    ready.user_ns["labelled"] = reviews.assign(origin=["a", "b"] * 20, day="monday")
    cell(
        ready,
        f"%finetune classification --data reviews --model $tiny --name first {SETTINGS} --quiet".replace(
            "$tiny", ready.user_ns["tiny"]
        ),
    )
    report = cell(ready, "%evaluate first --data labelled --by origin,day")
    assert {(each.by, each.value) for each in report.slices} == {("origin", "a"), ("origin", "b"), ("day", "monday")}
    assert isinstance(error(ready, "%evaluate first --data labelled --by nowhere"), SpecError)


def test_mistakes_are_found_by_folds_or_on_held_out_data(ready: Any, tiny_model: str, tmp_path: Path) -> None:
    cell(ready, f"%finetune classification --data reviews --name first --quiet model={tiny_model} {SETTINGS}")
    found = cell(ready, f"%nbtune mistakes first --folds 2 --corrections {tmp_path}/c.jsonl")
    assert found.examined == 30
    assert "each judged by one of 2 models" in found._repr_mimebundle_()["text/html"]
    cell(ready, "held = %nbtune mistakes first --ranking normalized_margin")
    assert ready.user_ns["held"].judged == "validation data, 10 rows"
    wrong = error(ready, "%nbtune mistakes first --folds two")
    assert isinstance(wrong, SpecError)
    assert wrong.hint == "write --folds 5, say"
