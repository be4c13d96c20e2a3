"""With a real kernel: what runs took is given back, also by those that failed in sight of everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PREPARATION = """
%load_ext nbtune
import gc, os, signal
import nbtune
from nbtune.tasks.heads import SequenceHead
from transformers import PreTrainedModel

texts = [f"{word} {thing}" for word in ("great", "fine", "awful", "dire") for thing in ("film", "book", "play", "song")]
rows = [{"text": text, "label": "good" if text[0] in "gf" else "bad"} for text in texts]
loss = SequenceHead.loss

def failing(head, batch):
    SequenceHead.loss = loss
    raise ZeroDivisionError("planned")

def interrupted(head, batch):
    SequenceHead.loss = loss
    os.kill(os.getpid(), signal.SIGINT)
    return loss(head, batch)

def held():
    models = sum(issubclass(type(each), PreTrainedModel) for each in gc.get_objects())
    with open("/proc/self/statm") as file:
        print(models, int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""
MAGIC = "%finetune classification --data rows --name run-{n} --model {model} epochs=1 batch_size=8 max_length=16"
PYTHON = "nbtune.finetune('classification', data=rows, name='run-{n}', model={model!r}, epochs=1, batch_size=8)"
KINDS = (  # what spoils the run, how it is written, how the cell ends
    ("loss", MAGIC, None),
    ("failing", MAGIC, "ZeroDivisionError"),
    ("interrupted", MAGIC, None),
    ("failing", PYTHON, "ZeroDivisionError"),
    ("interrupted", PYTHON, None),
    ("failing", f"run = {MAGIC} --background\nrun.wait()", "ZeroDivisionError"),
)


def test_memory_is_given_back_by_every_kind_of_run(tiny_model: str, runs_dir: Path, start_kernel: Any) -> None:
    kernel = start_kernel()
    try:
        kernel.cell(PREPARATION)
        resident: list[int] = []
        for number in range(12):
            spoilt, form, expected = KINDS[number % len(KINDS)]
            kernel.cell(f"SequenceHead.loss = {spoilt}")
            kernel.begin(form.format(n=number, model=tiny_model))
            errors = [each["content"]["ename"] for each in kernel.ended() if each["msg_type"] == "error"]
            assert errors == ([expected] if expected else [])
            models, size = (int(value) for value in kernel.cell("held()").split()[-2:])
            assert models == 0, form  # nothing that was shown, returned or registered holds one
            resident.append(size)
        assert resident[-1] < 1.05 * resident[2]
    finally:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)
