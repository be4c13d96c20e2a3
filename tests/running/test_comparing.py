"""Runs are compared on the same examples, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import nbtune
from nbtune.errors import DataError, RunError, SpecError
from nbtune.evaluation.comparison import Contender, make_comparison
from nbtune.evaluation.paired import Counted, randomisation_test
from nbtune.tasks.metrics import Metric, MetricSet, WholeMetric, mean
from nbtune.values import Example

STARTS, ENDS = ("a", "the", "what a", "such a", "one more"), ("meal", "day", "film", "guide", "song", "<b>trip</b>")
WORDS = {"praise": ["good", "lovely", "superb", "kind"], "blame": ["bad", "awful", "rude", "dull"]}
DATA = pd.DataFrame(
    [
        {"text": f"{start} {word} {end}", "label": label}
        for label, words in WORDS.items()
        for word, start, end in product(words, STARTS, ENDS)
    ]
).sample(frac=1, random_state=0, ignore_index=True)
TRAIN, TEST = DATA.iloc[:140], DATA.iloc[140:]


@pytest.fixture(scope="module", autouse=True)
def runs(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`weak` and `strong` with the same test part, `other` with another, `numbers` of another task."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        given = {"model": tiny_model, "watchers": [], "max_length": 16}
        for name, epochs, test in (("weak", 1, TEST), ("strong", 8, TEST), ("other", 1, TEST.iloc[1:])):
            rate = {"epochs": epochs, "learning_rate": 3e-3 if name == "strong" else 1e-5}
            nbtune.finetune("classification", data=TRAIN, test=test, name=name, **given, **rate)
        moods = TRAIN.assign(label=TRAIN["label"].map({"praise": "positive", "blame": "negative"}))
        nbtune.finetune("sentiment", data=moods, name="moods", epochs=1, **given)
        yield


def test_the_better_run_is_named_with_its_interval_and_an_exact_kind_of_test() -> None:
    found = nbtune.compare(["weak", "strong"])
    (pair,) = found.pairs
    assert (pair.first, pair.second) == ("weak", "strong")
    assert pair.difference.low <= pair.difference.value <= pair.difference.high < 0
    assert pair.p == pair.adjusted < 0.01
    (sentence,) = found.verdicts()
    low, high = -pair.difference.high, -pair.difference.low  # as the sentence has it: what the better one gains
    assert sentence.startswith(f"strong is better than weak by {-pair.difference.value:.3f} macro_f1")
    assert f"(95% interval {low:+.3f} to {high:+.3f}, p " in sentence
    scores = {name: nbtune.load(name).evaluate().metrics["macro_f1"].value for name in ("weak", "strong")}
    assert {run: own["macro_f1"].value for run, own in found.scores.items()} == pytest.approx(scores)


def test_examples_that_flipped_are_those_the_runs_answer_differently() -> None:
    found = nbtune.compare(["weak", "strong"])
    answers = {name: nbtune.load(name).predict(TEST)["prediction"].to_numpy() for name in ("weak", "strong")}
    differ = answers["weak"] != answers["strong"]
    flips = found.flips("weak", "strong")
    assert sorted(flips["text"]) == sorted(TEST["text"][differ])
    right = flips["answer of strong"] == flips["gold"]
    assert (flips["better"] == np.where(right, "strong", "weak")).all()


def test_settings_that_differ_and_no_others_are_told() -> None:
    assert set(nbtune.compare(["weak", "strong"]).settings.index) == {"epochs", "learning_rate"}


def test_p_values_of_many_pairs_are_corrected() -> None:
    found = nbtune.compare(["weak", "strong", "other"], data=TEST)
    assert len(found.pairs) == 3
    assert all(pair.adjusted >= pair.p for pair in found.pairs)
    assert max(pair.adjusted - pair.p for pair in found.pairs) > 0
    assert list(found.to_frame()["first"]) == ["weak", "weak", "strong"]


def test_runs_tested_on_other_data_are_refused_and_it_is_said_which() -> None:
    with pytest.raises(RunError) as caught:
        nbtune.compare(["weak", "other"])
    assert f"weak on {len(TEST):,} test examples; other on {len(TEST) - 1:,} test examples" in caught.value.message
    assert "data=" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["weak"], "two runs"),
        (["weak", "weak"], "'weak' is there twice"),
        (["weak", "moods"], "moods learns sentiment"),
    ],
)
def test_odd_company_is_refused(names: list[str], words: str) -> None:
    with pytest.raises((SpecError, RunError), match=words):
        nbtune.compare(names)


def test_having_learned_from_the_examples_is_said() -> None:
    found = nbtune.compare(["weak", "strong"], data=DATA)
    assert any(note.startswith("strong has learned from") for note in found.notes)
    (note,) = nbtune.compare(["weak", "strong"]).notes
    assert note.startswith("one seed of weak and strong")


def test_progress_counts_over_all_runs() -> None:
    seen: list[tuple[int, int]] = []
    nbtune.compare(["weak", "strong"], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2 * len(TEST), 2 * len(TEST))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_is_drawn_is_escaped_and_says_the_same_in_every_form() -> None:
    bundle = nbtune.compare(["weak", "strong"])._repr_mimebundle_()
    assert "<b>trip" not in bundle["text/html"]
    assert "strong is better than weak" in bundle["text/html"]
    assert "strong is better than weak" in bundle["text/markdown"]
    assert "strong is better than weak" in bundle["text/plain"]
    assert "examples that strong answers better than weak" in bundle["text/html"]


def test_it_is_plain_values_for_files() -> None:
    found = nbtune.compare(["weak", "strong"])
    content = found.to_dict()
    assert content["examples"] == len(TEST)
    assert content["pairs"][0]["p"] == found.pairs[0].p
    assert nbtune.compare(["weak", "strong"]).to_json() == found.to_json()


def test_accuracy_is_tested_as_mcnemar_tests_it() -> None:
    """The randomisation test on right and wrong answers, against the binomial distribution of the flips."""
    answers = {name: nbtune.load(name).predict(TEST)["prediction"].to_numpy() for name in ("weak", "strong")}
    weak, strong = ((answers[name] == TEST["label"].to_numpy()) for name in ("weak", "strong"))
    accuracy = Metric("accuracy", mean(0, 1))
    one, other = (
        Counted(accuracy, np.stack([right.astype(float), np.ones(len(right))], axis=1)) for right in (weak, strong)
    )
    better, worse = int((strong & ~weak).sum()), int((weak & ~strong).sum())
    expected = stats.binomtest(better, better + worse, 0.5).pvalue
    assert randomisation_test(one, other) == pytest.approx(expected, abs=0.005)


def test_runs_of_one_name_in_two_folders_are_refused(tmp_path: Path) -> None:
    shutil.copytree(nbtune.load("weak").folder, tmp_path / "weak")
    with pytest.raises(SpecError, match="'weak' is there twice") as caught:
        nbtune.compare(["weak", tmp_path / "weak"])
    assert "rename" in str(caught.value.hint)


def test_data_without_gold_answers_is_refused() -> None:
    with pytest.raises(DataError, match="label"):
        nbtune.compare(["weak", "strong"], data=TEST[["text"]])


def test_runs_that_take_other_answers_for_right_are_refused(tiny_model: str) -> None:
    data = TEST.assign(other=TEST["label"].to_numpy()[::-1])
    named = {"text": "text", "label": "other"}
    train = data.rename(columns={"label": "kept"})
    nbtune.finetune(
        "classification", data=train, columns=named, model=tiny_model, name="swapped", epochs=1, watchers=[]
    )
    with pytest.raises(RunError, match="swapped and weak take other answers"):
        nbtune.compare(["weak", "swapped"], data=data)


def contender(name: str, *metrics: Metric | WholeMetric) -> Contender:
    counted = MetricSet(
        ("right", "count"), lambda example, answer: (example.target == answer, 1), metrics, metrics[0].name
    )
    return Contender(name=name, metrics=counted, predictions=["a"], answers=[{"prediction": "a"}])


def test_scores_that_cannot_be_paired_are_refused() -> None:
    accuracy, area = Metric("accuracy", mean(0, 1)), WholeMetric("area", lambda *_: 0.5)
    examples = [Example({"text": "x"}, "a")]
    with pytest.raises(RunError, match="first accuracy, second area"):
        make_comparison("t", "d", examples, [contender("first", accuracy), contender("second", area)])
    with pytest.raises(RunError, match="area is one number for all examples"):
        make_comparison("t", "d", examples, [contender("first", area), contender("second", area)])


@pytest.mark.parametrize("task", ["ner", "recommendation", "sentiment"])
def test_every_task_can_be_compared_on_its_sample(task: str, tiny_model: str) -> None:
    for seed in (0, 1):
        nbtune.finetune(
            task,
            data=f"sample:{task}",
            model=tiny_model,
            name=f"{task}{seed}",
            epochs=1,
            seed=seed,
            max_length=32,
            learning_rate=1e-2 if seed else 1e-5,
            watchers=[],
        )
    names = [f"{task}0", f"{task}1"]
    found = nbtune.compare(names, data=f"sample:{task}" if task == "ner" else None)
    (pair,) = found.pairs
    assert 0 < pair.p <= 1
    flips = found.flips(*names)
    assert len(flips)
    assert (flips[f"answer of {names[0]}"] != flips[f"answer of {names[1]}"]).any()
    assert "settings that differ" in repr(found)
