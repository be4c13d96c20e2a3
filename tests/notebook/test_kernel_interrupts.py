"""The interrupt key with a real kernel: in every stage the cell ends, the run is usable and the kernel lives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SETTINGS = "epochs=2 batch_size=8 max_length=16 validation_fraction=0.25 evaluate_every=2 checkpoint_every=2"
PREPARATION = """
%load_ext nbtune
import sys, time
import torch
import nbtune
import nbtune.running.background as trainings
from nbtune.data import prepare
from nbtune.running import finishing, saving
from nbtune.tasks.head import Head
from nbtune.tasks.heads import SequenceHead

def stopping():
    return trainings._current is not None and trainings._current.control.stopping

def hold(where, name, until=stopping):
    '''Once: say that `name` is at work, and work until the key is heard or cuts it.'''
    original = getattr(where, name)
    def work(*args, **kwargs):
        setattr(where, name, original)
        print("at work", flush=True)
        while not until():
            time.sleep(0.005)
        return original(*args, **kwargs)
    setattr(where, name, work)

words = {"good": ("great", "fine"), "bad": ("awful", "dire")}
things = ("film", "book", "play", "song", "meal")
reviews = [{"text": f"{word} {thing}", "label": label} for label in words for word in words[label] for thing in things]
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory, start_kernel: Any) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        kernel = start_kernel()
    kernel.cell(PREPARATION)
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.fixture
def train(kernel: Any, tiny_model: str) -> Callable[[str], str]:
    """The cell that trains a run of a name."""
    return lambda name: f"run = %finetune classification --data reviews --name {name} --model {tiny_model} {SETTINGS}"


def error_of(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each["content"] for each in messages if each["msg_type"] == "error")


