"""Explanations of real runs: tiny models that learned a planted rule must be seen to go by it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nbtune
from nbtune.errors import DataError, RunError, SpecError
from nbtune.evaluation.explanation import Explanation, Explanations

FILLERS = ["the", "house", "we", "saw", "by", "a", "long", "road", "and", "then", "it", "was", "late", "in", "town"]
RULE = {"sunny": ["golden", "bright"], "rainy": ["grey", "damp"]}
"""Without any of these the weather is unknown, so that neither label is what is left when nothing is said."""


def texts(label: str, count: int, seed: int) -> list[str]:
    """Texts of fillers with one word of the label's somewhere in them."""
    draw = random.Random(f"{label} {seed}")
    made = []
    for _ in range(count):
        words = draw.choices(FILLERS, k=draw.randint(6, 10))
        if label in RULE:
            words.insert(draw.randint(0, len(words)), draw.choice(RULE[label]))
        made.append(" ".join(words))
    return made


def decisive(text: str) -> str:
    return next(word for word in text.split() if any(word in own for own in RULE.values()))


ROWS = [{"text": text, "label": label} for label in (*RULE, "unknown") for text in texts(label, 80, 0)]
TESTS = [text for label in RULE for text in texts(label, 10, 1)]
SETTINGS: dict[str, Any] = {"epochs": 8, "learning_rate": 3e-3, "batch_size": 8, "max_length": 32, "watchers": []}
BRIEFLY = {**SETTINGS, "epochs": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(scope="module")
def run(folder: None, tiny_model: str) -> nbtune.Run:
    return nbtune.finetune("classification", data=pd.DataFrame(ROWS), model=tiny_model, name="weather", **SETTINGS)


def explained(run: nbtune.Run, text: Any, target: str | None = None) -> Explanation:
    found = run.explain(text, target=target)
    assert isinstance(found, Explanation)
    return found


def test_the_word_that_decides_comes_first(run: nbtune.Run) -> None:
    found = [explained(run, text) for text in TESTS]
    firsts = [each.top(1)[0].text for each in found]
    assert np.mean([first == decisive(text) for first, text in zip(firsts, TESTS, strict=True)]) >= 0.9
    by_occlusion = [max(each.words, key=lambda word: word.occlusion).text for each in found]
    assert np.mean([word == decisive(text) for word, text in zip(by_occlusion, TESTS, strict=True)]) >= 0.9
    assert np.mean([each.agreement for each in found]) > 0.3


def test_deleting_the_first_words_hurts_more_than_deleting_others(run: nbtune.Run) -> None:
    draw = random.Random(0)
    drops: dict[str, list[float]] = {"first": [], "random": []}
    for text in TESTS:
        found = explained(run, text)
        chosen = {"first": max(found.words, key=lambda word: word.gradients), "random": draw.choice(found.words)}
        for name, word in chosen.items():
            without = text[: word.start] + text[word.end :]
            after = explained(run, without, target=found.target)
            assert found.probability is not None
            assert after.probability is not None
            drops[name].append(found.probability - after.probability)
    assert np.mean(drops["first"]) > np.mean(drops["random"]) + 0.2


def test_the_parts_add_up_to_the_difference_of_the_scores(run: nbtune.Run) -> None:
    for text in TESTS[::5]:
        found = explained(run, text)
        total = sum(word.gradients for word in found.words)
        assert total == pytest.approx(found.score - found.baseline, rel=0.03)
        assert found.completeness < 0.03
        answer = run.predict(text).iloc[0]
        assert (found.target, found.probability) == (answer["prediction"], pytest.approx(answer["probability"]))
        assert found.score == pytest.approx(np.log(answer["probability"] / (1 - answer["probability"])), rel=1e-3)


def test_what_speaks_for_a_label_speaks_against_the_one_it_replaces(run: nbtune.Run) -> None:
    signs = []
    for text in (text for text in TESTS if decisive(text) in RULE["sunny"]):
        found = {label: explained(run, text, target=label) for label in ("sunny", "unknown")}
        assert {each.target for each in found.values()} == set(found)
        for sign, each in zip((1, -1), found.values(), strict=True):
            word = next(word for word in each.words if word.text == decisive(text))
            signs += [sign * word.gradients > 0, sign * word.occlusion > 0]
    assert np.mean(signs) >= 0.9


def test_words_lie_where_they_stand_in_the_text(run: nbtune.Run) -> None:
    text = "  It wasn't GOLDEN,\nthen: naïve façade 日本 \U0001f468\u200d\U0001f469"
    found = explained(run, text)
    assert [text[word.start : word.end] for word in found.words] == [word.text for word in found.words]
    assert [word.text for word in found.words][:4] == ["It", "wasn't", "GOLDEN", ","]
    assert list(found.to_frame()["word"]) == [word.text for word in found.words]


def test_a_label_that_does_not_exist_is_refused(run: nbtune.Run) -> None:
    with pytest.raises(SpecError, match="no label 'suny'") as caught:
        run.explain(TESTS[0], target="suny")
    assert "'sunny'" in caught.value.hint


@pytest.mark.parametrize("text", ["", "   ", None, ["a", "b"]])
def test_what_is_no_text_is_refused(run: nbtune.Run, text: Any) -> None:
    with pytest.raises(DataError):
        run.explain(text)


def test_words_beyond_the_models_reach_are_counted(run: nbtune.Run) -> None:
    found = explained(run, "golden " + "road " * 100)
    assert len(found.words) == 30
    assert "71 words were not read" in " ".join(found.notes)


def test_predicting_in_eight_bits_does_not_change_explanations(run: nbtune.Run) -> None:
    before = explained(run, TESTS[0])
    run.predict(TESTS, precision="int8")
    assert explained(run, TESTS[0]).to_frame().equals(before.to_frame())


def test_adapters_that_were_not_merged_are_explained(folder: None, tiny_model: str) -> None:
    lora = {"rank": 4, "merge": False}
    run = nbtune.finetune(
        "classification", data=pd.DataFrame(ROWS), model=tiny_model, name="lora", lora=lora, **BRIEFLY
    )
    found = explained(run, TESTS[0])
    assert (run.model_path / "adapter_config.json").is_file()
    assert found.completeness < 0.03


def test_a_number_is_explained_in_its_own_unit(folder: None, tiny_model: str) -> None:
    rows = [{"text": row["text"], "stars": 80.5 if row["label"] == "sunny" else 20.0} for row in ROWS]
    run = nbtune.finetune(
        "sentiment", data=pd.DataFrame(rows), model=tiny_model, name="stars", classes="numeric", **BRIEFLY
    )
    found = explained(run, TESTS[0])
    assert found.probability is None
    assert found.score == pytest.approx(run.predict(TESTS[0]).iloc[0]["prediction"], abs=1e-3)
    assert found.completeness < 0.03
    with pytest.raises(SpecError, match="a number"):
        run.explain(TESTS[0], target="positive")


def test_each_label_decided_for_is_explained(folder: None, tiny_model: str) -> None:
    pairs = zip(texts("sunny", 80, 3), texts("rainy", 80, 4), strict=True)
    rows = [{"text": f"{sun} {rain}", "label": "sunny|rainy"} for sun, rain in pairs]
    rows += [{"text": row["text"], "label": row["label"]} for row in ROWS]
    run = nbtune.finetune(
        "classification", data=pd.DataFrame(rows), model=tiny_model, name="multi", multi_label=True, **BRIEFLY
    )
    text = f"{TESTS[0]} {TESTS[-1]}"
    answer = run.predict(text).iloc[0]
    found = run.explain(text)
    assert isinstance(found, Explanations)
    assert [each.target for each in found] == answer["prediction"] != []
    assert len(found.to_frame()) == sum(len(each.words) for each in found)
    for label, probability in answer["probabilities"].items():
        one = explained(run, text, target=label)
        assert (one.target, one.probability) == (label, pytest.approx(probability, abs=1e-4))
        assert one.score == pytest.approx(np.log(probability / (1 - probability)), abs=1e-2)


def test_both_texts_of_a_pair_are_explained(folder: None, tiny_model: str) -> None:
    rows = [
        {"question": random.Random(place).choice(FILLERS), "answer": row["text"], "label": row["label"]}
        for place, row in enumerate(ROWS)
    ]
    columns = {"text": "question", "text_pair": "answer", "label": "label"}
    run = nbtune.finetune(
        "classification", data=pd.DataFrame(rows), model=tiny_model, name="pairs", columns=columns, **BRIEFLY
    )
    found = explained(run, {"question": "we saw", "answer": TESTS[0]})
    assert {word.source for word in found.words} == {"text", "text_pair"}
    texts_of = {"text": "we saw", "text_pair": TESTS[0]}
    assert all(texts_of[word.source][word.start : word.end] == word.text for word in found.words)
    assert [word.text for word in found.words] == f"we saw {TESTS[0]}".split()
    assert found.completeness < 0.03


def test_a_task_that_cannot_be_explained_says_so(folder: None, tiny_model: str) -> None:
    run = nbtune.finetune(
        "recommendation",
        data="sample:recommendation",
        model=tiny_model,
        name="items",
        epochs=1,
        max_length=16,
        watchers=[],
    )
    with pytest.raises(RunError, match="does not explain") as caught:
        run.explain("anything")
    assert "run.recommend" in caught.value.hint
