"""A training repeated with other seeds, and what the spread says."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nbtune
from nbtune.control import Control
from nbtune.data.corrections import append, correction
from nbtune.errors import Interrupted, RunError, SpecError
from nbtune.evaluation.paired import Counted
from nbtune.evaluation.report import Report
from nbtune.evaluation.seeds import difference_over_seeds, spread
from nbtune.events import Ended, Stepped
from nbtune.notebook.progress import RunDisplay
from nbtune.running import background, locks
from nbtune.tasks.metrics import Metric, mean
from nbtune.tasks.registry import registry
from nbtune.values import Example

WORDS = {"praise": ["good", "lovely", "superb", "kind"], "blame": ["bad", "awful", "rude", "dull"]}
THINGS = ("meal", "day", "film", "guide", "room", "song")
DATA = pd.DataFrame(
    [
        {"text": f"a {word} {thing}", "label": label}
        for label, some in WORDS.items()
        for word in some
        for thing in THINGS
    ]
).sample(frac=1, random_state=0, ignore_index=True)
ACCURACY = Metric("accuracy", mean(1, 0))


def trained(model: str, name: str, **settings: Any) -> nbtune.Run:
    given = {"epochs": 2, "learning_rate": 1e-3, "max_length": 16, "test_fraction": 0.3, "watchers": [], **settings}
    return nbtune.finetune("classification", data=DATA, model=model, name=name, **given)


@pytest.fixture(scope="module")
def family(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[nbtune.Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        yield trained(tiny_model, "many", seeds=3)


def test_each_seed_is_a_run_of_its_own_on_the_same_parts(family: nbtune.Run) -> None:
    runs = [nbtune.load(name) for name in ("many", "many.seed1", "many.seed2")]
    assert [run.status for run in runs] == ["finished"] * 3
    assert [run.spec.seed for run in runs] == [0, 1, 2]
    digests = [nbtune.load(run.name).evaluate().frame for run in runs]
    assert all(frame is not None and frame["text"].equals(digests[0]["text"]) for frame in digests)  # type: ignore[index]
    weights = [(run.model_path / "model.safetensors").read_bytes() for run in runs]
    assert len(set(weights)) == 3


def test_the_report_of_the_first_tells_mean_and_spread_of_all(family: nbtune.Run) -> None:
    report = family.report
    assert report is not None
    own = [nbtune.load(name).metrics["accuracy"] for name in ("many", "many.seed1", "many.seed2")]
    found = report.seeds["accuracy"]
    assert found.values == pytest.approx(own)
    assert found.mean.value == pytest.approx(np.mean(own))
    assert found.deviation == pytest.approx(np.std(own, ddof=1))
    assert found.mean.low <= found.mean.value <= found.mean.high
    assert Report.from_dict(report.to_dict()).seeds == report.seeds
    for form in report._repr_mimebundle_().values():
        assert "mean of 3 seeds" in form
    assert "mean of 3 seeds" in (family.folder / "README.md").read_text(encoding="utf-8")


def test_a_further_run_can_be_trained_again_from_its_own_settings(family: nbtune.Run, runs_dir: Path) -> None:
    second = family.folder.parent / "many.seed1"
    settings = tomllib.loads((second / "spec.toml").read_text(encoding="utf-8"))
    for name in ("task", "name", "data", "validation", "test", "options"):
        settings.pop(name, None)
    again = nbtune.finetune("classification", data=DATA, name="again", watchers=[], **settings)
    assert (again.model_path / "model.safetensors").read_bytes() == (
        second / "model" / "model.safetensors"
    ).read_bytes()


def test_other_data_is_scored_by_the_whole_family_where_that_is_asked(family: nbtune.Run) -> None:
    assert not family.evaluate(DATA).seeds
    report = family.evaluate(DATA, seeds=True)
    assert len(report.seeds["accuracy"].values) == 3
    with pytest.raises(RunError, match="one seed"):
        nbtune.load("many.seed1").evaluate(seeds=True)


def test_a_family_that_was_cut_off_is_gone_on_with(tiny_model: str, runs_dir: Path) -> None:
    control, ended = Control(), []

    class Cut:
        def on_event(self, event: Any) -> None:
            if isinstance(event, Ended):
                ended.append(event.status)
            if isinstance(event, Stepped) and len(ended) == 1:
                control.stop()  # in the first step of the second seed

    run = trained(tiny_model, "cut", seeds=3, watchers=[Cut()], control=control)
    assert ended == ["finished", "stopped"]
    assert run.report is not None
    assert not run.report.seeds
    assert not (runs_dir / "cut.seed2").exists()
    run.resume()
    assert run.report is not None
    assert len(run.report.seeds["accuracy"].values) == 3
    whole = trained(tiny_model, "whole", seeds=3)
    assert whole.report is not None
    assert whole.report.seeds == run.report.seeds
    with pytest.raises(RunError, match="has finished"):
        run.resume()


def halted(model: str, name: str, **settings: Any) -> nbtune.Run:
    """A family of which only the first was trained."""
    control = Control()

    class Halt:
        def on_event(self, event: Any) -> None:
            if isinstance(event, Ended):
                control.stop()

    with pytest.raises(Interrupted, match="goes on with its seeds"):
        trained(model, name, watchers=[Halt()], control=control, **settings)
    return nbtune.load(name)


def test_a_strangers_run_is_not_taken_for_one_of_the_family(tiny_model: str, runs_dir: Path) -> None:
    first = halted(tiny_model, "mine", seeds=2)
    trained(tiny_model, "mine.seed1", epochs=1)
    with pytest.raises(RunError, match="epochs changed from 2 to 1"):
        first.resume()


def test_a_name_of_the_family_that_is_taken_is_refused_before_anything_is_trained(
    tiny_model: str, runs_dir: Path
) -> None:
    trained(tiny_model, "mine.seed1", epochs=1)
    with pytest.raises(RunError, match=r"already a run named 'mine\.seed1'"):
        trained(tiny_model, "mine", seeds=2)
    assert [path.name for path in runs_dir.iterdir()] == ["mine.seed1"]
    assert trained(tiny_model, "mine", seeds=2, seed=5).report is not None  # which needs the name mine.seed6


def test_an_unnamed_family_gets_a_number_that_is_free_for_all_of_it(tiny_model: str, runs_dir: Path) -> None:
    trained(tiny_model, "classification-1.seed1", epochs=1)
    data = {"data": DATA, "model": tiny_model, "max_length": 16, "test_fraction": 0.3, "watchers": []}
    run = nbtune.finetune("classification", epochs=1, seeds=2, **data)
    assert run.name == "classification-2"


def test_overwriting_a_larger_family_leaves_none_of_it_and_no_stranger_is_touched(
    tiny_model: str, runs_dir: Path
) -> None:
    trained(tiny_model, "mine", seeds=3, epochs=1)
    trained(tiny_model, "mine.seed3", epochs=1, seed=9)
    run = trained(tiny_model, "mine", epochs=1, overwrite=True)
    assert run.status == "finished"
    assert sorted(path.name for path in runs_dir.iterdir()) == ["mine", "mine.seed3"]
    (runs_dir / "mine" / "spec.toml").write_text("seeds = ", encoding="utf-8")
    assert trained(tiny_model, "mine", epochs=1, overwrite=True).status == "finished"


def test_overwriting_a_family_overwrites_all_of_it(tiny_model: str, runs_dir: Path) -> None:
    trained(tiny_model, "mine", seeds=3)
    run = trained(tiny_model, "mine", seeds=3, epochs=1, overwrite=True)
    assert [nbtune.load(name).spec.epochs for name in ("mine", "mine.seed1", "mine.seed2")] == [1, 1, 1]
    assert run.report is not None
    assert len(run.report.seeds["accuracy"].values) == 3


def test_nothing_of_a_family_is_overwritten_while_one_of_it_is_trained(tiny_model: str, runs_dir: Path) -> None:
    trained(tiny_model, "mine", seeds=2)
    weights = [runs_dir / name / "model" / "model.safetensors" for name in ("mine", "mine.seed1")]
    before = [path.read_bytes() for path in weights]
    with locks.hold(runs_dir / "mine.seed1"), pytest.raises(RunError, match=r"'mine\.seed1' is being trained"):
        trained(tiny_model, "mine", seeds=2, epochs=1, overwrite=True)
    assert [path.read_bytes() for path in weights] == before


def test_the_seeds_of_a_run_that_was_moved_are_trained_beside_it(
    tiny_model: str, runs_dir: Path, tmp_path: Path
) -> None:
    first = halted(tiny_model, "mine", seeds=2)
    (tmp_path / "archive").mkdir()
    shutil.move(first.folder, tmp_path / "archive" / "mine")
    run = nbtune.load(tmp_path / "archive" / "mine").resume()
    assert sorted(path.name for path in (tmp_path / "archive").iterdir()) == ["mine", "mine.seed1"]
    assert not list(runs_dir.iterdir())
    assert run.report is not None
    assert len(run.report.seeds["accuracy"].values) == 2


def test_what_was_changed_in_the_data_is_known_of_every_seed(tiny_model: str, runs_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "mended.jsonl"
    example = Example({"text": DATA["text"][0]}, DATA["label"][0], 0)
    append(path, [correction(registry().task("classification"), example, "praise", who="me", why="a slip")])
    data = pd.concat([DATA, DATA.iloc[[3]]], ignore_index=True)
    given = {"epochs": 1, "seeds": 2, "fix": ["drop_duplicates"], "corrections": str(path), "max_length": 16}
    first = nbtune.finetune("classification", data=data, model=tiny_model, name="mended", watchers=[], **given)
    told = "Changed in the data before training:\n\n- fix drop_duplicates left out 1 training row"
    contents = []
    for run in (first, nbtune.load("mended.seed1")):
        assert told in (run.folder / "README.md").read_text(encoding="utf-8")
        contents.append(json.loads((run.folder / "data.json").read_text(encoding="utf-8")))
    assert contents[0]["corrections"]["applied"] == 1
    assert contents[0] == contents[1]


def test_a_cell_that_is_done_cannot_show_seeds(tiny_model: str, runs_dir: Path) -> None:
    with pytest.raises(SpecError, match="background"):
        trained(tiny_model, "later", seeds=2, background=True, watchers=[RunDisplay()])
    assert not runs_dir.exists() or not list(runs_dir.iterdir())


def test_the_background_trains_all_seeds_and_goes_on_where_it_was_stopped(tiny_model: str, runs_dir: Path) -> None:
    control, ended = Control(), []

    class Cut:
        def on_event(self, event: Any) -> None:
            if isinstance(event, Stepped) and ended:
                control.stop()
            ended.extend([event] if isinstance(event, Ended) else [])

    given = {"seeds": 3, "epochs": 1, "background": True, "control": control, "watchers": [Cut()]}
    first = trained(tiny_model, "behind", **given)
    assert first.wait().status == "finished"
    assert nbtune.load("behind.seed1").status == "stopped"
    assert not (runs_dir / "behind.seed2").exists()
    assert background.current() is None
    again = nbtune.load("behind").resume(background=True)
    with pytest.raises(RunError, match="one at a time"):
        trained(tiny_model, "other")
    again.wait()
    assert [nbtune.load(f"behind{end}").status for end in ("", ".seed1", ".seed2")] == ["finished"] * 3
    assert again.report is not None
    assert len(again.report.seeds["accuracy"].values) == 3


def test_a_difference_inside_seed_noise_is_called_that(family: nbtune.Run, tiny_model: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTUNE_RUNS_DIR", str(family.folder.parent))
        alike = trained(tiny_model, "alike", seeds=2, seed=10, split_seed=0)
        better = trained(tiny_model, "better", seeds=2, epochs=12, learning_rate=5e-3)
        words = list(nbtune.compare([family, alike]).verdicts())
        assert "inside seed noise" in words[-1]
        found = nbtune.compare([better, alike])
        assert found.pairs[0].over_seeds is not None
        assert found.pairs[0].over_seeds.low > 0
        assert "beyond seed noise" in list(found.verdicts())[-1]
        alone = nbtune.compare([nbtune.load("better.seed1"), alike])
        assert alone.pairs[0].over_seeds is None
        assert any("one seed of better.seed1" in note for note in alone.notes)
    for run in (alike, better):
        for folder in family.folder.parent.glob(f"{run.name}*"):
            shutil.rmtree(folder)


def counted(rates: list[float], random: np.random.Generator, examples: int = 400) -> list[Counted]:
    """Seeds that are right at these rates, on shared examples of uneven difficulty."""
    easy = random.random(examples)
    return [Counted(ACCURACY, np.stack([np.ones(examples), (easy < rate).astype(float)], axis=1)) for rate in rates]


def test_the_interval_over_seeds_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    rounds, inside = 300, 0
    for _ in range(rounds):
        rates = (0.7 + 0.04 * random.standard_normal(5)).tolist()
        found = spread(counted(rates, random)).mean
        inside += found.low <= 0.7 <= found.high
    assert 0.92 <= inside / rounds <= 0.98  # two standard errors of 300 rounds are 2.5 points


def test_equal_seeds_leave_the_uncertainty_of_the_examples() -> None:
    random = np.random.default_rng(4)
    found = spread(counted([0.7] * 5, random))
    assert found.deviation == 0.0
    assert 0.06 < found.mean.high - found.mean.low < 0.12  # that of 400 examples: 2 * 1.96 * sqrt(0.21 / 400) = 0.09


def test_two_trainings_of_equal_worth_differ_surely_in_about_one_case_of_twenty() -> None:
    random = np.random.default_rng(5)
    sure = 0
    for _ in range(200):
        both = counted((0.7 + 0.04 * random.standard_normal(10)).tolist(), random)
        gap = difference_over_seeds(both[:5], both[5:])
        sure += not gap.low <= 0 <= gap.high
    assert sure / 200 < 0.1
