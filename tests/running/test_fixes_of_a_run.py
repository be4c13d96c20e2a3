"""What a run remembers of the fixes that were done to its data."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import nbtune
from nbtune.errors import RunError
from nbtune.events import Prepared
from nbtune.running.folder import RunFolder
from nbtune.running.resuming import kept_data
from nbtune.tasks.registry import registry


def data() -> pd.DataFrame:
    rows = [(f"a {word} thing, number {n}", "ab"[n % 2]) for n, word in enumerate(["good", "bad", "odd", "new"] * 6)]
    return pd.DataFrame([*rows, ("schÃ¶n", "a"), ("twice", "b"), ("twice", "b")], columns=["text", "label"])


def test_fixes_are_in_the_folder_the_events_the_card_and_the_identity(fit: Callable[..., Any]) -> None:
    given = {"data": data(), "epochs": 1, "fix": ["drop_duplicates", "normalise_text"]}
    run = fit("mended", **given)
    content = json.loads((run.folder / "data.json").read_text(encoding="utf-8"))
    assert [(each["fix"], each["part"], each["count"]) for each in content["fixes"]] == [
        ("normalise_text", "train", 1),
        ("drop_duplicates", "train", 1),
    ]
    (prepared,) = [event for event in run.events() if isinstance(event, Prepared)]
    told = [finding["message"] for finding in prepared.findings]
    assert "fix drop_duplicates left out 1 training row (row 26)" in told
    assert "- fix normalise_text changed 1 training row (row 24)" in (run.folder / "README.md").read_text("utf-8")
    assert sum(facts["examples"] for facts in content["parts"].values()) == 26
    again = kept_data(RunFolder(run.folder), registry().task("classification"))
    assert [str(each) for each in again.fixes] == [
        "fix normalise_text changed 1 training row (row 24)",
        "fix drop_duplicates left out 1 training row (row 26)",
    ]


def test_a_run_goes_on_with_its_fixes_and_with_no_others(fit: Callable[..., Any], record: Any) -> None:
    from nbtune.control import Control
    from nbtune.events import Stepped

    control = Control()

    def stop(event: Any) -> None:
        if isinstance(event, Stepped):
            control.stop()

    given = {"data": data(), "epochs": 2, "batch_size": 4}
    run = fit("cut", **given, fix=["drop_duplicates"], control=control, watchers=[record(stop)])
    assert run.status == "stopped"
    with pytest.raises(RunError, match="cannot go on with fix"):
        run.resume(fix=["normalise_text"])
    run.resume(data=data(), fix=["drop_duplicates"])  # the data given is compared as it is after the fixes
    assert run.status == "finished"


def test_scoring_normalises_and_says_so(fit: Callable[..., Any]) -> None:
    run: nbtune.Run = fit("clean", data=data(), epochs=1, fix=["normalise_text", "drop_duplicates"])
    report = run.evaluate(data())
    assert report.examples == 27  # nothing is dropped
    assert any("texts were normalised as in training" in note for note in report.notes)
    assert "schön" in set(report.frame["text"])
