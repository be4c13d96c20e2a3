"""What a contender is asked to do, and what it gives back; each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import corpora
from corpora import Corpus

HERE = Path(__file__).parent
CONTENDERS: Mapping[str, str] = {"nbtune": "contend_nbtune.py", "Trainer": "contend_trainer.py"}
"""Who contends for scores, and the script that does it."""
RACERS: Mapping[str, tuple[str, bool | None]] = {
    "nbtune": ("contend_nbtune.py", None),
    "nbtune, grouped": ("contend_nbtune.py", True),
    "Trainer": ("contend_trainer.py", False),
    "Trainer, grouped": ("contend_trainer.py", True),
    "padded script": ("contend_padded.py", False),
}
"""Who contends for speed: the script, and whether batches hold texts of like length (None: by default)."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train: set outright on both sides, so that no default of one is compared with a default of the other.

    Both use AdamW (fused), a linear schedule, batches of like length, dynamic padding, float32 (on CUDA bf16), and keep
    the checkpoint that is best on the validation part after an epoch (entity F1, or macro F1).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int
    rows: int | None = None
    model: str = "minilm-l6"
    device: Literal["cpu", "cuda"] = "cpu"
    warmup: float = 0.06
    weight_decay: float = 0.01
    clip: float = 1.0

    def __str__(self) -> str:
        return (
            f"epochs {self.epochs}, batch size {self.batch_size}, learning rate {self.learning_rate:g}, "
            f"max_length {self.max_length}"
        )

    @property
    def precision(self) -> Literal["fp32", "bf16"]:
        return "fp32" if self.device == "cpu" else "bf16"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: a corpus below the folder `data`, settings and a seed; `folder` is empty and for scratch.

    Unless `validated`, nothing is evaluated while training, and the last weights are taken instead of the best.
    """

    corpus: str
    data: str
    settings: Settings
    seed: int
    folder: str
    grouped: bool | None = True
    validated: bool = True

    def read_corpus(self) -> Corpus:
        return corpora.read(self.corpus, Path(self.data), self.settings.rows)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One answer a test row, the seconds until the best model was there, and the threads torch used.

    `tokens` (without padding) were trained on in `stepping` seconds of steps, the first ones left out.
    """

    answers: list[Any]
    seconds: float
    threads: int
    tokens: int = 0
    stepping: float = 0.0


class StepClock:
    """Adds up steps and their tokens, without the first few, in which memory is laid out and caches fill."""

    def __init__(self, skip: int = 8) -> None:
        self.skip = skip
        self.tokens = 0
        self.seconds = 0.0
        self._since = time.perf_counter()

    def start(self) -> None:
        """What comes now belongs to the next step; what was before (an evaluation, say) to none."""
        self._since = time.perf_counter()

    def stepped(self, tokens: int) -> None:
        now = time.perf_counter()
        if self.skip:
            self.skip -= 1
        else:
            self.tokens += tokens
            self.seconds += now - self._since
        self._since = now


def run(script: str, corpus: str, data: Path, settings: Settings, seed: int, **how: bool | None) -> Outcome:
    """Train and answer in a fresh process; what it prints is shown only if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(corpus=corpus, data=str(data), settings=settings, seed=seed, folder=folder, **how)
        asked, given = Path(folder) / "job.json", Path(folder) / "outcome.json"
        asked.write_text(json.dumps(asdict(job)), encoding="utf-8")
        environment = {
            **os.environ,
            "NBTUNE_RUNS_DIR": str(Path(folder) / "runs"),
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        process = subprocess.run(
            [sys.executable, str(HERE / script), str(asked), str(given)],
            env=environment,
            capture_output=True,
            text=True,
        )
        if process.returncode:
            sys.stderr.write(process.stdout + process.stderr)
            raise SystemExit(f"{script} failed on {corpus}, seed {seed}")
        return Outcome(**json.loads(given.read_text(encoding="utf-8")))


def serve(work: Callable[[Job], Outcome], arguments: Sequence[str]) -> None:
    """The other side of `run`: read the job, do it, write the outcome."""
    content = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    outcome = work(Job(**{**content, "settings": Settings(**content["settings"])}))
    Path(arguments[1]).write_text(json.dumps(asdict(outcome)), encoding="utf-8")
