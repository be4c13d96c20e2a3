"""Texts that are almost the same, found by MinHash and locality-sensitive hashing and then counted out.

MinHash: Broder, "On the resemblance and containment of documents" (1997). Bands: Indyk and Motwani (1998), as in
Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4. Nothing is reported on the strength of
a hash: a pair counts when the Jaccard similarity of its shingles, counted exactly, reaches `ALIKE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.8
"""The share of shingles, of all that two texts have, which they must have in common."""
SHINGLE = 5
"""Characters: short texts have too few words for shingles of words, and a typo would spoil three of them."""
_BANDS, _ROWS = 20, 6
"""Two texts of similarity 0.8 meet in a band with a chance of 99.8%, two of 0.5 with 27%, two of 0.3 with 1.4%."""
_LOOKED_AT = 8
"""Of a crowded bucket, so many are compared: texts from one template would otherwise all be compared with all."""
_TRIED = 4
"""Likely partners that are counted out for one text."""
_LIKELY = ALIKE - 0.1
"""Estimated similarity from which a pair is counted out; the estimate's standard error at 0.8 is 0.037."""
_BLOCK = 1_000_000
"""Characters hashed at once."""
_AT_ONCE = 2000
"""Pairs counted out together."""
_PAIR = 50
"""Bits of a shingle's hash beside the number of its pair."""
_SEED = 7

_Numbers = NDArray[np.int64]
_Hashes = NDArray[np.uint64]
_BLANKS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Sketches:
    """What is kept of each text: the key of its bucket in each band, shape [texts, bands], and its MinHash."""

    keys: _Hashes
    digests: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.keys)


def sketch(texts: Iterable[str]) -> Sketches:
    """Look at every text once; 560 bytes each are kept."""
    from rensa import RMinHash

    digests: list[NDArray[np.uint32]] = []
    for hashes, offsets in _blocks(texts):
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, _BANDS * _ROWS, _SEED)
        digests.append(np.array(matrix.to_rows(), dtype=np.uint32).reshape(-1, _BANDS * _ROWS))
    joined = np.concatenate(digests) if digests else np.zeros((0, _BANDS * _ROWS), dtype=np.uint32)
    keys = np.zeros((len(joined), _BANDS), dtype=np.uint64)
    for row in range(_ROWS):
        keys = _mixed(keys ^ joined[:, row::_ROWS][:, :_BANDS].astype(np.uint64))
    return Sketches(keys, joined)


def alike(
    ours: Sketches,
    theirs: Sketches | None,
    read: Callable[[_Numbers], Iterable[str]],
    read_theirs: Callable[[_Numbers], Iterable[str]] | None = None,
) -> tuple[_Numbers, _Numbers]:
    """Which of our texts are almost the same as one of theirs, and as which; without `theirs`, as an earlier of ours.

    `read` gives the texts at some positions. Each of ours is there once at most, in order, with the likeliest that
    was counted out and found alike.
    """
    left, right = _candidates(ours, theirs)
    partner = np.full(len(ours), -1, dtype=np.int64)
    place = np.arange(len(left)) - np.searchsorted(left, left)  # the how manieth candidate of its text
    for attempt in range(_TRIED):
        tried = np.flatnonzero((place == attempt) & (partner[left] < 0))
        for start in range(0, len(tried), _AT_ONCE):
            some = tried[start : start + _AT_ONCE]
            similar = _similarities(read(left[some]), (read_theirs or read)(right[some])) >= ALIKE
            partner[left[some[similar]]] = right[some[similar]]
    found = np.flatnonzero(partner >= 0)
    return found, partner[found]


def similarity(one: str, other: str) -> float:
    """The Jaccard similarity of two texts (Jaccard, 1912): the shingles they share by all that they have."""
    return float(_similarities([one], [other])[0])


def _similarities(ones: Iterable[str], others: Iterable[str]) -> NDArray[np.float64]:
    """The similarity of each pair, of up to `_AT_ONCE`."""
    ours, pairs = _sets(ones)
    theirs, _ = _sets(others)
    both = np.sort(np.concatenate([ours, theirs]))
    shared = np.bincount(both[1:][both[1:] == both[:-1]] >> _PAIR, minlength=pairs)
    result: NDArray[np.float64] = shared / (np.bincount(both >> _PAIR, minlength=pairs) - shared)
    return result


def _sets(texts: Iterable[str]) -> tuple[_Numbers, int]:
    """The different shingles of each text, its number in the upper bits, sorted; and how many texts there are."""
    hashes, offsets = _hashed([_plain(text) for text in texts])
    number = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    keys = number << _PAIR | (hashes >> np.uint64(64 - _PAIR)).astype(np.int64)
    return _once(keys), len(offsets) - 1


