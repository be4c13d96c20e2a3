"""A run that is killed goes on as if nothing had been: the same weights, bit for bit, and the same story."""

from __future__ import annotations

import importlib.util
import random
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import nbtune
from nbtune.events import Noted, Saved, Started, Stepped
from nbtune.running.folder import MARKER, runs_dir

_WHERE = importlib.util.spec_from_file_location("victims", Path(__file__).with_name("victims.py"))
assert _WHERE is not None
assert _WHERE.loader is not None
victims = importlib.util.module_from_spec(_WHERE)
_WHERE.loader.exec_module(victims)

ROWS = [{"text": f"{word} {thing}", "label": word} for word in ("good", "bad") for thing in "abcdefghijklmnop"]
LIKES = [
    {
        "user": f"u{user}",
        "item": f"i{item}",
        "text": f"about {'cats' if item % 2 else 'dogs'} {item}",
        "time": user + item,
    }
    for user in range(16)
    for item in range(user % 2, 16, 2)
    if (user + item) % 5
]
DATA: dict[str, Any] = {"classification": ROWS, "ner": "sample:ner", "recommendation": LIKES}
SETTINGS: dict[str, Any] = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "evaluate_every": 5}
TIMES = {"seconds", "time", "run"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def process(runs: Path) -> Iterator[Any]:
    served = victims.Victims(runs)
    yield served
    served.close()


@pytest.fixture(autouse=True)
def _in_force(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBTUNE_RUNS_DIR", str(runs))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def story(run: nbtune.Run, *left_out: type) -> list[dict[str, Any]]:
    """What a run told, without times and names."""
    return [
        {"event": type(event).__name__, **{k: v for k, v in asdict(event).items() if k not in TIMES}}
        for event in run.events()
        if not isinstance(event, left_out)
    ]


def survive(process: Any, name: str, kill: dict[str, int], **settings: Any) -> nbtune.Run:
    """Kill a training as told, then go on with it until it has finished."""
    assert process.train(kill, name=name, **settings)["ended"] == signal.SIGKILL
    begun = (runs_dir() / name / MARKER).is_file()
    status = nbtune.load(name).status if begun else ""
    assert status in ("", "unfinished", "finished")  # its lock has died with it
    if status == "finished":
        return nbtune.load(name)
    again = {"resume": name} if begun else {"name": name, **settings}  # before that, there was no run to resume
    assert process.train(**again)["ended"] == 0
    return nbtune.load(name)


@pytest.fixture(scope="module")
def whole(process: Any, runs: Path, tiny_model: str) -> tuple[dict[str, int], dict[str, Any], Path]:
    """A run that is left alone: what it counted, its settings, its folder."""
    settings = {"task": "classification", "data": ROWS, "model": tiny_model, "checkpoint_every": 2, **SETTINGS}
    counted = process.train(name="whole", **settings)
    assert counted["ended"] == 0
    return counted, settings, runs / "whole"


@pytest.mark.parametrize("kind", ["event", "disk"])
def test_killed_at_any_event_or_write_the_weights_are_the_same_bit_for_bit(
    kind: str, process: Any, whole: tuple[dict[str, int], dict[str, Any], Path]
) -> None:
    counted, settings, folder = whole
    # from before there is a run until while its report is written
    luck, share = random.Random(kind), counted[kind] / 6
    places = [luck.randint(round(part * share) + 1, round((part + 1) * share)) for part in range(6)]
    expected, told = files(folder / "model"), story(nbtune.load("whole"), Started, Noted)
    for place in places:
        run = survive(process, f"{kind}-{place}", {kind: place}, **settings)
        assert run.status == "finished"
        assert files(run.model_path) == expected, f"killed at {kind} {place}"
        assert story(run, Started, Noted) == told, f"killed at {kind} {place}"
        assert (run.folder / "report.json").read_text().replace(run.name, "whole") == (
            folder / "report.json"
        ).read_text()
        assert not [path for path in run.folder.rglob(".*") if path.name != ".gitignore"]


def test_killed_again_and_again_it_still_arrives(
    process: Any, whole: tuple[dict[str, int], dict[str, Any], Path]
) -> None:
    _, settings, folder = whole
    assert process.train({"event": 14}, name="often", **settings)["ended"] == signal.SIGKILL
    for place in (6, 9, 12):
        assert process.train({"disk": place}, resume="often")["ended"] == signal.SIGKILL
    assert process.train(resume="often")["ended"] == 0
    run = nbtune.load("often")
    assert files(run.model_path) == files(folder / "model")
    assert [event.step for event in run.events() if isinstance(event, Stepped)] == list(range(1, 17))


def test_killed_before_the_first_checkpoint_it_starts_again_and_says_so(process: Any, tiny_model: str) -> None:
    settings = {"task": "classification", "data": ROWS, "model": tiny_model, **SETTINGS}
    assert process.train(name="timed", **settings)["ended"] == 0
    run = survive(process, "early", {"event": 12}, **settings)
    assert files(run.model_path) == files(nbtune.load("timed").model_path)
    assert any(
        "training starts at the beginning" in event.message for event in run.events() if isinstance(event, Noted)
    )


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("classification", {"lora": 4}),
        ("classification", {"freeze": 1, "optimizer": "sgd", "schedule": "cosine", "accumulate": 2}),
        ("ner", {"patience": 1, "evaluate_every": 2, "learning_rate": 0.3, "checkpoint_every": 2}),
        ("recommendation", {"epochs": 1, "evaluate_every": "epoch"}),
        ("recommendation", {"head": "cross", "epochs": 1, "evaluate_every": "epoch"}),
    ],
    ids=str,
)
def test_every_way_of_training_goes_on(process: Any, tiny_model: str, task: str, settings: dict[str, Any]) -> None:
    name = f"{task}-{'-'.join(settings)}"
    everything = {"task": task, "data": DATA[task], "model": tiny_model, **SETTINGS, "checkpoint_every": 3, **settings}
    counted = process.train(name=name, **everything)
    assert counted["ended"] == 0
    saved = [event for event in nbtune.load(name).events() if isinstance(event, (Saved, Stepped))]
    assert sum(isinstance(event, Saved) for event in saved) > 1
    assert ("patience" in settings) == ("no better" in story(nbtune.load(name))[-1]["reason"])
    run = survive(process, f"{name}-killed", {"disk": round(counted["disk"] * 0.6)}, **everything)
    assert files(run.model_path) == files(nbtune.load(name).model_path)
    assert story(run, Started, Noted) == story(nbtune.load(name), Started, Noted)


def test_two_processes_tell_the_same_whatever_the_order_of_their_sets(
    whole: tuple[dict[str, int], dict[str, Any], Path], runs: Path
) -> None:
    """Python hashes texts otherwise in each process, so that a loop over a set has another order."""
    _, settings, folder = whole
    other = victims.Victims(runs, hash_seed="12345")
    assert other.train(name="other-hashes", **settings)["ended"] == 0
    other.close()
    run = nbtune.load("other-hashes")
    assert files(run.model_path) == files(folder / "model")
    assert story(run) == story(nbtune.load("whole"))
