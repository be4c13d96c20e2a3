"""`%nbtune inspect`: a look at the data before training."""

from __future__ import annotations

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
    found = inspect("recommendation", "sample:recommendation")
    assert [lengths.field for lengths in found.lengths] == ["text"]
