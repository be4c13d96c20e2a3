"""What a report says of a run beyond its scores."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import nbtune
from nbtune.drawing import Picture
from nbtune.errors import RunError, SpecError
from nbtune.evaluation.report import Report

STARTS, ENDS = ("a", "the", "what a", "such a", "one more"), ("meal", "day", "film", "guide", "song", "trip")
WORDS = {"praise": ["good", "lovely", "superb", "kind"], "blame": ["bad", "awful", "rude", "dull"]}
DATA = pd.DataFrame(
    [
        {"text": f"{start} {word} {end}", "label": label, "source": "web" if start == "a" else "desk"}
        for label, words in WORDS.items()
        for word, start, end in product(words, STARTS, ENDS)
    ]
).sample(frac=1, random_state=0, ignore_index=True)
TRAIN, VALIDATION, TEST = DATA.iloc[:125], DATA.iloc[125:140], DATA.iloc[140:]


@pytest.fixture(scope="module")
def run(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[nbtune.Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        yield nbtune.finetune(
            "classification",
            data=TRAIN,
            validation=VALIDATION,
            test=TEST,
            model=tiny_model,
            name="first",
            epochs=8,
            learning_rate=3e-3,
            max_length=16,
            watchers=[],
        )


def test_the_model_before_its_first_step_stands_beside_the_one_after(run: nbtune.Run) -> None:
    for report in (run.report, run.evaluate()):
        assert report is not None
        before, gain = report.baselines["before fine-tuning"], report.differences["before fine-tuning"]
        assert report.metrics["accuracy"].value > 0.9
        assert before["accuracy"].value < 0.8
        assert gain.value == pytest.approx(report.metrics["macro_f1"].value - before["macro_f1"].value)
        assert gain.low > 0


def test_a_run_that_goes_on_from_another_is_compared_with_that_one(
    run: nbtune.Run, tiny_model: str, runs_dir: Path
) -> None:
    second = nbtune.finetune(
        "classification", data=TRAIN, test=TEST, model=str(run.model_path), name="second", epochs=1, learning_rate=1e-6,
        max_length=16, watchers=[],
    )  # fmt: skip
    first, report = run.report, second.report
    assert first is not None
    assert report is not None
    assert report.baselines["before fine-tuning"]["accuracy"].value == first.metrics["accuracy"].value


def test_asking_the_model_before_leaves_the_users_random_numbers_alone(run: nbtune.Run) -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(()))

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    expected = drawn()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    run.evaluate()
    assert drawn() == expected


def test_a_base_that_is_gone_is_said_and_costs_only_that_comparison(
    run: nbtune.Run, tiny_model: str, runs_dir: Path, tmp_path: Path
) -> None:
    import shutil

    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    lost = nbtune.finetune("classification", data=TRAIN, model=str(base), epochs=1, max_length=16, watchers=[])
    shutil.rmtree(base)
    report = lost.evaluate()
    assert "before fine-tuning" not in report.baselines
    assert any("before fine-tuning is not here" in note for note in report.notes)


def test_scores_come_apart_by_a_column_of_the_data_that_the_task_does_not_read(run: nbtune.Run) -> None:
    report = run.evaluate(TEST, by="source")
    found = {each.value: each for each in report.slices if each.by == "source"}
    assert {value: each.count for value, each in found.items()} == TEST["source"].value_counts().to_dict()
    table = report.by_slice().set_index("value")
    assert table.loc["desk", "count"] == found["desk"].count
    assert table.loc["desk", "low"] == found["desk"].score.low
    frame = report.frame
    assert frame is not None
    for value, each in found.items():
        own = frame[(TEST["source"] == value).to_numpy()]
        assert each.score.value == pytest.approx((own["gold"] == own["prediction"]).mean())
        assert each.score.low <= each.score.value <= each.score.high


def test_rows_that_are_left_out_do_not_shift_the_column(run: nbtune.Run) -> None:
    holed = pd.concat([pd.DataFrame([{"text": None, "label": "praise", "source": "gone"}]), TEST])
    found = {each.value: each.count for each in run.evaluate(holed, by=["source"], bad_rows="drop").slices}
    expected = TEST["source"].value_counts().to_dict()
    assert {value: found[value] for value in expected} == expected
    assert "gone" not in found


def test_a_column_that_is_not_there_is_refused_with_the_nearest(run: nbtune.Run) -> None:
    with pytest.raises(SpecError, match="no column 'sorce'") as refused:
        run.evaluate(TEST, by="sorce")
    assert "source" in refused.value.hint
    with pytest.raises(SpecError, match="kept no column 'source'") as refused:
        run.evaluate(by="source")
    assert "--data" in refused.value.hint


def test_test_rows_that_training_showed_give_the_scores_twice(run: nbtune.Run) -> None:
    assert not run.evaluate(TEST).unseen
    mixed = pd.concat([TEST, TRAIN.iloc[:25].assign(label="praise")])  # wrong answers to what it has learned
    report = run.evaluate(mixed)
    assert report.unseen["accuracy"].value == pytest.approx(run.evaluate(TEST).metrics["accuracy"].value)
    assert report.unseen["accuracy"].value > report.metrics["accuracy"].value
    assert f"25 of the {len(mixed)} examples are also in the training data: scores are given with and without them" in (
        report.notes
    )
    shown = repr(report)
    assert "without training texts" in shown
    report = run.evaluate(TRAIN)
    assert not report.unseen
    assert any("say nothing about new data" in note for note in report.notes)


def test_few_examples_still_have_intervals_with_a_plain_warning(run: nbtune.Run) -> None:
    report = run.evaluate(TEST.iloc[:12])
    score = report.metrics["accuracy"]
    assert 0 <= score.low <= score.value <= score.high <= 1
    assert any(note.startswith("only 12 examples") for note in report.notes)


def test_every_score_has_an_interval_also_those_that_do_not_decompose(run: nbtune.Run) -> None:
    report = run.evaluate(TEST)
    assert {"roc_auc", "average_precision"} <= set(report.metrics)
    for name, score in report.metrics.items():
        assert score.low <= score.value <= score.high, name


def test_the_report_survives_the_disk_and_shows_everywhere(run: nbtune.Run) -> None:
    report = run.evaluate(TEST, by="source")
    again = Report.from_dict(json.loads(report.to_json()))
    assert again.to_dict() == report.to_dict()
    assert again.slices == report.slices
    assert again.calibration == report.calibration
    bundle = report._repr_mimebundle_()
    assert "<img" in bundle["text/html"]
    for form in bundle.values():
        assert "desk" in form
        assert "calibration error" in form
    plot = report.plot()
    assert isinstance(plot, Picture)
    assert plot.html.count("<img") >= 3
    card = (run.folder / "README.md").read_text(encoding="utf-8")
    assert "before fine-tuning" in card
    assert "calibration error" in card


def overfitted(model: str, task: str = "classification", **settings: Any) -> nbtune.Run:
    """A run that is far too sure: labels that cannot be learned, learned by heart."""
    label = "labels" if settings.get("multi_label") else "label"
    noisy = DATA.assign(label=np.random.default_rng(0).choice(["a", "b", "c"], len(DATA))).rename(
        columns={"label": label}
    )
    given = {"epochs": 30, "learning_rate": 3e-3, "max_length": 16, "watchers": [], "validation_fraction": 0.3}
    return nbtune.finetune(task, data=noisy, model=model, test_fraction=0.3, **{**given, **settings})


def test_a_temperature_makes_an_overconfident_run_honest_without_changing_an_answer(
    tiny_model: str, runs_dir: Path
) -> None:
    plain, calibrated = overfitted(tiny_model, name="plain"), overfitted(tiny_model, name="cool", calibrate=True)
    reports = [run.evaluate() for run in (plain, calibrated)]
    sure = [report.calibration for report in reports]
    assert sure[0] is not None
    assert sure[1] is not None
    assert sure[1].error.value < sure[0].error.value - 0.1
    frames = [report.frame for report in reports]
    assert frames[0] is not None
    assert frames[1] is not None
    assert frames[0]["prediction"].tolist() == frames[1]["prediction"].tolist()
    assert calibrated.report is not None
    assert calibrated.report.calibration == sure[1]  # the report at the end knows of it

    done = plain.calibrate()
    assert done.temperature > 1.2
    assert done.before == sure[0]
    assert done.after is not None
    assert done.after.error.value == pytest.approx(sure[1].error.value)
    again = nbtune.load("plain").evaluate().calibration
    assert again == done.after
    assert nbtune.load("plain").calibrate().temperature == pytest.approx(done.temperature)  # from 1 each time
    assert "calibration error goes from" in done.in_words()


def test_a_temperature_is_fitted_to_words_and_to_labels_that_come_together(tiny_model: str, runs_dir: Path) -> None:
    words = [{"tokens": text.split(), "tags": ["O", "B-X", "O", "O"][: len(text.split())]} for text in DATA["text"]]
    ner = nbtune.finetune(
        "ner", data=words, model=tiny_model, name="ner", epochs=2, test_fraction=0.2, max_length=32, watchers=[],
        calibrate=True,
    )  # fmt: skip
    multi = overfitted(tiny_model, name="multi", multi_label=True, epochs=3, calibrate=True)
    for run in (ner, multi):
        card = json.loads((run.model_path / "nbtune.json").read_text(encoding="utf-8"))
        assert 0.05 <= card["temperature"] <= 20
        assert card["temperature"] != 1.0


def test_what_has_no_probabilities_cannot_be_calibrated_and_is_trained_all_the_same(
    tiny_model: str, runs_dir: Path
) -> None:
    numbers = DATA.assign(label=np.linspace(-7, 7, len(DATA)))
    run = nbtune.finetune(
        "sentiment", data=numbers, model=tiny_model, name="numbers", epochs=1, max_length=16, classes="numeric",
        calibrate=True, watchers=[],
    )  # fmt: skip
    assert run.status == "finished"
    assert any("no temperature was fitted" in getattr(event, "message", "") for event in run.events())
    with pytest.raises(RunError, match="no probabilities"):
        run.calibrate()


def test_intervals_are_over_documents_where_a_column_says_so(tiny_model: str, runs_dir: Path) -> None:
    rows = DATA.assign(document=[text.split()[-1] for text in DATA["text"]])
    given = {"model": tiny_model, "epochs": 1, "max_length": 16, "test_fraction": 0.3, "watchers": []}
    run = nbtune.finetune("classification", data=rows, name="tied", group="document", **given)
    frames = run.evaluate().frame, run.evaluate(rows).frame
    assert frames[0] is not None
    assert frames[0]["text"].str.split().str[-1].nunique() == 2  # whole documents of six
    tied, alone = (run.evaluate(table).metrics["accuracy"] for table in (rows, rows.drop(columns="document")))
    assert tied.value == alone.value
    assert (tied.low, tied.high) != (alone.low, alone.high)


def test_a_report_of_an_earlier_version_can_be_read(run: nbtune.Run) -> None:
    content: dict[str, Any] = json.loads(run.evaluate(TEST).to_json())
    for name in ("slices", "calibration", "unseen"):
        del content[name]
    assert Report.from_dict(content).slices == ()
