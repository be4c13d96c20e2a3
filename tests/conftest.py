"""What several tests need: a runs folder of their own, and a real but tiny model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

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
