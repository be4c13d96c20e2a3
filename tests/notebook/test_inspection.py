"""`%nbtune inspect`: a look at the data before training."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nbtune.errors import DataError, SpecError
from nbtune.notebook.inspection import inspect


@pytest.fixture
def tickets() -> pd.DataFrame:
    rows = [{"Body": f"ticket number {n} is open", "queue": "a" if n % 4 else "b"} for n in range(40)]
    rows[5]["Body"] = "word " * 200
    rows[7]["Body"] = ""
    rows[9]["Body"] = "<script>alert(1)</script> & more"
    return pd.DataFrame(rows)


def test_columns_labels_lengths_and_problems_are_shown(tickets: pd.DataFrame, tiny_model: str) -> None:
    found = inspect(
        "classification",
        "tickets",
        namespace={"tickets": tickets},
        model=tiny_model,
        columns={"text": "Body", "label": "queue"},
    )
    assert list(found.labels) == ["a", "b"]
    (lengths,) = found.lengths
    assert lengths.field == "text"
    assert lengths.percentiles[-1] == 202  # 200 words and the two special tokens
    assert 0 < lengths.cut[128] < 0.1
    bundle = found._repr_mimebundle_()
    for form in bundle.values():
        for words in ("tickets", "Body", "queue", "train", "validation", "over 128"):
            assert words in form
    assert "empty" in bundle["text/plain"]  # the row without text is reported, not fatal
    assert "<script>" not in bundle["text/html"]


def test_given_parts_and_task_settings_are_used(tickets: pd.DataFrame, tiny_model: str) -> None:
    found = inspect(
        "classification",
        tickets,
        test=tickets[20:],
        model=tiny_model,
        columns={"text": "Body", "label": "queue"},
        validation_fraction=0.5,
    )
    assert set(found.prepared.parts) == {"train", "validation", "test"}
    assert len(found.prepared.parts["test"]) == 20


def test_what_finetune_would_refuse_is_refused(tickets: pd.DataFrame, tiny_model: str) -> None:
    with pytest.raises(SpecError, match="did you mean"):
        inspect("classification", tickets, model=tiny_model, max_lenght=3)
    with pytest.raises(DataError):
        inspect("classification", tickets, model=tiny_model, columns={"text": "bodyy"})


def test_lengths_are_those_of_texts_not_of_names() -> None:
    found = inspect("recommendation", "sample:recommendation", estimates=False)
    assert [lengths.field for lengths in found.lengths] == ["text"]


def test_findings_are_a_table_with_remedies_and_rows(tickets: pd.DataFrame, tiny_model: str) -> None:
    twice = pd.concat([tickets, tickets[10:12]], ignore_index=True)
    found = inspect("classification", twice, model=tiny_model, columns={"text": "Body", "label": "queue"})
    frame = found.to_frame()
    assert list(frame.columns) == ["severity", "message", "remedy", "fix", "count", "rows"]
    assert len(frame) == len(found.findings)
    (repeats,) = frame[frame["fix"] == "drop_duplicates"].to_dict("records")
    assert repeats["rows"] == (40, 41)
    assert 'fix = ["drop_duplicates"]' in repeats["remedy"]
    order = {"error": 0, "warning": 1, "note": 2}
    assert list(frame["severity"]) == sorted(frame["severity"], key=order.__getitem__)
    assert any("training examples: how good a model gets hangs on chance" in message for message in frame["message"])


def test_what_would_stop_a_training_is_shown_and_not_raised(tickets: pd.DataFrame, tiny_model: str) -> None:
    one_kind = tickets.assign(queue="a")
    found = inspect("classification", one_kind, model=tiny_model, columns={"text": "Body", "label": "queue"})
    assert found.findings[0].severity == "error"
    assert found.findings[0].message.startswith("the training data has only one label, 'a'")
    assert found.estimates is None
    assert "time and memory were not estimated" in found._repr_mimebundle_()["text/html"]


def test_a_training_is_estimated_and_leaves_nothing_behind(
    tickets: pd.DataFrame, tiny_model: str, runs_dir: Path
) -> None:
    import torch

    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    given = {"model": tiny_model, "columns": {"text": "Body", "label": "queue"}, "epochs": 4, "batch_size": 4}
    found = inspect("classification", tickets, **given)
    assert torch.equal(torch.rand(3), expected)  # what other cells draw is as if nothing had been trained
    taken = found.estimates
    assert taken is not None
    assert taken.steps == 9 * 4
    assert taken.seconds == pytest.approx(sum(taken.stages.values()))
    assert all(seconds >= 0 for seconds in taken.stages.values())
    assert taken.stages["training"] > 0
    assert not runs_dir.exists()
    for form in found._repr_mimebundle_().values():
        assert "a training would take" in form
        assert "36 steps" in form


def test_nasty_texts_labels_and_names_are_shown_harmlessly(tiny_model: str) -> None:
    nasty = ["<script>alert(1)</script>", "\x1b[2Jgone\x07", "\u202egnp.exe", "| a | b |\n**c**", "x" * 200_000]
    rows = [
        {"te<b>xt": f"{nasty[n % 5]} {n}", "label": f"<i>l{n % 2}</i>\x1b[1m", "user": f"<u>{n % 3}"} for n in range(30)
    ]
    found = inspect(
        "classification",
        pd.DataFrame(rows),
        test=pd.DataFrame(rows[:6]),
        model=tiny_model,
        columns={"text": "te<b>xt", "label": "label"},
        estimates=False,
    )
    assert {"warning", "note"} <= {each.severity for each in found.findings}
    bundle = found._repr_mimebundle_()
    for raw in ("<script>", "<i>l", "<u>", "te<b>xt"):
        assert raw not in bundle["text/html"]
    for form in bundle.values():
        assert "\x1b" not in form
        assert "\u202e" not in form
        assert len(form) < 100_000
