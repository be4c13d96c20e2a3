"""What splitting and checking must know of each example, found in one pass and kept as numbers."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtune.data.packing import PackedExamples
from nbtune.tasks.task import Task
from nbtune.values import Example


@dataclass(frozen=True)
class Survey:
    """`strata` numbers each example's stratum, in the order of the names. Occurrence i says that the example
    `owners[i]` uses the label `labels[i]`; each label of an example occurs once.
    """

    identities: NDArray[np.uint64]
    strata: NDArray[np.int64]
    owners: NDArray[np.int64]
    labels: NDArray[np.int64]


def survey(task: Task, examples: PackedExamples) -> Survey:
    """Look at every example once."""
    known = examples.identities
    found, strata, owners, labels = array("Q"), array("q"), array("q"), array("q")
    stratum_numbers: dict[str, int] = {}
    label_numbers: dict[str, int] = {}
    for position, example in enumerate(examples):
        if known is None:
            found.append(identity(task, example))
        strata.append(stratum_numbers.setdefault(task.stratum(example), len(stratum_numbers)))
        for label in set(task.labels_of(example)):
            owners.append(position)
            labels.append(label_numbers.setdefault(label, len(label_numbers)))
    if known is None:
        known = examples.identities = np.array(found, dtype=np.uint64)
    rank = np.empty(len(stratum_numbers), dtype=np.int64)
    rank[[stratum_numbers[name] for name in sorted(stratum_numbers)]] = np.arange(len(rank))
    return Survey(
        known,
        rank[np.array(strata, dtype=np.int64)],
        np.array(owners, dtype=np.int64),
        np.array(labels, dtype=np.int64),
    )


def identities(task: Task, examples: PackedExamples) -> NDArray[np.uint64]:
    """A number each, equal for duplicates, shape [examples]."""
    if examples.identities is None:
        found = array("Q", (identity(task, example) for example in examples))
        examples.identities = np.array(found, dtype=np.uint64)
    return examples.identities


def identity(task: Task, example: Example) -> int:
    """64 bits, the same for duplicates: of a million different examples two share them once in 40 million data sets."""
    text = task.identity(example).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
