"""Rows worth labelling: the least sure, each once, none that is labelled, and different ones where asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import nbtune
from nbtune.errors import SpecError

TEXTS = [f"{word} {thing}" for word in ("good", "bad") for thing in ("film", "book", "play", "song", "meal", "day")]
DATA = pd.DataFrame({"text": TEXTS * 4, "label": (["praise"] * 6 + ["blame"] * 6) * 4})
POOL = pd.DataFrame(
    {"text": [f"a good bad {n} {'word ' * (n % 5)}" for n in range(60)], "source": "forum"}, index=range(1000, 1060)
)


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(scope="module")
def run(tiny_model: str) -> nbtune.Run:
    return nbtune.finetune(
        "classification", data=DATA, model=tiny_model, epochs=3, learning_rate=3e-3, watchers=[], max_length=16
    )


def test_rows_of_the_pool_come_back_with_how_unsure_they_are_the_least_sure_first(run: nbtune.Run) -> None:
    chosen = run.uncertain(POOL, 10, diverse=False)
    assert list(chosen.columns) == ["text", "source", "uncertainty"]
    pd.testing.assert_frame_equal(chosen[["text", "source"]], POOL.loc[chosen.index])
    sure = run.predict(POOL)["probability"]  # of two labels: the margin is 2 p - 1
    np.testing.assert_allclose(chosen["uncertainty"], (2 - 2 * sure).loc[chosen.index], atol=1e-6)
    assert set(chosen["uncertainty"].round(6)) == set((2 - 2 * sure).nlargest(10).round(6))
    assert chosen["uncertainty"].is_monotonic_decreasing


def test_measures_and_texts_given_as_a_list(run: nbtune.Run) -> None:
    chosen = run.uncertain(POOL["text"].tolist(), 4, by="entropy", diverse=False)
    assert list(chosen.columns) == ["row", "text", "uncertainty"]
    assert chosen["text"].tolist() == [POOL["text"].iloc[row] for row in chosen["row"]]


def test_what_is_labelled_already_is_not_chosen_and_copies_once(run: nbtune.Run) -> None:
    pool = pd.DataFrame({"text": [*TEXTS, " GOOD film", "something new", "Something new", "quite other"]})
    chosen = run.uncertain(pool, 10)
    assert sorted(chosen["text"].str.casefold()) == ["quite other", "something new"]


def test_different_rows_are_chosen_out_of_the_least_sure(run: nbtune.Run) -> None:
    texts = [f"bad {'good ' * 3}{n}" for n in range(10)] + [f"song book play meal {n}" for n in range(10)]
    pool = pd.DataFrame({"text": texts})
    chosen = run.uncertain(pool, 2)
    assert {row // 10 for row in chosen.index} == {0, 1}
    pd.testing.assert_frame_equal(chosen, run.uncertain(pool, 2))


def test_vectors_are_the_mean_of_the_states_that_transformers_gives(run: nbtune.Run) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from nbtune.running.embedding import embed
    from nbtune.running.opened import model
    from nbtune.values import Example

    texts = ["good", "a very bad film", *TEXTS]
    opened = model(run.folder, run.spec, None, trust_remote_code=False)
    vectors = embed(opened, [Example({"text": text}) for text in texts])
    tokenizer = AutoTokenizer.from_pretrained(run.model_path)
    encoder = AutoModelForSequenceClassification.from_pretrained(run.model_path).base_model.eval()
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = encoder(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    np.testing.assert_allclose(vectors, ((states * mask).sum(1) / mask.sum(1)).numpy(), atol=1e-5)


def test_texts_with_entities_are_measured_by_their_words(tiny_model: str) -> None:
    words = pd.DataFrame(
        {"tokens": [["Ann", "saw", "Rome", str(n)] for n in range(40)], "tags": [["B-PER", "O", "B-LOC", "O"]] * 40}
    )
    ner = nbtune.finetune("ner", data=words, model=tiny_model, epochs=1, watchers=[], max_length=16)
    pool = ["Bob saw Paris", " ".join(["far and wide"] * 30), "x"]  # the second is longer than a window
    for over in ("worst", "mean"):
        chosen = ner.uncertain(pool, 3, over=over)  # type: ignore[arg-type]
        assert chosen["uncertainty"].between(0, 1).all()
    assert len(ner.uncertain(pool, 1)) == 1


def test_what_cannot_be_measured_is_refused(run: nbtune.Run) -> None:
    with pytest.raises(SpecError, match="by = 'margins'") as caught:
        run.uncertain(POOL, 3, by="margins")  # type: ignore[arg-type]
    assert "did you mean 'margin'?" in caught.value.hint
    with pytest.raises(SpecError, match="k = 0 chooses nothing"):
        run.uncertain(POOL, 0)