def pictures(messages: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    """What shows a run, without the place of its buttons and what has become blank."""
    return [each for each in messages if each["msg_type"] in kinds and "text/html" in each["content"]["data"]]


STAGES = {
    "opening": ("SequenceHead", "_give_pad_token", 0),
    "encoding": ("SequenceHead", "encode", 0),
    "training": ("SequenceHead", "loss", 1),
    "evaluating": ("SequenceHead", "outputs", 1),
    "taking a checkpoint": ("saving.Checkpoints", "take", 1),
    "fitting": ("Head", "conclude", 1),
    "writing the model": ("saving", "save_model", 1),
    "scoring": ("finishing", "make_report", 1),
}


@pytest.mark.parametrize("stage", STAGES)
def test_one_press_ends_the_cell_with_a_run(kernel: Any, train: Callable[[str], str], stage: str) -> None:
    where, name, predicts = STAGES[stage]
    run = stage.replace(" ", "-")
    kernel.cell(f"hold({where}, {name!r})")
    kernel.begin(train(run))
    kernel.until("at work")
    pressed = time.monotonic()
    kernel.press()
    messages = kernel.ended()
    # a step here takes milliseconds: what is left is the second allowed and the save, on a machine that may be busy
    assert time.monotonic() - pressed < 5
    assert not [each["content"] for each in messages if each["msg_type"] == "error"]
    assert "stopped" in str(pictures(messages, "display_data", "update_display_data")[-1])
    assert kernel.cell("print(run.name, run.status)") == f"{run} stopped"
    if predicts:
        assert kernel.cell("print(len(run.predict(['a great film'])), run.evaluate().examples > 0)") == "1 True"
    assert kernel.cell("print(run.resume(watchers=[]).status)") == "finished"


def test_a_press_while_the_data_is_read_leaves_nothing_and_says_so(kernel: Any, train: Callable[[str], str]) -> None:
    kernel.cell("hold(prepare, 'check')")
    kernel.begin(train("unread"))
    kernel.until("at work")
    kernel.press()
    error = error_of(kernel.ended())
    assert error["ename"] == "Interrupted"
    assert len("\n".join(error["traceback"]).splitlines()) == 2
    assert "stopped before there was a run" in error["evalue"]
    assert kernel.cell("print('unread' in set(nbtune.runs().name))") == "False"


def test_the_second_press_raises_at_once(kernel: Any, train: Callable[[str], str]) -> None:
    kernel.cell("""
def heard():
    if stopping():
        print("heard", flush=True)
        while True:
            time.sleep(0.005)
hold(SequenceHead, "loss", until=heard)""")
    kernel.begin(train("twice"))
    kernel.until("at work")
    kernel.press()
    kernel.until("heard")
    pressed = time.monotonic()
    kernel.press()
    error = error_of(kernel.ended())
    assert time.monotonic() - pressed < 5
    assert error["ename"] == "Interrupted"
    assert kernel.cell("print(isinstance(sys.last_value, KeyboardInterrupt), nbtune.load('twice').status)").endswith(
        "True stopped"
    )
    assert kernel.cell("print(nbtune.load('twice').resume(watchers=[]).status)") == "finished"


@pytest.mark.parametrize("magic", ["%evaluate done", '%predict done "a great film"'])
def test_a_press_ends_scoring_and_predicting(kernel: Any, train: Callable[[str], str], magic: str) -> None:
    kernel.cell(f"if 'done' not in set(nbtune.runs().name):\n    {train('done')}")
    kernel.cell("hold(SequenceHead, 'outputs')")
    kernel.begin(magic)
    kernel.until("at work")
    kernel.press()
    error = error_of(kernel.ended())
    assert error["ename"] == "Interrupted"
    assert "\n".join(error["traceback"]) == f"Interrupted: {magic.split()[0]} was interrupted"
    assert kernel.cell("print(torch.is_inference_mode_enabled(), len(nbtune.load('done').predict(['x'])))") == (
        "False 1"
    )


def test_the_key_is_given_back(kernel: Any) -> None:
    # one statement: a press between two is heard by IPython itself, which tells the page nothing
    kernel.begin("for turn in range(10**6):\n    if not turn: print('at work', flush=True)\n    time.sleep(0.005)")
    kernel.until("at work")
    kernel.press()
    assert error_of(kernel.ended())["ename"] == "KeyboardInterrupt"


# --- behind the cell


def test_a_run_behind_the_cell_leaves_the_kernel_free(kernel: Any, tiny_model: str) -> None:
    kernel.begin(
        f"%%finetune far << classification --data reviews --name far --background\nmodel = {tiny_model!r}\n"
        "epochs = 100_000\nbatch_size = 8\nmax_length = 16\nvalidation_fraction = 0.25\nevaluate_every = 1_000"
    )
    # the picture is made in its own cell, where the notebook keeps it: what moves, and below it what stays
    moving, *still = pictures(kernel.ended(), "display_data")
    assert len(still) == 1
    place = moving["content"]["transient"]["display_id"]
    assert kernel.cell("print(far.status, 1 + 1)") == "running 2"

    # it is kept up to date while other cells run, and at most twice a second
    kernel.begin("time.sleep(3)")
    updates = pictures(kernel.ended(), "update_display_data")
    assert still[0]["content"]["transient"]["display_id"] not in _places(updates)
    moved = [each for each in updates if each["content"]["transient"]["display_id"] == place]
    assert 2 <= len(moved) <= 7
    assert "training" in moved[-1]["content"]["data"]["text/html"]

    # the key ends the cell that runs, not the run behind
    kernel.begin("print('at work', flush=True) or far.wait()")  # one statement, as above
    kernel.until("at work")
    kernel.press()
    assert error_of(kernel.ended())["ename"] == "KeyboardInterrupt"
    assert kernel.cell("print(far.status)") == "running"

    refused = error_of(_failing(kernel, "%finetune classification --data reviews --name second"))
    assert "the run 'far' is training in this kernel" in refused["evalue"]
    for verb, event in (("pause", "Paused"), ("resume", "Resumed")):
        kernel.cell(f"%nbtune {verb} far")
        kernel.cell(f"while {event!r} not in [type(e).__name__ for e in far.events()]: time.sleep(0.01)")
    kernel.cell("%nbtune stop far")
    assert kernel.cell("print(far.wait().status, len(far.predict(['a great film'])))").endswith("stopped 1")
    assert "is not training in this kernel" in error_of(_failing(kernel, "%nbtune pause far"))["evalue"]


def test_what_fails_behind_the_cell_is_shown_in_its_cell(kernel: Any, train: Callable[[str], str]) -> None:
    kernel.cell("""
def broken(head, batch, original=SequenceHead.loss):
    SequenceHead.loss = original
    raise ZeroDivisionError("in the head")
SequenceHead.loss = broken""")
    kernel.cell(train("broken") + " --background")
    kernel.begin("run.wait()")
    messages = kernel.ended()
    assert error_of(messages)["ename"] == "ZeroDivisionError"
    kernel.begin("%nbtune show broken")
    assert "in the head" in str(kernel.ended())


def _places(messages: list[dict[str, Any]]) -> set[str]:
    return {each["content"]["transient"]["display_id"] for each in messages}


def _failing(kernel: Any, source: str) -> list[dict[str, Any]]:
    kernel.begin(source)
    return kernel.ended()


def test_a_kernel_that_is_shut_down_stops_and_saves(tiny_model: str, runs_dir: Path, start_kernel: Any) -> None:
    import nbtune

    kernel = start_kernel()
    kernel.manager.shutdown_wait_time = 60.0
    kernel.cell(PREPARATION)
    kernel.cell(
        "%finetune classification --data reviews --name left --background epochs=100000 evaluate_every=100000 "
        f"batch_size=8 --model {tiny_model}"
    )
    kernel.cell("while not any(type(e).__name__ == 'Stepped' for e in nbtune.load('left').events()): time.sleep(0.01)")
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=False)
    assert nbtune.load("left").status == "stopped"
    assert len(nbtune.load("left").predict(["a great film"])) == 1


def test_a_notebook_that_waits_for_its_run_is_saved_with_the_end_of_it(tiny_model: str, runs_dir: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    make: Any = nbformat.v4  # untyped
    cells = [
        PREPARATION,
        f"run = %finetune classification --data reviews --name kept --background --model {tiny_model} {SETTINGS}",
        "print(run.wait().status)",
    ]
    notebook = make.new_notebook(cells=[make.new_code_cell(source) for source in cells])
    NotebookClient(notebook, timeout=120).execute()
    assert "95% interval" in notebook.cells[1].outputs[0].data["text/html"]
    assert notebook.cells[2].outputs[0].text == "finished\n"
