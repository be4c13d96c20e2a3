"""Completion, through the shell's own completer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter

from nbtune.notebook.commands import EVALUATE, FINETUNE, PREDICT, VERBS


@pytest.fixture
def ready(shell: Any, runs_dir: Path) -> Any:
    shell.user_ns.update(train_df=pd.DataFrame({"text": ["a"]}), number=3, _hidden=pd.DataFrame())
    for name in ("conll", "tickets"):
        (runs_dir / name).mkdir(parents=True)
        (runs_dir / name / "spec.toml").write_text('task = "ner"\n')
    return shell


def complete(shell: Any, text: str) -> list[str]:
    """The cell as it would read after each completion that is offered, its last line."""
    with provisionalcompleter():
        offered = list(shell.Completer.completions(text, len(text)))
    return [(text[: each.start] + each.text).split("\n")[-1] for each in offered]


def test_tasks_come_first(ready: Any) -> None:
    assert {"%finetune ner", "%finetune sentiment"} <= set(complete(ready, "%finetune "))
    assert complete(ready, "%%finetune n") == ["%%finetune ner"]
    assert complete(ready, "run = %finetune n") == ["run = %finetune ner"]
    assert complete(ready, "%%finetune run << n") == ["%%finetune run << ner"]


def test_flags_are_offered_once(ready: Any) -> None:
    assert complete(ready, "%finetune ner --da") == ["%finetune ner --data"]
    offered = complete(ready, "%finetune ner --data train_df --")
    assert "%finetune ner --data train_df --validation" in offered
    assert "%finetune ner --data train_df --data" not in offered


def test_data_are_tables_in_scope_and_samples(ready: Any) -> None:
    offered = complete(ready, "%finetune ner --data ")
    assert "%finetune ner --data train_df" in offered
    assert "%finetune ner --data sample:ner" in offered
    assert not [each for each in offered if "number" in each or "_hidden" in each]
    assert complete(ready, "%evaluate conll --data tr") == ["%evaluate conll --data train_df"]
    assert complete(ready, "%finetune ner --data=tr") == ["%finetune ner --data=train_df"]
    assert complete(ready, "%nbtune inspect tr") == ["%nbtune inspect train_df"]


def test_runs_are_offered_where_a_run_is_needed(ready: Any) -> None:
    assert complete(ready, "%evaluate ") == ["%evaluate conll", "%evaluate tickets"]
    assert complete(ready, "%predict ti") == ["%predict tickets"]
    assert complete(ready, "%nbtune show co") == ["%nbtune show conll"]
    assert complete(ready, "%finetune --resume co") == ["%finetune --resume conll"]


def test_any_number_of_runs_to_compare_is_completed(ready: Any) -> None:
    assert complete(ready, "%nbtune compare conll ti") == ["%nbtune compare conll tickets"]
    assert complete(ready, "%nbtune compare conll other ti") == ["%nbtune compare conll other tickets"]
    assert complete(ready, "%nbtune compare conll tickets --d") == ["%nbtune compare conll tickets --data"]


def test_after_two_runs_come_the_others_and_the_options_and_none_twice(ready: Any) -> None:
    assert complete(ready, "%nbtune compare ") == ["%nbtune compare conll", "%nbtune compare tickets"]
    assert complete(ready, "%nbtune compare conll ") == ["%nbtune compare conll tickets"]
    offered = complete(ready, "%nbtune compare conll other ")
    assert set(offered) == {f"%nbtune compare conll other {each}" for each in ("tickets", "--data", "--precision")}


def test_every_verb_and_every_option_of_every_magic_is_offered(ready: Any) -> None:
    assert set(complete(ready, "%nbtune ")) == {f"%nbtune {verb}" for verb in VERBS}
    for magic in ("%finetune", "%%finetune", "%evaluate", "%predict", "%%predict", "%nbtune"):
        assert magic in complete(ready, magic[:-2])
    for command in (FINETUNE, EVALUATE, PREDICT, *VERBS.values()):
        given = " ".join(f"w{number}" for number in range(len(command.words)))
        line = f"%{command.name} {given} ".replace("  ", " ")
        offered = complete(ready, f"{line}--")
        assert {f"{line}{option.flag}" for option in command.options} | {f"{line}--help"} == set(offered), command.name
        for option in command.options:
            if option.choices:
                assert complete(ready, f"{line}{option.flag} ") == sorted(
                    f"{line}{option.flag} {choice}" for choice in option.choices
                )


def test_columns_of_the_table_divide_its_scores(ready: Any) -> None:
    ready.user_ns["test_df"] = pd.DataFrame(columns=["text", "label", "source", "two words"])
    line = "%evaluate conll --data test_df --by "
    assert complete(ready, f"{line}so") == [f"{line}source"]
    assert complete(ready, f"{line}source,la") == [f"{line}source,label"]


def test_settings_of_the_extension_are_completed(ready: Any) -> None:
    assert complete(ready, "%config Nbt") == ["%config Nbtune"]
    settings = ready.find_line_magic("nbtune").__self__.trait_names(config=True)
    assert {"display", "refresh", "runs_dir"} <= set(settings)
    assert set(complete(ready, "%config Nbtune.")) == {f"%config Nbtune.{name}" for name in settings}
    ready.run_line_magic("config", 'Nbtune.display = "text"')
    assert ready.run_line_magic("config", "Nbtune.display") == "text"


def test_verbs_models_and_settings_are_completed(ready: Any) -> None:
    assert complete(ready, "%nbtune in") == ["%nbtune inspect"]
    assert complete(ready, "%finetune ner --model mini") == ["%finetune ner --model minilm-l6"]
    assert "%finetune ner learning_rate=" in complete(ready, "%finetune ner learn")
    assert complete(ready, "%nbtune inspect train_df --task se") == ["%nbtune inspect train_df --task sentiment"]


def test_the_body_offers_settings_of_the_run_and_of_the_task(ready: Any) -> None:
    head = "%%finetune sentiment --data train_df\n"
    assert complete(ready, f"{head}batch") == ["batch_size = "]
    assert "classes = " in complete(ready, f"{head}cla")
    assert 'optimizer = "sgd"' in complete(ready, f"{head}optimizer = ")
    assert complete(ready, f'{head}model = "mini') == ['model = "minilm-l6"']
    assert complete(ready, f"{head}length_grouping = f") == ["length_grouping = false"]
    assert complete(ready, f"{head}[col") == ["[columns]"]
    assert complete(ready, f"{head}[columns]\nte") == ["text = "]
    assert complete(ready, f"{head}[lora]\nra") == ["rank = "]


def test_other_cells_are_left_alone(ready: Any) -> None:
    from nbtune.notebook.completion import suggestions

    for above, before in (
        ([], "train_d"),
        ([], "%timeit tr"),
        (["%%time"], "epo"),
        (["%%predict conll"], "epo"),
        ([], "%finetun"),
        (["x = 1"], "batch"),
    ):
        assert suggestions(above, before, ready.user_ns) == ([], "")


def test_a_failure_inside_does_not_break_completion(ready: Any, monkeypatch: Any) -> None:
    from nbtune.notebook import completion

    def broken(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(completion, "suggestions", broken)
    assert isinstance(complete(ready, "%finetune n"), list)


def test_labels_of_the_run_are_targets(ready: Any, runs_dir: Path) -> None:
    (runs_dir / "tickets" / "model").mkdir()
    card = {"inventory": {"labels": ["refund", "card lost"], "counts": {}, "facts": {}}}
    (runs_dir / "tickets" / "model" / "nbtune.json").write_text(json.dumps(card))
    assert complete(ready, "%nbtune expl") == ["%nbtune explain"]
    assert complete(ready, "%nbtune explain ti") == ["%nbtune explain tickets"]
    assert complete(ready, '%nbtune explain tickets "my text" --ta') == ['%nbtune explain tickets "my text" --target']
    offered = complete(ready, "%nbtune explain tickets --target ")
    assert set(offered) == {"%nbtune explain tickets --target refund", '%nbtune explain tickets --target "card lost"'}
    assert not any("refund" in each for each in complete(ready, "%nbtune explain conll --target re"))  # has no model
