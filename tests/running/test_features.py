"""Features come from the cache only where they are exactly what encoding would give."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nbtune
from nbtune.control import Control
from nbtune.data.encoding import FeatureSet
from nbtune.data.packing import pack
from nbtune.data.prepare import prepare
from nbtune.errors import SpecError
from nbtune.events import Event, Noted, Preparing, Stepped
from nbtune.running import cache as caching
from nbtune.running import features
from nbtune.running.cache import Damaged, FeatureCache
from nbtune.running.cachedir import cache_dir, clear_cache
from nbtune.running.features_key import features_key
from nbtune.running.folder import RunFolder
from nbtune.running.plan import Plan
from nbtune.running.spec import make_spec
from nbtune.tasks.head import Head, Recipe
from nbtune.tasks.heads import SequenceHead
from nbtune.tasks.pretrained import pretrained
from nbtune.tasks.registry import registry
from nbtune.training.loop import Stop
from nbtune.values import Feature

ROWS = pd.DataFrame([{"text": f"number {n} is {'good' * (n % 3)} and so on", "label": "ab"[n % 2]} for n in range(60)])


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for each test, which small data goes into as well."""
    monkeypatch.setenv("NBTUNE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(features, "CHUNK", 10)
    return tmp_path / "cache" / "features"


@dataclass
class Made:
    """A plan with its head, and what encoding did."""

    plan: Plan
    head: Head

    def run(self) -> tuple[FeatureSet, list[Event]]:
        events: list[Event] = []
        stream = features.encode(self.plan, self.head, self.plan.prepared.parts["train"])
        while True:
            try:
                events.append(next(stream))
            except StopIteration as done:
                return done.value, events

    def notes(self) -> list[str]:
        return [event.message for event in self.run()[1] if isinstance(event, Noted)]

    def key(self) -> str | None:
        return features_key(self.plan, self.head, self.plan.prepared.parts["train"])


def make(
    model: str,
    data: pd.DataFrame = ROWS,
    task: str = "classification",
    max_length: int = 32,
    head: type[SequenceHead] | None = None,
    tamper: Callable[[Any], Any] = lambda _: None,
    **settings: Any,
) -> Made:
    spec, configured = make_spec(registry().task(task), {"model": model, **settings})
    base = pretrained(model)
    tamper(base.tokenizer)
    recipe = Recipe(max_length=max_length, seed=spec.seed, class_weights=spec.class_weights)
    prepared = prepare(configured, data=data, validation=data.head(6), seed=spec.seed)
    plan = Plan(spec, configured, base, recipe, prepared, RunFolder(Path("unused")), Control())
    built = configured.head(base, prepared.inventory, recipe)
    return Made(plan, head(base, prepared.inventory, recipe) if head else built)


def columns(found: FeatureSet) -> dict[str, Any]:
    keys = list(found[0])
    values = {key: [np.asarray(feature[key]) for feature in found] for key in keys}
    return {"owners": found.owners, **values}


def assert_same(one: FeatureSet, other: FeatureSet) -> None:
    first, second = columns(one), columns(other)
    assert first.keys() == second.keys()
    assert len(one) == len(other)
    for key in first:
        for mine, theirs in zip(first[key], second[key], strict=True):
            assert mine.dtype == theirs.dtype
            assert np.array_equal(mine, theirs)
    assert np.array_equal(one.lengths(), other.lengths())


def refuse(*_: Any, **__: Any) -> list[list[Feature]]:
    raise AssertionError("encoded although the features are kept")


def test_a_second_run_finds_the_features_bit_for_bit(tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built, events = make(tiny_model).run()
    assert [event.done for event in events if isinstance(event, Preparing)] == [10, 20, 30, 40, 50, 60]
    monkeypatch.setattr(SequenceHead, "encode", refuse)
    again = make(tiny_model)
    found, events = again.run()
    assert events == [Preparing(stage="encoding", done=60, total=60)]
    monkeypatch.undo()
    uncached, _ = make(tiny_model, cache=False).run()
    assert_same(built, found)
    assert_same(found, uncached)


def test_features_of_words_and_windows_are_kept_too(tiny_model: str) -> None:
    words = [{"tokens": f"word{n} Berlin is far " * 9, "tags": "O B-LOC O O " * 9} for n in range(30)]
    data = pd.DataFrame([{key: cell.split() for key, cell in row.items()} for row in words])

    def ner() -> FeatureSet:
        return make(tiny_model, data, task="ner").run()[0]

    built, found = ner(), ner()
    assert len(built) > 30
    assert_same(built, found)


CHANGES: dict[str, dict[str, Any]] = {
    "a text": {"data": ROWS.assign(text=[*ROWS["text"][:-1], "changed"])},
    "a label": {"data": ROWS.assign(label=["b", *ROWS["label"][1:]])},
    "the order": {"data": ROWS.iloc[::-1].reset_index(drop=True)},
    "the inventory": {"data": ROWS.assign(label=[f"x{label}" for label in ROWS["label"]])},
    "the length": {"max_length": 16},
    "the seed": {"seed": 1},
    "the class weights": {"class_weights": "balanced"},
    "the task's options": {"label_names": {"a": "first", "b": "second"}},
    "a token": {"tamper": lambda tokenizer: tokenizer.add_tokens(["number"])},
    "a special token": {"tamper": lambda tokenizer: setattr(tokenizer, "sep_token", "[MASK]")},
    "the side that is cut": {"tamper": lambda tokenizer: setattr(tokenizer, "truncation_side", "left")},
    "the tokenizer's limit": {"tamper": lambda tokenizer: setattr(tokenizer, "model_max_length", 64)},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_features_changes_the_key(tiny_model: str, change: str) -> None:
    first, again, other = make(tiny_model), make(tiny_model), make(tiny_model, **CHANGES[change])
    assert first.key() is not None
    assert first.key() == again.key()
    assert other.key() not in (None, first.key())


def test_rows_and_groups_are_part_of_the_key(tiny_model: str) -> None:
    made = make(tiny_model)
    examples = list(made.plan.prepared.parts["train"])
    keys = set()
    for changed in (examples, [replace(e, row=e.row + 1) for e in examples], [replace(e, group="g") for e in examples]):
        keys.add(features_key(made.plan, made.head, pack(changed)))
    assert len(keys) == 3


class Answering(SequenceHead):
    """A stranger's head that says what its features depend on."""

    version = 1

    def encode(self, examples: Sequence[Any], *, training: bool) -> list[list[Feature]]:
        return super().encode(examples, training=training)

    def features_key(self) -> Any:
        return {"version": self.version}


class Silent(SequenceHead):
    """One that encodes in its own way and does not say on what that depends."""

    def encode(self, examples: Sequence[Any], *, training: bool) -> list[list[Feature]]:
        return [[{**own[0], "labels": 0}] for own in super().encode(examples, training=training)]


def test_the_head_and_its_answer_are_part_of_the_key(tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, answering = make(tiny_model).key(), make(tiny_model, head=Answering).key()
    monkeypatch.setattr(Answering, "version", 2)
    changed = make(tiny_model, head=Answering).key()
    assert len({plain, answering, changed, None}) == 4


def test_a_head_that_does_not_answer_for_its_own_encoding_is_not_kept(tiny_model: str, own_cache: Path) -> None:
    silent = make(tiny_model, head=Silent)
    assert silent.key() is None
    assert not silent.notes()
    assert not own_cache.exists()


def test_a_plugin_whose_code_changes_has_another_key(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from nbtune.tasks.heads import SequenceHead\nclass Mine(SequenceHead):\n    pass\n"
    file = tmp_path / "nbtune_stranger.py"
    file.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    import nbtune_stranger

    before = make(tiny_model, head=nbtune_stranger.Mine).key()
    file.write_text(source + "# changed\n")
    after = make(tiny_model, head=nbtune_stranger.Mine).key()
    file.unlink()
    assert make(tiny_model, head=nbtune_stranger.Mine).key() is None
    assert None not in (before, after)
    assert before != after


# --- entries that are not whole


def entry_of(folder: Path) -> Path:
    (entry,) = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return entry


def largest(entry: Path) -> Path:
    return max(entry.glob("*.bin"), key=lambda path: path.stat().st_size)


def truncate(entry: Path) -> None:
    file = largest(entry)
    file.write_bytes(file.read_bytes()[:-1])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def reseal(entry: Path, **changes: Any) -> None:
    manifest = entry / "manifest.json"
    content = json.loads(manifest.read_bytes().partition(b"\n")[2])
    manifest.write_bytes(caching._sealed({**content, **changes}))


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut short": (truncate, "bytes instead of"),
    "a flipped bit": (lambda entry: flip(largest(entry)), "holds other bytes"),
    "a flipped bit in the manifest": (lambda entry: flip(entry / "manifest.json"), "manifest was changed"),
    "an empty manifest": (lambda entry: (entry / "manifest.json").write_bytes(b"") and None, "manifest was changed"),
    "no manifest": (lambda entry: (entry / "manifest.json").unlink(), "manifest is missing"),
    "a lost column": (lambda entry: largest(entry).unlink(), "is missing"),
    "an older format": (lambda entry: reseal(entry, format=0), "it has format 0"),
    "numbers of no known type": (
        lambda entry: reseal(entry, owners={"file": "0.bin", "type": "object", "count": 60, "sha256": ""}),
        "is said to hold object",
    ),
    "another manifest": (lambda entry: reseal(entry, values=["0.bin"]), "its manifest is of another kind"),
    "another's features": (lambda entry: reseal(entry, key="0" * 64), "other data or settings"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_an_entry_that_is_not_whole_is_built_again(tiny_model: str, own_cache: Path, kind: str) -> None:
    built, _ = make(tiny_model).run()
    right = {key: [np.array(value) for value in values] for key, values in columns(built).items()}
    damage, reason = DAMAGE[kind]
    damage(entry_of(own_cache))
    found, events = make(tiny_model).run()
    (note,) = [event.message for event in events if isinstance(event, Noted)]
    assert note.startswith("encoded texts kept by an earlier run are not used, but encoded again")
    assert reason in note
    assert events[-1] == Preparing(stage="encoding", done=60, total=60)
    for key, values in columns(found).items():
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(values, right[key], strict=True))
    assert not make(tiny_model).notes()  # and kept again


# --- folders that cannot be written


def test_a_cache_that_cannot_be_made_fails_no_run(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NBTUNE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    found, events = make(tiny_model).run()
    (note,) = [event.message for event in events if isinstance(event, Noted)]
    assert note.startswith("the encoded texts are not kept for later runs: ")
    monkeypatch.setenv("NBTUNE_CACHE_GB", "0")
    unkept, events = make(tiny_model).run()
    assert not [event for event in events if isinstance(event, Noted)]
    assert_same(found, unkept)


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX")
def test_a_disk_that_fills_up_fails_no_run(tiny_model: str, own_cache: Path) -> None:
    made = make(tiny_model)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        found, events = made.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (note,) = [event.message for event in events if isinstance(event, Noted)]
    assert "File too large" in note
    assert list(own_cache.iterdir()) == []
    assert_same(found, make(tiny_model, cache=False).run()[0])


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write everywhere, so it must be somebody else for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_a_read_only_cache_still_serves_and_does_not_grow() -> None:
    with tempfile.TemporaryDirectory() as above:  # tmp_path is root's alone
        os.chmod(above, 0o755)
        cache = FeatureCache(Path(above) / "c", 1e9)
        put(cache, "entry", [1, 2])
        os.chmod(cache.folder, 0o555)
        with unprivileged():
            assert labels(cache.find("entry")) == [1, 2]
            with pytest.raises(PermissionError):
                cache.writing("other")
            assert cache.discard("entry") == 0
        os.chmod(cache.folder, 0o755)
        assert labels(cache.find("entry")) == [1, 2]


def test_a_size_that_is_no_number_is_said(tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBTUNE_CACHE_GB", "five")
    with pytest.raises(SpecError, match="NBTUNE_CACHE_GB is 'five', not a number"):
        make(tiny_model).run()


# --- off, small, stopped


def test_nothing_is_written_where_it_is_switched_off_or_not_worth_it(
    tiny_model: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tiny_model, cache=False).run()
    make(tiny_model, ROWS.head(10)).run()
    monkeypatch.setenv("NBTUNE_CACHE_GB", "0")
    make(tiny_model).run()
    assert not own_cache.exists()


def test_stopping_while_encoding_leaves_nothing_behind(tiny_model: str, own_cache: Path) -> None:
    made = make(tiny_model)
    stream = features.encode(made.plan, made.head, made.plan.prepared.parts["train"])
    assert next(stream) == Preparing(stage="encoding", done=10, total=60)
    made.plan.control.stop()
    with pytest.raises(Stop):
        next(stream)
    assert list(own_cache.iterdir()) == []


def test_an_abandoned_generator_leaves_nothing_behind(tiny_model: str, own_cache: Path) -> None:
    made = make(tiny_model)
    stream = features.encode(made.plan, made.head, made.plan.prepared.parts["train"])
    next(stream)
    stream.close()
    assert list(own_cache.iterdir()) == []


def test_a_run_from_the_cache_learns_exactly_the_same(
    tiny_model: str, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losses(name: str) -> list[float | None]:
        run = nbtune.finetune("classification", data=ROWS, model=tiny_model, name=name, epochs=1, watchers=[])
        assert run.status == "finished"
        return [event.loss for event in run.events() if isinstance(event, Stepped)]

    encode, training = SequenceHead.encode, []

    def watched(head: SequenceHead, examples: Sequence[Any], *, training: bool) -> Any:
        seen.append(training)
        return encode(head, examples, training=training)

    seen: list[bool] = training
    monkeypatch.setattr(SequenceHead, "encode", watched)
    first = losses("first")
    assert True in seen
    seen.clear()
    assert losses("second") == first
    assert True not in seen


# --- the cache itself


def put(cache: FeatureCache, key: str, numbers: Sequence[int]) -> FeatureSet:
    writing = cache.writing(key)
    writing.columns.add([[{"input_ids": [number] * 3, "labels": number}] for number in numbers])
    return writing.keep()


def labels(found: FeatureSet | None) -> list[int]:
    assert found is not None
    return [int(feature["labels"]) for feature in found]


def test_the_entries_used_longest_ago_make_room(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "c", 1e9)
    for age, key in enumerate(("new", "middle", "old")):
        put(cache, key, range(1000))
        os.utime(cache.folder / key / "manifest.json", (1e9 - age, 1e9 - age))
    size = sum(path.stat().st_size for path in (cache.folder / "old").iterdir())
    assert cache.find("old") is not None  # which makes it the one used last
    held = cache.find("middle")
    os.utime(cache.folder / "middle" / "manifest.json", (1e9 - 1, 1e9 - 1))
    small = FeatureCache(cache.folder, 3.5 * size)
    put(small, "newest", range(1000))
    assert sorted(path.name for path in cache.folder.iterdir()) == ["new", "newest", "old"]
    assert labels(held) == list(range(1000))  # who has it open keeps it


def test_an_entry_larger_than_the_cache_serves_its_run_only(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "c", 10)
    assert labels(put(cache, "large", range(1000))) == list(range(1000))
    assert list(cache.folder.iterdir()) == []


def test_what_crashed_processes_left_is_swept_away(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "c", 1e9)
    for name, age in ((".dead.1.ab.tmp", 1e9), (".alive.2.cd.tmp", None)):
        left = cache.folder / name
        left.mkdir(parents=True)
        (left / "0.bin").write_bytes(b"x")
        for path in (left / "0.bin", left) if age else ():
            os.utime(path, (age, age))
    put(cache, "entry", [1])
    assert sorted(path.name for path in cache.folder.iterdir()) == [".alive.2.cd.tmp", "entry"]


def test_the_cache_can_be_emptied(tiny_model: str, own_cache: Path) -> None:
    assert nbtune.clear_cache() == 0
    make(tiny_model).run()
    size = sum(path.stat().st_size for path in entry_of(own_cache).iterdir())
    assert clear_cache() == size
    assert list(own_cache.iterdir()) == []


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("NBTUNE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "nbtune"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "nbtune"


ROUNDS = 12


def _build(folder: str, seed: int, barrier: Any, results: Any) -> None:
    """Look up, build, and now and then damage or discard entries that others use at the same time."""
    random = np.random.default_rng(seed)
    wrong, built, found, removed = 0, 0, 0, 0
    for turn in range(ROUNDS):
        cache, key, expected = FeatureCache(Path(folder), 1e9), f"entry{turn % 3}", [turn % 3] * 500
        barrier.wait()
        try:
            features = cache.find(key)
        except Damaged:
            cache.discard(key)
            features = None
        found += features is not None
        if features is None:
            try:
                features = put(cache, key, expected)
            except OSError:  # another discarded it at once: a run would go on without the cache
                removed += 1
                continue
            built += 1
        wrong += labels(features) != expected
        if random.random() < 0.1:
            cache.discard(key)
        wrong += labels(features) != expected
    results.put((wrong, built, found, removed))


def test_processes_that_build_the_same_entries_at_once_do_not_harm_each_other(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(3), spawn.Queue()
    workers = [spawn.Process(target=_build, args=(str(tmp_path / "c"), seed, barrier, results)) for seed in range(3)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
    wrong, built, kept, removed = (sum(counts) for counts in zip(*found, strict=True))
    assert wrong == 0
    assert built >= 3
    assert kept > 0
    assert removed < built
    assert not list((tmp_path / "c").glob(".*"))
