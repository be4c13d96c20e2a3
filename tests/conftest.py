"""What several tests need: a runs folder of their own, and a real but tiny model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import pandas as pd

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture
def runs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty runs folder, in force for this test."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("NBTUNE_RUNS_DIR", str(folder))
    return folder


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keeps the user's own cache out of the tests, and the tests out of it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a randomly initialised two-layer BERT and the real tokenizer of the embedded model."""
    import torch
    from transformers import BertConfig, BertModel

    from nbtune.tasks.pretrained import pretrained

    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = pretrained("minilm-l6").tokenizer
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.model_max_length = 128
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def hostile_table() -> Callable[[str, str], tuple[pd.DataFrame, dict[str, str]]]:
    """Makes 24 rows that a task learns from, and its columns, with a nasty text wherever data may hold one: texts,
    labels, types, users, items, and the names of columns. `hostile_table(task, nasty)`."""
    return _hostile_table


def _hostile_table(task: str, nasty: str) -> tuple[pd.DataFrame, dict[str, str]]:
    import pandas as pd

    rows: list[dict[str, object]] = []
    for row in range(24):
        # a few rows are enough, or a megabyte becomes many
        good, odd = row % 2 == 0, nasty if row % 12 < 2 else ""
        text = f"a {'good' if good else 'bad'} word in row {row} {odd}"
        if task == "ner":
            tokens, kind = [*f"a word in row {row} by".split(), f"Ann{odd}"], f"type {nasty}" if good else "PER"
            rows.append({"tokens": tokens, "tags": ["O"] * 6 + [f"B-{kind}"]})
        elif task == "classification":
            rows.append({"text": text, "label": f"label {nasty}" if good else "plain"})
        elif task == "sentiment":
            rows.append({"text": text, "sentiment": "positive" if good else "negative"})
        else:
            user, item = row // 6, (row * 5 + row // 6) % 9
            named = {"user": f"u{user}{nasty if user == 0 else ''}", "item": f"i{item}{nasty if item == 0 else ''}"}
            rows.append({**named, "text": f"thing {item} {nasty if item == 0 else ''}", "time": row})
    columns = {name: f"{name} {nasty}" for name in rows[0]}
    return pd.DataFrame(rows).rename(columns=columns), columns
