"""A model to try a task on: a BERT so small that it trains in a second."""

from __future__ import annotations

import copy
from pathlib import Path

from nbtune.tasks.pretrained import Pretrained, pretrained, quiet

LONGEST = 64
"""Tokens the tiny model takes."""


def save_tiny_model(folder: Path, tokenizer_of: str = "minilm-l6") -> Pretrained:
    """Two layers of width 32 with random weights (the same each time), and the tokenizer of another model.

    Raises:
        ModelError: that tokenizer is neither installed nor to be fetched.
    """
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = copy.deepcopy(pretrained(tokenizer_of).tokenizer)
    tokenizer.model_max_length = LONGEST
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LONGEST,
        initializer_range=0.2,  # answers far enough apart that rounding does not change their order
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return Pretrained("tiny", str(folder))
