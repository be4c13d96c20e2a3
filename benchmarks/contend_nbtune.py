"""The contender nbtune: `nbtune.finetune` as its users call it. Started by jobs.run."""

from __future__ import annotations

import sys
import time
from typing import Any

from jobs import Job, Outcome, serve


def work(job: Job) -> Outcome:
    import torch

    import nbtune

    corpus, settings = job.read_corpus(), job.settings
    began = time.perf_counter()
    run = nbtune.finetune(
        corpus.task,
        data=corpus.train,
        validation=corpus.validation,
        model="minilm-l6",
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        max_length=settings.max_length,
        seed=job.seed,
        warmup=settings.warmup,
        schedule="linear",
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        length_grouping=True,
        precision="fp32",
        device="cpu",
    )
    seconds = time.perf_counter() - began
    asked = "tokens" if corpus.task == "ner" else "text"
    table = run.predict([{asked: row[asked]} for row in corpus.test])
    if corpus.task == "ner":
        answers = [
            word_tags(entities, len(row["tokens"]))
            for entities, row in zip(table["entities"], corpus.test, strict=True)
        ]
    else:
        answers = table["prediction"].tolist()
    return Outcome(answers=answers, seconds=seconds, threads=torch.get_num_threads())


def word_tags(entities: list[dict[str, Any]], words: int) -> list[str]:
    """nbtune's entities as one BIO tag a word."""
    tags = ["O"] * words
    for entity in entities:
        first, stop = entity["tokens"]
        tags[first:stop] = [f"B-{entity['type']}", *[f"I-{entity['type']}"] * (stop - first - 1)]
    return tags


if __name__ == "__main__":
    serve(work, sys.argv[1:])
