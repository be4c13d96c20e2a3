"""A run on hostile data, from the file to the predictions: everything that is displayed on the way is harmless."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbtune.errors import DataError
from nbtune.notebook.faults import Fault
from nbtune.notebook.inspection import inspect
from nbtune.notebook.overview import predictions_picture
from nbtune.notebook.run_picture import run_picture
from nbtune.notebook.state import RunState
from nbtune.notebook.terminal import TerminalDisplay
from nbtune.testing.harmless import NASTY, faults

Table = Callable[[str, str], tuple[pd.DataFrame, dict[str, str]]]
TASKS = ("ner", "classification", "sentiment", "recommendation")
TOGETHER = " ".join(nasty for name, nasty in NASTY.items() if name not in ("megabyte", "half a pair"))
FILE = "<img src=x onerror=alert(1)> \x1b[2J \u202e $x$ `y`.jsonl"


def shown(published: Any, capsys: Any) -> Iterator[str]:
    """The faults of all that was displayed and printed since the last call."""
    for bundle in (*published.new, *published.updates):
        yield from faults(bundle)
    published.new.clear()
    published.updates.clear()
    captured = capsys.readouterr()
    yield from faults(captured.out, "text")
    yield from faults(captured.err, "text")


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize("task", TASKS)
def test_a_whole_run(
    task: str, hostile_table: Table, tiny_model: str, shell: Any, published: Any, capsys: Any, tmp_path: Path
) -> None:
    table, columns = hostile_table(task, TOGETHER)
    path = tmp_path / FILE
    # not by pandas, which cuts names at a NUL
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_dict("records")), encoding="utf-8")
    settings = {"model": tiny_model, "epochs": 1, "max_length": 32, "test_fraction": 0.3, "validation_fraction": 0.2}
    shell.user_ns.update(path=str(path), columns=columns, settings=settings, table=table)
    two = f"nbtune.finetune({task!r}, data=path, columns=columns, name=name, **settings)"
    shell.run_cell(f"import nbtune\nfor name in ('one', 'two'):\n    {two}").raise_error()
    assert published.new
    assert list(shown(published, capsys)) == []
    for line in ("%evaluate one", "%nbtune show one", "%nbtune compare one two", "nbtune.load('one')"):
        shell.run_cell(line).raise_error()
        assert list(shown(published, capsys)) == [], line
    card = (shell.user_ns["nbtune"].load("one").folder / "README.md").read_text(encoding="utf-8")
    assert faults(card, "markdown", also=("h1", "h2")) == []
    assert faults(inspect(task, str(path), model=tiny_model, columns=columns)) == []
    rows = table if task == "recommendation" else table[[columns["tokens" if task == "ner" else "text"]]]
    run = shell.user_ns["nbtune"].load("one")
    answers = run.predict(rows)
    drawn = run.render(rows[:3])
    assert faults(predictions_picture(drawn, answers)) == []
    if task in ("classification", "sentiment"):
        text = f"a good word {TOGETHER}"
        assert faults(predictions_picture(run.render(text), run.predict([text]))) == []


# pandas cannot hold half a pair; counting the tokens of a megabyte takes seconds, so one task must do
LOOKS = [(task, name) for task in TASKS for name in NASTY if name not in ("half a pair", "megabyte")]


@pytest.mark.parametrize(("task", "name"), [*LOOKS, ("classification", "megabyte")])
def test_a_look_at_the_data(task: str, name: str, hostile_table: Table, tiny_model: str) -> None:
    table, columns = hostile_table(task, NASTY[name])
    assert faults(inspect(task, table, model=tiny_model, columns=columns)) == []


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_a_run_while_it_trains_and_when_it_has_ended(nasty: str, story: Any, tmp_path: Path) -> None:
    events = story("conll", text=f" {nasty}")
    for end in range(1, len(events) + 1):
        assert faults(run_picture(RunState.of(events[:end]), folder=f"runs/{nasty}")) == []
    with (tmp_path / "terminal").open("w+", encoding="utf-8", errors="surrogatepass") as stream:
        display = TerminalDisplay(stream=stream)
        for event in events:
            display.on_event(event)
        stream.seek(0)
        assert faults(stream.read().replace("\r", ""), "text") == []


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_an_error_and_what_why_says_of_it(nasty: str) -> None:
    for error in (DataError(f"row 3: the label {nasty} is unknown", f"did you mean {nasty}?"), KeyError(nasty)):
        try:
            raise ValueError(f"cause {nasty}") from error
        except ValueError as caught:
            for one in (error, caught):
                for unfolded in (True, False):
                    assert faults(Fault.of(one).picture(unfolded=unfolded)) == []


def test_a_terminal_shows_predictions_without_the_escape_sequences_of_the_data() -> None:
    frame = pd.DataFrame({"text": [f"{NASTY['terminal']} {row}" for row in range(100)], "prediction": "x"})
    drawn = predictions_picture([], frame)
    assert faults(drawn) == []
    assert "... 40 more rows" in drawn.text
