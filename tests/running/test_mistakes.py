"""Wrong labels are found by models that have not learned them, and corrected without touching the data."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

import nbtune
from nbtune.errors import DataError, Interrupted, RunError, SpecError
from nbtune.evaluation.mistakes import Mistakes

STARTS, ENDS = ("a", "the", "what a", "such a", "one more"), ("meal", "day", "film", "guide", "song", "<b>trip</b>")
WORDS = {"praise": ["good", "lovely", "superb", "kind"], "blame": ["bad", "awful", "rude", "dull"]}
CLEAN = pd.DataFrame(
    [
        {"text": f"{start} {word} {end}", "label": label}
        for label, words in WORDS.items()
        for word, start, end in product(words, STARTS, ENDS)
    ]
).sample(frac=1, random_state=0, ignore_index=True)
PLANTED = [3, 17, 40, 66, 99, 120, 131, 150]
OTHER = {"praise": "blame", "blame": "praise"}
DATA = CLEAN.copy()
DATA.loc[PLANTED, "label"] = DATA.loc[PLANTED, "label"].map(OTHER)
TRAIN, HELD_OUT = DATA.iloc[:160], DATA.iloc[160:].reset_index(drop=True)


@pytest.fixture(scope="module", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        runs = tmp_path_factory.mktemp("runs")
        patch.setenv("NBTUNE_RUNS_DIR", str(runs))
        patch.chdir(tmp_path_factory.mktemp("work"))
        yield runs


@pytest.fixture(scope="module")
def run(tiny_model: str) -> nbtune.Run:
    how = {"model": tiny_model, "epochs": 8, "learning_rate": 3e-3, "max_length": 16, "batch_size": 8}
    return nbtune.finetune("classification", data=TRAIN, validation=HELD_OUT, name="moods", watchers=[], **how)


@pytest.fixture(scope="module")
def by_folds(run: nbtune.Run) -> Mistakes:
    return run.mistakes(folds=3)


def test_planted_labels_come_first(by_folds: Mistakes) -> None:
    assert by_folds.examined == len(TRAIN)
    first = by_folds.labels.head(len(PLANTED))
    assert len(set(first["row"]) & set(PLANTED)) >= 6
    assert first["doubted"].sum() >= 5
    assert (first["text"] == DATA["text"].iloc[first["row"]].to_list()).all()
    assert (first["given"] == DATA["label"].iloc[first["row"]].to_list()).all()
    assert (first["given"].map(OTHER) == first["suggested"]).all()
    assert by_folds.labels["score"].between(0, 1).all()


def test_the_models_of_the_folds_leave_nothing_behind(run: nbtune.Run, folders: Path) -> None:
    before = sorted(path for path in folders.rglob("*") if path.is_file())
    told: list[tuple[int, int]] = []
    run.mistakes(folds=2, progress=lambda done, total: told.append((done, total)))
    assert sorted(path for path in folders.rglob("*") if path.is_file()) == before
    assert [run.name for run in map(nbtune.load, folders.iterdir())] == ["moods"]
    steps = 2 * 8 * 10  # folds, epochs, batches of 8 out of 80
    assert told == [(done, steps) for done in range(1, steps + 1)]


def test_without_folds_the_run_judges_its_validation_data_and_says_how_sure_its_own_mistakes_are(
    run: nbtune.Run,
) -> None:
    found = run.mistakes()
    assert found.judged == f"validation data, {len(HELD_OUT)} rows"
    assert (found.examined, set(found.labels["part"])) == (
        len(HELD_OUT),
        {"validation"} if len(found.labels) else set(),
    )
    own = run.predict(HELD_OUT)
    wrong = own[own["prediction"] != HELD_OUT["label"]]
    assert sorted(found.labels["row"]) == sorted(wrong.index)
    assert set(found.confident["row"]) <= set(wrong.index)
    sure = own.loc[own["prediction"] == HELD_OUT["label"], "probability"].mean()
    assert set(found.confident["row"]) == set(wrong.index[wrong["probability"] >= sure])


def test_labels_the_model_has_learned_come_with_a_warning(run: nbtune.Run) -> None:
    assert "has learned these labels" in run.mistakes(part="train").notes[0]


def test_rankings_order_by_their_own_score(run: nbtune.Run) -> None:
    for ranking in ("self_confidence", "normalized_margin"):
        found = run.mistakes(part="train", ranking=ranking).labels  # type: ignore[arg-type]
        order = found.sort_values(["doubted", "score"], ascending=[False, True], kind="stable")
        assert order.index.to_list() == found.index.to_list()


def test_what_is_accepted_and_corrected_is_trained_with(by_folds: Mistakes, run: nbtune.Run, tiny_model: str) -> None:
    rows = [int(row) for row in by_folds.labels["row"].head(3)]
    others = [row for row in range(20) if row not in rows][:2]
    assert by_folds.corrections == Path("moods.corrections.jsonl")
    assert len(by_folds.accept(rows)) == 3
    assert by_folds.accept(rows) == [], "a cell that is run again writes nothing twice"
    (entry,) = by_folds.correct(others[0], OTHER[TRAIN["label"][others[0]]], part="train", why="read it", who="me")
    assert (entry.who, entry.why, entry.old) == ("me", "read it", TRAIN["label"][others[0]])
    again = by_folds.correct(others[0], TRAIN["label"][others[0]], part="train")  # thought better of it
    assert [each.old for each in again] == [entry.new]
    lines = [json.loads(line) for line in by_folds.corrections.read_text().splitlines()]
    assert [set(line) for line in lines] == [{"fingerprint", "old", "new", "who", "when", "why"}] * 5

    mended = nbtune.finetune(
        "classification",
        data=TRAIN.sample(frac=1, random_state=3),
        validation=HELD_OUT,
        name="mended",
        corrections=str(by_folds.corrections),
        model=tiny_model,
        epochs=1,
        watchers=[],
    )
    learned = {each.inputs["text"]: each.target for each in mended.answers(TRAIN).read}
    assert learned == dict(zip(TRAIN["text"], TRAIN["label"], strict=True)), "evaluation data is read as it is"
    from nbtune.running.snapshot import read_examples

    kept = read_examples(mended.folder, "train")
    assert kept is not None
    changed = {e.inputs["text"] for e in kept if e.target != learned[e.inputs["text"]]}
    assert changed == set(TRAIN["text"].iloc[rows])
    facts = json.loads((mended.folder / "data.json").read_text())["corrections"]
    assert (facts["file"], facts["entries"], facts["applied"]) == ("moods.corrections.jsonl", 5, 5)
    assert "answers corrected by moods.corrections.jsonl" in (mended.folder / "README.md").read_text()


def test_mistyped_labels_rows_and_parts_are_refused(by_folds: Mistakes) -> None:
    with pytest.raises(DataError, match="no training row has the label 'priase'") as caught:
        by_folds.correct(1, "priase", part="train")
    assert "did you mean 'praise'?" in caught.value.hint
    with pytest.raises(DataError, match=r"row 1 is in train and validation"):
        by_folds.correct(1, "praise")
    with pytest.raises(DataError, match="there is no row 999"):
        by_folds.correct(999, "praise")
    with pytest.raises(DataError, match="must be a label"):
        by_folds.correct(1, ["praise"], part="train")
    agreed = next(row for row in range(160) if row not in set(by_folds.labels["row"]))
    with pytest.raises(DataError, match=f"nothing is suggested for row {agreed}"):
        by_folds.accept(agreed, part="train")


def test_a_resume_keeps_the_corrections_and_refuses_others(run: nbtune.Run, tiny_model: str, tmp_path: Path) -> None:
    from nbtune.control import Control
    from nbtune.events import Event, Stepped

    path = tmp_path / "some.jsonl"
    run.mistakes(part="train", corrections=path).correct(5, OTHER[TRAIN["label"][5]], part="train")
    control = Control()

    class Stopping:
        def on_event(self, event: Event) -> None:
            if isinstance(event, Stepped) and event.step == 3:
                control.stop()

    given = {"data": TRAIN, "validation": HELD_OUT, "model": tiny_model, "epochs": 2, "corrections": str(path)}
    cut = nbtune.finetune("classification", name="cut", control=control, watchers=[Stopping()], **given)
    assert cut.status == "stopped"
    with pytest.raises(RunError, match="cannot go on with corrections"):
        cut.resume(corrections="")
    run.mistakes(part="train", corrections=path).correct(6, OTHER[TRAIN["label"][6]], part="train")
    with pytest.raises(RunError, match="the train data is not what the run 'cut' learned from"):
        cut.resume(data=TRAIN, validation=HELD_OUT)
    assert cut.resume().status == "finished"


def test_the_key_ends_the_folds_and_another_training_may_begin(run: nbtune.Run) -> None:
    def press(done: int, total: int) -> None:
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="stopped between the folds"):
        run.mistakes(folds=2, progress=press)
    assert signal.getsignal(signal.SIGINT) is handler
    assert run.status == "finished"
    assert run.mistakes().examined == len(HELD_OUT)


def test_what_cannot_be_asked_for_is_said(run: nbtune.Run) -> None:
    with pytest.raises(SpecError, match="folds are of the training data"):
        run.mistakes(folds=3, part="test")
    with pytest.raises(SpecError, match="there is no part 'tests'"):
        run.mistakes(part="tests")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="there is no ranking"):
        run.mistakes(ranking="loss")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="folds = 1"):
        run.mistakes(folds=1)
    with pytest.raises(RunError, match="kept no test data"):
        run.mistakes(part="test")


@pytest.mark.parametrize("task", ["recommendation", "sentiment"])
def test_tasks_without_labels_are_refused_before_anything_is_trained(task: str, tiny_model: str) -> None:
    data = "sample:recommendation"
    if task == "sentiment":
        rows = [{"text": text, "sentiment": n / 7} for n, text in enumerate(TRAIN["text"])]
        data = pd.DataFrame(rows)  # type: ignore[assignment]
    other = nbtune.finetune(task, data=data, model=tiny_model, epochs=1, watchers=[], max_length=16)
    with pytest.raises(RunError, match="gives no probabilities of labels"):
        other.mistakes(folds=2)
    with pytest.raises(RunError, match="gives no probabilities of labels"):
        other.uncertain(data, 3)


def test_a_label_that_only_one_fold_has_is_not_judged(tiny_model: str) -> None:
    rare = pd.concat([TRAIN, pd.DataFrame({"text": ["all alone"], "label": ["rare"]})], ignore_index=True)
    run = nbtune.finetune(
        "classification", data=rare, validation=HELD_OUT, model=tiny_model, epochs=1, watchers=[], max_length=16
    )
    found = run.mistakes(folds=2)
    assert found.examined == len(TRAIN)
    assert found.notes == ("1 rows were not judged, because only their own fold has their label",)


def test_entities_and_several_labels_are_found_and_accepted_bit_by_bit(tiny_model: str, tmp_path: Path) -> None:
    how = {"model": tiny_model, "epochs": 1, "watchers": [], "max_length": 32}
    texts = TRAIN.assign(label=[[label, "short"] for label in TRAIN["label"]])
    several = nbtune.finetune("classification", data=texts, **how).mistakes(folds=2, corrections=tmp_path / "s.jsonl")
    assert len(several.labels)
    row = int(several.labels["row"][0])
    (entry,) = several.accept(row)
    own = several.labels[several.labels["row"] == row]
    for _, line in own.iterrows():
        assert (line["given"] in entry.new) is False or line["given"] == ""
        assert line["suggested"] == "" or line["suggested"] in entry.new

    words = pd.DataFrame(
        {"tokens": [["Ann", "saw", "Rome", str(n)] for n in range(40)], "tags": [["B-PER", "O", "B-LOC", "O"]] * 40}
    )
    ner = nbtune.finetune("ner", data=words, **how).mistakes(folds=2, corrections=tmp_path / "n.jsonl")
    assert set(ner.labels.columns) >= {"start", "end"}
    row = int(ner.labels["row"][0])
    (entry,) = ner.accept(row)
    shown = {f"{line['given']} -> {line['suggested']}" for _, line in ner.labels[ner.labels["row"] == row].iterrows()}
    assert shown
    assert entry.old == [[0, 3, "PER"], [8, 12, "LOC"]]
    assert all(0 <= start < end <= 15 for start, end, _ in entry.new)
