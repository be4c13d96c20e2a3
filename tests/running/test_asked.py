"""What holds for new data that a run is asked about: the answers that its corrections have for rows of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import nbtune
from nbtune.data.corrections import append, correction
from nbtune.tasks.registry import registry
from nbtune.values import Example

TRAIN = pd.DataFrame(
    [(f"a {word} {thing}", label)
     for label, words in {"praise": ("good", "lovely"), "blame": ("bad", "awful")}.items()
     for word in words for thing in ("meal", "day", "film", "guide", "room")],
    columns=["text", "label"],
)  # fmt: skip
ASKED = pd.DataFrame({"text": ["a good meal", "a new thing", "a bad day"], "label": ["blame", "blame", "blame"]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Corrections of two rows: one slipped in the data that is asked about, one is in the training data alone."""
    found = tmp_path / "corrections.jsonl"
    task = registry().task("classification")
    slips = (("a good meal", "blame", "praise"), ("an old song", "praise", "blame"))
    append(found, [correction(task, Example({"text": t}, old), new, who="", why="a slip") for t, old, new in slips])
    return found


def gold(report: nbtune.Report) -> list[str]:
    assert report.frame is not None
    return report.frame["gold"].tolist()


def test_corrections_of_a_run_hold_for_data_that_is_given(fit: Callable[..., nbtune.Run], path: Path) -> None:
    run = fit(data=TRAIN, epochs=1, corrections=str(path))
    report = run.evaluate(ASKED)
    assert gold(report) == ["praise", "blame", "blame"]
    assert "the answers of 1 row are those of corrections.jsonl, the run's corrections" in report.notes
    assert ASKED["label"].tolist() == ["blame"] * 3
    others = run.evaluate(ASKED.iloc[1:])
    assert gold(others) == ["blame", "blame"]
    assert not any("corrections" in note for note in others.notes)
    path.unlink()
    alone = run.evaluate(ASKED)
    assert gold(alone) == ["blame"] * 3
    assert any("corrections.jsonl) are not there" in note for note in alone.notes)


def test_runs_are_compared_on_the_same_answers_whatever_their_corrections(
    fit: Callable[..., nbtune.Run], path: Path
) -> None:
    plain = fit("plain", data=TRAIN, epochs=1)
    first, second = (
        fit(name, data=TRAIN, epochs=1, seed=seed, corrections=str(path)) for seed, name in ((1, "b"), (2, "c"))
    )
    mixed = nbtune.compare([plain, first], data=ASKED)
    assert any("different files of corrections" in note for note in mixed.notes)
    alike = nbtune.compare([first, second], data=ASKED)
    assert any("the answers of 1 row are those of" in note for note in alike.notes)
    assert not any("different files" in note for note in alike.notes)
    assert mixed.examples["gold"].tolist() == ["blame"] * 3
    assert alike.examples["gold"].tolist() == ["praise", "blame", "blame"]
