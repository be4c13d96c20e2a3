"""Do explanations find what a model goes by? Words are deleted in their order, and the answer is asked again.

    python benchmarks/explanations.py --data PATH [--texts 300] [--rows 4000] [--run NAME]

A model is fine-tuned on SST-2 (or a run of that name is opened). From each of some texts of the test part a fifth of
the words is deleted: those that speak most for the predicted label by integrated gradients, by occlusion, and words
drawn at random; what counts is by how much the probability of that label falls. Both methods blank words, one by steps
and one at once, and neither deletes any, so neither is asked about its own doing.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import corpora
import numpy as np
import results
from machine import machine

SHARE = 0.2
WAYS = ("integrated gradients", "occlusion", "random")
LEAST_WORDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--texts", type=int, default=300, help="texts that are explained")
    parser.add_argument("--rows", type=int, default=4000, help="training rows")
    parser.add_argument("--run", help="a run on this data to explain, in place of training one")
    results.add_into(parser)
    given = parser.parse_args()
    corpus = corpora.read("sst2_glue", given.data, given.rows)
    with tempfile.TemporaryDirectory() as folder:
        run = _opened(given.run) if given.run else _trained(corpus, folder)
        lines = measure(run, corpus, given.texts)
    results.save(
        given.into,
        "Explanations",
        file="explanations.jsonl",
        command=f"python benchmarks/explanations.py --data PATH --texts {given.texts} --rows {given.rows}",
        machine=machine("torch", "transformers", "captum"),
        rows=lines,
        body=report(lines),
    )


def _opened(name: str) -> Any:
    import nbtune

    return nbtune.load(name)


def _trained(corpus: corpora.Corpus, folder: str) -> Any:
    import pandas as pd

    import nbtune

    os.environ["NBTUNE_RUNS_DIR"] = folder
    return nbtune.finetune(
        "sentiment",
        data=pd.DataFrame(corpus.train),
        validation=pd.DataFrame(corpus.validation),
        model="minilm-l6",
        name="explained",
        epochs=2,
        batch_size=32,
        learning_rate=1e-4,
        watchers=[],
    )


def measure(run: Any, corpus: corpora.Corpus, count: int) -> list[dict[str, Any]]:
    """One line a text: the probability before and after each way of deleting, and how the explanation was made."""
    texts = [row["text"] for row in corpus.test if len(row["text"].split()) >= LEAST_WORDS]
    chosen = random.Random(0).sample(texts, min(count, len(texts)))
    lines, cut = [], []
    for place, text in enumerate(chosen):
        before = time.process_time()
        found = run.explain(text)
        lines.append(
            {
                "text": place,
                "words": len(found.words),
                "label": found.target,
                "probability": found.probability,
                "completeness": found.completeness,
                "agreement": found.agreement,
                "steps": found.steps,
                "cpu_seconds": time.process_time() - before,
            }
        )
        cut += [without(text, pick(found.words, place)) for pick in orders().values()]
    answers = run.predict(cut)
    for place, line in enumerate(lines):
        for offset, way in enumerate(WAYS):
            answer = answers.iloc[place * len(WAYS) + offset]
            sure = float(answer["probability"])
            line[f"without {way}"] = sure if answer["prediction"] == line["label"] else 1 - sure
    return lines


def orders() -> Mapping[str, Callable[[Sequence[Any], int], Sequence[Any]]]:
    """The words to delete, by each way."""

    def most(words: Sequence[Any]) -> int:
        return max(1, round(SHARE * len(words)))

    return {
        WAYS[0]: lambda words, _: sorted(words, key=lambda word: -word.gradients)[: most(words)],
        WAYS[1]: lambda words, _: sorted(words, key=lambda word: -word.occlusion)[: most(words)],
        WAYS[2]: lambda words, seed: random.Random(seed).sample(list(words), most(words)),
    }


def without(text: str, words: Sequence[Any]) -> str:
    """The text without these words."""
    for word in sorted(words, key=lambda word: -word.start):
        text = text[: word.start] + text[word.end :]
    return " ".join(text.split())


def report(lines: Sequence[Mapping[str, Any]]) -> str:
    before = np.array([line["probability"] for line in lines])
    after = {way: np.array([line[f"without {way}"] for line in lines]) for way in WAYS}
    drops = {way: before - own for way, own in after.items()}
    rows = [
        [
            way,
            _interval(drops[way]),
            "" if way == "random" else _interval(drops[way] - drops["random"]),
            f"{np.mean(own < 0.5):.0%}",
        ]
        for way, own in after.items()
    ]
    head = ["a fifth of the words deleted, by", "fall of the probability", "more than random", "answers that change"]
    agreement = median(line["agreement"] for line in lines if not np.isnan(line["agreement"]))
    missed = [line["completeness"] for line in lines]
    steps = [line["steps"] for line in lines]
    return "\n\n".join(
        (
            f"{len(lines)} texts of SST-2's test part with {LEAST_WORDS} words or more, "
            f"{mean(line['words'] for line in lines):.0f} in the mean. Means with 95% bootstrap intervals over texts.",
            results.table(head, rows),
            f"Rank correlation of the two methods over a text's words: {agreement:.2f} in the median. What the "
            f"gradients miss of the score's difference: {median(missed):.1%} in the median, more than a tenth in "
            f"{np.mean(np.array(missed) > 0.1):.0%} of the texts. Steps: {median(steps):.0f} in the median, "
            f"{max(steps)} at most; {median(line['cpu_seconds'] for line in lines):.2f} s of processor time a text in "
            "the median.",
        )
    )


def _interval(values: np.ndarray[Any, Any]) -> str:
    """Mean and percentile bootstrap interval (Efron, 1979)."""
    drawn = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
