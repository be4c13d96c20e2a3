"""An IPython shell in this process, and what it was asked to display."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel
from traitlets.config import Config

from nbtune.events import Ended, Evaluated, Event, Noted, Prepared, Saved, Started, Stepped


@pytest.fixture
def bare_shell() -> Iterator[InteractiveShell]:
    """A fresh shell, the one `get_ipython()` finds, without a history on disk."""
    main = sys.modules["__main__"]
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=config)
    yield shell
    shell.run_line_magic("unload_ext", "nbtune")
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    """A shell after `%load_ext nbtune`."""
    bare_shell.run_line_magic("load_ext", "nbtune")
    return bare_shell


class Published:
    """Stands where the shell's display publisher does: what was shown, by display id, and how often."""

    def __init__(self) -> None:
        self.new: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []

    def publish(self, data: dict[str, Any], metadata: Any = None, **more: Any) -> None:
        (self.updates if more.get("update") else self.new).append(data)

    @property
    def last(self) -> dict[str, Any]:
        return (self.updates or self.new)[-1]


@pytest.fixture
def published(bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Published:
    """What the shell was asked to display."""
    seen = Published()
    monkeypatch.setattr(bare_shell.display_pub, "publish", seen.publish)
    return seen


@pytest.fixture
def story() -> Callable[..., list[Event]]:
    """Makes the events of a whole run by hand: `story(name, steps=6, text="")`."""
    return make_story


def make_story(name: str = "conll", *, steps: int = 6, text: str = "") -> list[Event]:
    """A whole run of `steps` steps in two epochs, `text` wherever data speaks."""
    half = steps // 2
    return [
        Prepared(
            task=f"ner{text}",
            data=f"train_df (12 rows){text}",
            columns={f"tokens{text}": f"words{text}"},
            reasons={f"tokens{text}": f"a usual name for tokens{text}"},
            parts={"train": 10, "validation": 2},
            labels={f"PER{text}": 4},
            findings=(
                {"severity": "warning", "message": f"3 rows are twice in the data{text}", "remedy": f"drop them{text}"},
                {"severity": "note", "message": f"tags were IOB1{text}", "remedy": ""},
            ),
        ),
        Started(
            run=f"{name}{text}",
            task=f"ner{text}",
            model=f"minilm-l6{text}",
            device="cpu (2 threads)",
            precision="fp32",
            epochs=2,
            total_steps=steps,
            step=0,
            train_examples=10,
            validation_examples=2,
            parameters=22_700_000,
            trainable=22_700_000,
            time=0.0,
        ),
        *(stepped(step, steps) for step in range(1, half + 1)),
        evaluated(half, 0.5, text=text),
        Saved(step=half, path="checkpoints/step-00000006", kind="checkpoint", seconds=0.1),
        *(stepped(step, steps) for step in range(half + 1, steps + 1)),
        evaluated(steps, 0.75, text=text),
        Noted(step=steps, severity="warning", message=f"a watcher was dropped{text}"),
        Ended(
            status="finished",
            step=steps,
            reason=f"all epochs done{text}",
            seconds=float(steps),
            best={f"entity_f1{text}": 0.75},
            best_step=steps,
        ),
    ]


def stepped(step: int, total: int, loss: float | None = None) -> Stepped:
    value = 2.0 / step if loss is None else loss
    return Stepped(
        step=step,
        epoch=2 * step / total,
        learning_rate=1e-4,
        tokens=100,
        examples=5,
        seconds=float(step),
        loss=value,
    )


def evaluated(step: int, score: float, *, best: bool = True, text: str = "") -> Evaluated:
    metrics = {f"entity_precision{text}": 0.9, f"entity_f1{text}": score}
    return Evaluated(step=step, epoch=1.0, metrics=metrics, headline=f"entity_f1{text}", best=best, seconds=0.5)


class Kernel:
    """A kernel, its cells, and what they put out."""

    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3")
        self._asked = ""

    def begin(self, source: str) -> None:
        self._asked = self.client.execute(source)

    def until(self, said: str) -> None:
        """Wait until the cell has said something."""
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            assert message["msg_type"] != "error", message["content"]
            # the echo of the code may hold the words, before the cell runs
            if message["msg_type"] == "stream" and said in message["content"]["text"]:
                return

    def ended(self) -> list[dict[str, Any]]:
        """The messages until the cell is done; the last is its reply."""
        messages: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != self._asked:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return messages
            messages.append(message)

    def cell(self, source: str) -> str:
        """What a cell that must succeed prints."""
        self.begin(source)
        messages = self.ended()
        assert not [each["content"] for each in messages if each["msg_type"] == "error"]
        return "".join(each["content"]["text"] for each in messages if each["msg_type"] == "stream").strip()

    def press(self) -> None:
        self.manager.interrupt_kernel()


@pytest.fixture(scope="session")
def start_kernel() -> type[Kernel]:
    """Starts a real kernel, which whoever asked for it shuts down."""
    return Kernel
