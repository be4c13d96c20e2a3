"""The contender nbtune: `nbtune.finetune` as its users call it. Started by jobs.run."""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from corpora import Corpus
from jobs import Job, Outcome, StepClock, serve

import nbtune
from nbtune.events import Event, Preparing, Saved, Stepped


def work(job: Job) -> Outcome:
    corpus, settings = job.read_corpus(), job.settings
    clock = Clock()
    run = nbtune.finetune(
        corpus.task,
        data=corpus.train,
        # training is never without an evaluation at its end: without a validation part, a short one
        validation=corpus.validation if job.validated else corpus.validation[:50],
        model=settings.model,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        max_length=settings.max_length,
        seed=job.seed,
        warmup=settings.warmup,
        schedule="linear",
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        evaluate_every="epoch" if job.validated else 10**9,
        length_grouping="auto" if job.grouped is None else job.grouped,
        precision=settings.precision,
        device=settings.device,
        watchers=[clock],
    )
    return Outcome(
        answers=answers(run, corpus),
        seconds=clock.saved - clock.began,
        threads=torch.get_num_threads(),
        tokens=clock.steps.tokens,
        stepping=clock.steps.seconds,
    )


class Clock:
    """Takes the time until the best model is saved; the report that a run makes after it is no part of fitting."""

    def __init__(self) -> None:
        self.began = self.saved = time.perf_counter()
        self.steps = StepClock()

    def on_event(self, event: Event) -> None:
        if isinstance(event, Stepped):
            self.steps.stepped(event.tokens)
        elif not isinstance(event, Preparing):  # an evaluation yields those, and ends in another event
            self.steps.start()
        if isinstance(event, Saved) and event.kind == "model":
            self.saved = time.perf_counter()


def answers(run: nbtune.Run, corpus: Corpus) -> list[Any]:
    """What the run says of the test rows, which are given without their labels: BIO tags, or a label."""
    asked = "tokens" if corpus.task == "ner" else "text"
    table = run.predict([{asked: row[asked]} for row in corpus.test])
    if corpus.task != "ner":
        return table["prediction"].tolist()
    lengths = [len(row["tokens"]) for row in corpus.test]
    return [word_tags(found, words) for found, words in zip(table["entities"], lengths, strict=True)]


def word_tags(entities: list[dict[str, Any]], words: int) -> list[str]:
    """nbtune's entities as one BIO tag a word."""
    tags = ["O"] * words
    for entity in entities:
        first, stop = entity["tokens"]
        tags[first:stop] = [f"B-{entity['type']}", *[f"I-{entity['type']}"] * (stop - first - 1)]
    return tags


if __name__ == "__main__":
    serve(work, sys.argv[1:])
