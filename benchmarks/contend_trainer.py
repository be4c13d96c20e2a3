"""The contender `transformers.Trainer`: a script as its documentation teaches it, on the same weights.

Labels sit on the first subword of a word; padding is dynamic; the best epoch on the validation part is loaded at the
end. Started by jobs.run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from corpora import Corpus, Row
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from jobs import Job, Outcome, Settings, StepClock, serve
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import f1_score as label_f1
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    EvalPrediction,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from nbtune.tasks.pretrained import pretrained

IGNORED = -100


def work(job: Job) -> Outcome:
    disable_progress_bar()
    corpus, settings = job.read_corpus(), job.settings
    source = pretrained(settings.model).source  # the folder of an alias: the very same weights
    began = time.perf_counter()
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(source)
    names = dict(enumerate(corpus.labels))
    kind = AutoModelForTokenClassification if corpus.task == "ner" else AutoModelForSequenceClassification
    model = kind.from_pretrained(source, id2label=names, label2id={name: i for i, name in names.items()})
    clock = Clock()
    collator = DataCollatorForTokenClassification if corpus.task == "ner" else DataCollatorWithPadding
    trainer = Trainer(
        model=model,
        args=arguments(job, settings, "entity_f1" if corpus.task == "ner" else "macro_f1"),
        train_dataset=encode(corpus, corpus.train, tokenizer, settings.max_length),
        eval_dataset=encode(corpus, corpus.validation, tokenizer, settings.max_length),
        data_collator=counted(collator(tokenizer), clock),
        processing_class=tokenizer,
        compute_metrics=entity_scores(names) if corpus.task == "ner" else label_scores,
        callbacks=[clock],
    )
    trainer.train()
    seconds = time.perf_counter() - began
    answers = answer(trainer, corpus, tokenizer, settings.max_length)
    steps = clock.steps
    return Outcome(
        answers=answers,
        seconds=seconds,
        threads=torch.get_num_threads(),
        tokens=steps.tokens,
        stepping=steps.seconds,
    )


class Clock(TrainerCallback):
    """Takes the time of the steps, loading of batches included, and counts their tokens."""

    def __init__(self) -> None:
        self.steps = StepClock()
        self.batches: list[int] = []

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.steps.start()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.steps.stepped(self.batches.pop(0))


def counted(collate: Any, clock: Clock) -> Any:
    """`collate`, with the real tokens of each batch noted in the order the batches are made."""

    def counting(rows: Any) -> Any:
        batch = collate(rows)
        clock.batches.append(int(batch["attention_mask"].sum()))
        return batch

    return counting


def arguments(job: Job, settings: Settings, best: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=f"{job.folder}/trainer",
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup,  # below 1: a share of all steps
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        optim="adamw_torch_fused",
        train_sampling_strategy="group_by_length" if job.grouped else "random",
        eval_strategy="epoch" if job.validated else "no",
        save_strategy="epoch" if job.validated else "no",
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=job.validated,
        metric_for_best_model=best,
        greater_is_better=True,
        seed=job.seed,
        use_cpu=settings.device == "cpu",
        bf16=settings.precision == "bf16",
        dataloader_pin_memory=settings.device == "cuda",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def encode(corpus: Corpus, rows: Sequence[Row], tokenizer: Any, max_length: int) -> Dataset:
    """The rows as token ids with labels."""
    index = {name: i for i, name in enumerate(corpus.labels)}

    def words(batch: Mapping[str, Any]) -> Any:
        encoded = tokenizer(batch["tokens"], is_split_into_words=True, truncation=True, max_length=max_length)
        encoded["labels"] = [
            [index[tags[word]] if first else IGNORED for word, first in first_subwords(encoded.word_ids(row))]
            for row, tags in enumerate(batch["tags"])
        ]
        return encoded

    def texts(batch: Mapping[str, Any]) -> Any:
        encoded = tokenizer(batch["text"], truncation=True, max_length=max_length)
        encoded["labels"] = [index[label] for label in batch["label"]]
        return encoded

    table = Dataset.from_list(list(rows))
    return table.map(words if corpus.task == "ner" else texts, batched=True, remove_columns=table.column_names)


def first_subwords(word_ids: Sequence[int | None]) -> list[tuple[int, bool]]:
    """For each token its word, and whether it is that word's first; special tokens are nobody's first."""
    before = [None, *word_ids[:-1]]
    return [(-1, False) if word is None else (word, word != old) for word, old in zip(word_ids, before, strict=True)]


def answer(trainer: Trainer, corpus: Corpus, tokenizer: Any, max_length: int) -> list[Any]:
    """Labels of the test rows, which are given without theirs; a word beyond `max_length` is O."""
    names = corpus.labels
    ner = corpus.task == "ner"
    inputs = [row["tokens" if ner else "text"] for row in corpus.test]
    encoded = tokenizer(inputs, is_split_into_words=ner, truncation=True, max_length=max_length)
    # with group_by_length, Trainer predicts in the order of length too, and does not say which row is which
    trainer.args.train_sampling_strategy = "sequential"
    logits = trainer.predict(Dataset.from_dict(dict(encoded))).predictions
    best = np.argmax(logits, axis=-1)
    if not ner:
        return [names[label] for label in best]
    return [word_tags(encoded.word_ids(row), best[row], names, len(words)) for row, words in enumerate(inputs)]


def word_tags(word_ids: Sequence[int | None], best: Sequence[int], names: Sequence[str], words: int) -> list[str]:
    """The tag of each word, from the best label of its first subword; O beyond what the model was shown."""
    tags = ["O"] * words
    for place, (word, first) in enumerate(first_subwords(word_ids)):
        if first:
            tags[word] = names[best[place]]
    return tags


def entity_scores(names: Mapping[int, str]) -> Any:
    def compute(prediction: EvalPrediction) -> dict[str, float]:
        gold, found = prediction.label_ids, np.argmax(prediction.predictions, axis=-1)
        kept = [labels != IGNORED for labels in gold]
        return {
            "entity_f1": entity_f1(
                [[names[i] for i in labels[mask]] for labels, mask in zip(gold, kept, strict=True)],
                [[names[i] for i in labels[mask]] for labels, mask in zip(found, kept, strict=True)],
                zero_division=0,
            )
        }

    return compute


def label_scores(prediction: EvalPrediction) -> dict[str, float]:
    found = np.argmax(prediction.predictions, axis=-1)
    return {"macro_f1": float(label_f1(prediction.label_ids, found, average="macro", zero_division=0))}


if __name__ == "__main__":
    serve(work, sys.argv[1:])