def _candidates(ours: Sketches, theirs: Sketches | None) -> tuple[_Numbers, _Numbers]:
    """Pairs that share a bucket and are likely to be alike: for each of ours in order, the likeliest first."""
    others = ours if theirs is None else theirs
    width = max(1, len(others))
    pairs = np.zeros(0, dtype=np.int64)  # both positions in one number
    estimate = np.zeros(0, dtype=np.float32)
    for band in range(_BANDS):
        open_ = np.bincount(pairs // width, minlength=len(ours)) < _LOOKED_AT
        met: list[_Numbers] = []
        for mine, yours in _sharing(ours.keys[:, band], others.keys[:, band], earlier=theirs is None):
            met.append((mine * width + yours)[open_[mine]])
        if not met:
            continue
        fresh = _once(np.concatenate(met))
        known = np.sort(pairs)
        if len(known):
            fresh = fresh[known[np.searchsorted(known, fresh).clip(max=len(known) - 1)] != fresh]
        estimated = _estimates(ours, others, fresh // width, fresh % width)
        likely = estimated >= _LIKELY
        pairs, estimate = np.concatenate([pairs, fresh[likely]]), np.concatenate([estimate, estimated[likely]])
    order = np.lexsort((pairs, -estimate, pairs // width))
    return pairs[order] // width, pairs[order] % width


def _once(numbers: _Numbers) -> _Numbers:
    """Each number once, sorted; on millions much faster than `np.unique`, which hashes."""
    numbers = np.sort(numbers)
    return numbers[np.concatenate([[True], numbers[1:] != numbers[:-1]])] if len(numbers) else numbers


def _estimates(ours: Sketches, others: Sketches, left: _Numbers, right: _Numbers) -> NDArray[np.float32]:
    """The share of MinHashes that agree, which estimates the similarity."""
    estimate = np.empty(len(left), dtype=np.float32)
    for start in range(0, len(left), 20_000):
        part = slice(start, start + 20_000)
        estimate[part] = (ours.digests[left[part]] == others.digests[right[part]]).mean(axis=1)
    return estimate


def _sharing(ours: _Hashes, theirs: _Hashes, *, earlier: bool) -> Iterator[tuple[_Numbers, _Numbers]]:
    """Pairs with the same key, up to `_LOOKED_AT` for each of ours, spread over the bucket."""
    order = np.argsort(theirs, kind="stable")
    bucket = theirs[order]
    first = np.searchsorted(bucket, ours, "left")
    if earlier:  # in its own bucket: those that stand before it
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        count = rank - first
    else:
        count = np.searchsorted(bucket, ours, "right") - first
    for place in range(_LOOKED_AT):
        mine = np.flatnonzero(count > place)
        if not len(mine):
            return
        # few: each of them; many: spread evenly
        offset = np.where(count[mine] <= _LOOKED_AT, place, place * count[mine] // _LOOKED_AT)
        yield mine, order[first[mine] + offset]


def _blocks(texts: Iterable[str]) -> Iterator[tuple[_Hashes, _Numbers]]:
    """Hashes of the shingles of many texts, and where those of each end (with a 0 before)."""
    stream = iter(texts)
    waiting: list[str] = []
    size = 0
    while some := list(islice(stream, 1000)):
        for text in some:
            plain = _plain(text)
            waiting.append(plain)
            size += len(plain)
            if size >= _BLOCK:
                yield _hashed(waiting)
                waiting, size = [], 0
    if waiting:
        yield _hashed(waiting)


def _plain(text: str) -> str:
    """A text without case and punctuation; never shorter than a shingle."""
    words = _BLANKS.sub(" ", text.casefold()).strip()
    return f" {words or text} ".ljust(SHINGLE)


def _hashed(texts: Sequence[str]) -> tuple[_Hashes, _Numbers]:
    points: NDArray[Any] = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    counts = lengths - SHINGLE + 1
    rolling = np.zeros(len(points) - SHINGLE + 1, dtype=np.uint64)
    for place in range(SHINGLE):
        rolling = rolling * np.uint64(1_000_003) + points[place : len(points) - SHINGLE + 1 + place]
    # a shingle must not reach into the next text
    inside = np.ones(len(points), dtype=bool)
    ends = np.cumsum(lengths)
    for place in range(1, SHINGLE):
        inside[ends - place] = False
    hashes = _mixed(rolling[inside[: len(rolling)]])
    return hashes, np.concatenate([[0], np.cumsum(counts)])


def _mixed(values: _Hashes) -> _Hashes:
    """Bits spread over the whole number (the finalizer of splitmix64; Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
