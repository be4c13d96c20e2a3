"""How long the two towers take to score a user against a large catalogue, once the item vectors are there.

python benchmarks/item_scoring.py [--items 100000] [--times 50]
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
import results
from machine import machine
from nbtune_recommendation.towers import vector_matcher

SIZE = 384
"""Width of MiniLM's vectors."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=50)
    results.add_into(parser)
    given = parser.parse_args()
    vectors = np.random.default_rng(0).standard_normal((given.items, SIZE), dtype=np.float32)
    match = vector_matcher(vectors, scale=20.0, forgetting=0.1, latest=10)
    seconds = []
    for _ in range(given.times):
        began = time.perf_counter()
        scores = match(list(range(10)))
        np.argpartition(-scores, 10)[:10]
        seconds.append(time.perf_counter() - began)
    middle, slow = median(seconds) * 1000, float(np.quantile(seconds, 0.95)) * 1000
    results.save(
        given.into,
        "Scoring a catalogue",
        file="item-scoring.jsonl",
        command=f"python benchmarks/item_scoring.py --items {given.items} --times {given.times}",
        machine=machine("numpy"),
        rows=[{"items": given.items, "median_ms": middle, "p95_ms": slow}],
        body=f"{given.items:,} items of {SIZE} numbers, match and the best 10: "
        f"median {middle:.1f} ms, 95th percentile {slow:.1f} ms.",
    )


if __name__ == "__main__":
    main()
