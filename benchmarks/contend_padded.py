"""The contender every tutorial knows: a plain loop over rows padded to 128 tokens. Started by jobs.run."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from contend_trainer import IGNORED, encode, word_tags
from corpora import Corpus
from jobs import Job, Outcome, StepClock, serve
from torch.utils.data import DataLoader
from transformers import AutoModelForTokenClassification, AutoTokenizer, get_linear_schedule_with_warmup, set_seed

from nbtune.tasks.pretrained import pretrained


def work(job: Job) -> Outcome:
    corpus, settings, clock = job.read_corpus(), job.settings, StepClock()
    source = pretrained("minilm-l6").source
    began = time.perf_counter()
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForTokenClassification.from_pretrained(source, num_labels=len(corpus.labels))
    rows = encode(corpus, corpus.train, tokenizer, settings.max_length)
    loader = DataLoader([padded(row, settings.max_length) for row in rows], settings.batch_size, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * len(loader)
    schedule = get_linear_schedule_with_warmup(optimizer, round(settings.warmup * steps), steps)
    model.train()
    clock.start()
    for _ in range(settings.epochs):
        for batch in loader:
            loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            loss.item()  # printed, in a tutorial
            clock.stepped(int(batch["attention_mask"].sum()))
    seconds = time.perf_counter() - began
    answers = answer(model, tokenizer, corpus, settings.max_length)
    return Outcome(
        answers=answers,
        seconds=seconds,
        threads=torch.get_num_threads(),
        tokens=clock.tokens,
        stepping=clock.seconds,
    )


def padded(row: Any, length: int) -> dict[str, torch.Tensor]:
    fill = {"input_ids": 0, "attention_mask": 0, "token_type_ids": 0, "labels": IGNORED}
    return {key: torch.tensor(row[key] + [filler] * (length - len(row[key]))) for key, filler in fill.items()}


def answer(model: Any, tokenizer: Any, corpus: Corpus, length: int) -> list[list[str]]:
    """Tags of the test rows; a word beyond `length` tokens is O."""
    model.eval()
    answers: list[list[str]] = []
    for start in range(0, len(corpus.test), 64):
        words = [row["tokens"] for row in corpus.test[start : start + 64]]
        encoded = tokenizer(
            words, is_split_into_words=True, truncation=True, max_length=length, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            best = np.asarray(model(**encoded).logits.argmax(-1))
        answers += [
            word_tags(encoded.word_ids(row), best[row], corpus.labels, len(own)) for row, own in enumerate(words)
        ]
    return answers


if __name__ == "__main__":
    serve(work, sys.argv[1:])
