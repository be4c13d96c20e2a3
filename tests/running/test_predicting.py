"""Predictions from a stream, and in 8 bits, are those of the run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pandas as pd
import pytest

import nbtune
from nbtune.errors import SpecError
from nbtune.running import answering as running

WORDS = {"praise": ["good", "lovely", "superb", "kind"], "blame": ["bad", "awful", "rude", "dull"]}
DATA = pd.DataFrame(
    [
        {"text": f"{start} {word} {end}", "label": label}
        for label, words in WORDS.items()
        for word in words
        for start, end in (("a", "meal"), ("what a", "day"), ("such a", "long film by somebody"), ("the", "guide"))
    ]
)


@pytest.fixture(scope="module")
def run(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[nbtune.Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        yield nbtune.finetune("classification", data=DATA, model=tiny_model, epochs=3, learning_rate=3e-3, watchers=[])


def test_a_stream_gives_what_a_table_gives_in_order(run: nbtune.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STREAMED", 5)
    texts = DATA["text"].sample(frac=1, random_state=0).tolist()
    table = run.predict(texts)
    streamed = list(run.stream(text for text in texts))
    assert [row["prediction"] for row in streamed] == table["prediction"].tolist()
    assert [row["text"] for row in streamed] == texts


def test_a_stream_reads_no_further_than_it_must(run: nbtune.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STREAMED", 4)
    read: list[int] = []

    def endless() -> Iterator[dict[str, str]]:
        while True:
            read.append(len(read))
            yield {"text": f"a good day, number {len(read)}"}

    assert len(list(islice(run.stream(endless()), 6))) == 6
    assert len(read) == 8


def test_eight_bits_answer_nearly_the_same(run: nbtune.Run) -> None:
    exact, rounded = run.predict(DATA), run.predict(DATA, precision="int8")
    assert (exact["prediction"] == rounded["prediction"]).mean() > 0.9
    assert (exact["probability"] - rounded["probability"]).abs().max() < 0.1
    assert not exact["probability"].equals(rounded["probability"])  # it is another arithmetic
    report = run.evaluate(DATA, precision="int8")
    assert report.metrics["accuracy"].value == pytest.approx(run.evaluate(DATA).metrics["accuracy"].value, abs=0.1)


def test_an_unknown_precision_is_refused(run: nbtune.Run) -> None:
    with pytest.raises(SpecError) as caught:
        run.predict("a good day", precision="int4")
    assert "int4" in caught.value.message


def test_progress_counts_every_row_once(run: nbtune.Run) -> None:
    seen: list[tuple[int, int]] = []
    table = run.predict(DATA["text"].tolist(), progress=lambda done, total: seen.append((done, total)))
    assert {total for _, total in seen} == {len(DATA)} == {len(table)}
    counts = [done for done, _ in seen]
    assert counts == sorted(counts)
    assert counts[-1] == len(DATA)
    seen.clear()
    run.evaluate(DATA, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(DATA), len(DATA))
