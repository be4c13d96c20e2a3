"""The examples of a run as features: taken from the cache, or encoded chunk by chunk and kept there."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.data.growing import FeatureColumns, InMemory
from nbtune.data.packing import PackedExamples, pack
from nbtune.events import Event, Noted, Preparing
from nbtune.running.cache import Damaged, FeatureCache
from nbtune.running.cachedir import feature_cache
from nbtune.running.features_key import features_key
from nbtune.running.plan import Plan
from nbtune.tasks.head import Head
from nbtune.values import Example

CHUNK = 1000
"""Examples encoded between two looks at `control`. What fits into one is encoded as fast as it could be looked up."""


def encode(plan: Plan, head: Head, examples: Sequence[Example]) -> Generator[Event, None, FeatureSet]:
    """The features to learn from. The cache may fail in any way: then they are encoded without it, and that is said.

    Raises:
        Stop: `control` was told to stop.
        PluginError: the head's features are not what the contract says.
    """
    packed = pack(examples)
    cache = key = None
    if plan.spec.cache and len(packed) > CHUNK:
        key = features_key(plan, head, packed)
    if key is not None:
        try:
            cache = feature_cache()
            if cache is not None:
                return (yield from _through(cache, key, plan.control, head, packed))
        except OSError as error:
            yield _note(f"the encoded texts are not kept for later runs: {_reason(error)}")
    columns = FeatureColumns(InMemory)
    yield from _encode(plan.control, head, packed, columns)
    return FeatureSet.joined(columns)


def _through(
    cache: FeatureCache, key: str, control: Control, head: Head, examples: PackedExamples
) -> Generator[Event, None, FeatureSet]:
    try:
        found = cache.find(key)
    except Damaged as error:
        yield _note(f"encoded texts kept by an earlier run are not used, but encoded again: {error}")
        cache.discard(key)
        found = None
    if found is not None:
        yield Preparing(stage="encoding", done=len(examples), total=len(examples))
        return found
    writing = cache.writing(key)
    try:
        yield from _encode(control, head, examples, writing.columns)
        return writing.keep()
    except BaseException:
        writing.abandon()
        raise


def _encode(
    control: Control, head: Head, examples: PackedExamples, columns: FeatureColumns[Any]
) -> Generator[Event, None, None]:
    for start in range(0, len(examples), CHUNK):
        control.heed()
        columns.add(head.encode(examples[start : start + CHUNK], training=True))
        yield Preparing(stage="encoding", done=min(start + CHUNK, len(examples)), total=len(examples))


def _note(message: str) -> Noted:
    return Noted(step=0, severity="note", message=message)


def _reason(error: OSError) -> str:
    place = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{place}"
