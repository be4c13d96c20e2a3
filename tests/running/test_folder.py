"""A run on disk: names, where runs live, whole files."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbtune.errors import RunError, SpecError
from nbtune.events import Ended, Noted, Preparing, Saved
from nbtune.running import folder as folders
from nbtune.running.spec import RunSpec


def made(name: str | None, **settings: bool) -> folders.RunFolder:
    folder = folders.create(name, "ner", **settings)
    folder.write_spec(RunSpec(task="ner", name=folder.name))
    return folder


def test_unnamed_runs_are_numbered(runs_dir: Path) -> None:
    assert [made(None).name for _ in range(3)] == ["ner-1", "ner-2", "ner-3"]
    assert [folder.name for folder in folders.all_runs()] == ["ner-1", "ner-2", "ner-3"]


def test_a_name_that_is_taken_is_never_overwritten_silently(runs_dir: Path) -> None:
    made("conll")
    with pytest.raises(RunError) as caught:
        made("conll")
    assert caught.value.message == "there is already a run named 'conll'"
    assert "overwrite = true" in caught.value.hint


def test_overwriting_takes_a_word_and_only_touches_runs(runs_dir: Path) -> None:
    (made("a").path / "old.txt").write_text("old")
    assert not (made("a", overwrite=True).path / "old.txt").exists()
    (runs_dir / "photos").mkdir()
    (runs_dir / "photos" / "cat.jpg").write_bytes(b"")
    with pytest.raises(RunError, match="is not a run, so it is not overwritten"):
        made("photos", overwrite=True)


def test_a_missing_run_gets_the_nearest_name(runs_dir: Path) -> None:
    with pytest.raises(RunError, match="no runs in"):
        folders.find("conll")
    made("conll")
    with pytest.raises(RunError, match="did you mean 'conll'"):
        folders.find("conl")
    assert folders.find(runs_dir / "conll").name == "conll"


def test_runs_live_where_the_project_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBTUNE_RUNS_DIR", raising=False)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert folders.runs_dir() == Path("nbtune_runs")
    (tmp_path / "a" / "pyproject.toml").write_text('[tool.nbtune]\nruns_dir = "my runs"\n')
    assert folders.runs_dir() == tmp_path / "a" / "my runs"
    monkeypatch.setenv("NBTUNE_RUNS_DIR", "/elsewhere")
    assert folders.runs_dir() == Path("/elsewhere")


def test_a_broken_pyproject_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBTUNE_RUNS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.nbtune\n")
    with pytest.raises(SpecError, match="is not valid TOML"):
        folders.runs_dir()


def test_a_runs_folder_that_is_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBTUNE_RUNS_DIR", str(tmp_path / "file" / "runs"))
    with pytest.raises(RunError, match="cannot be written"):
        made("x")


def test_the_event_log_gives_back_what_was_said_and_survives_a_cut_line(runs_dir: Path) -> None:
    folder = made("x")
    assert folder.status() == "unfinished"
    saved = Saved(step=1, path="model", kind="model", seconds=0.1)
    folder.log(Preparing(stage="encoding", done=1, total=2))
    folder.log(saved)
    folder.log(Ended(status="stopped", step=1, reason="stopped", seconds=1.0))
    with open(folder.path / "events.jsonl", "a") as file:
        file.write('{"event": "Sav')
    assert next(iter(folder.events())) == saved
    assert folder.status() == "stopped"


@pytest.mark.parametrize("size", [1, 1 << 18])
def test_the_newest_event_is_found_behind_many_and_behind_a_cut_line(runs_dir: Path, size: int) -> None:
    folder = made("r")
    assert folder.event_log.last() is None
    for step in range(3000):
        folder.log(Saved(step=step, path="x", kind="model", seconds=0.0))
    newest = Noted(step=3000, severity="note", message="long " * size)  # longer than what is looked at first
    folder.log(newest)
    assert folder.event_log.last() == newest
    with open(folder.path / "events.jsonl", "a", encoding="utf-8") as file:
        file.write('{"event": "Ended", "step"')
    assert folder.event_log.last() == newest


def test_nothing_half_written_is_left_behind(runs_dir: Path) -> None:
    folder = made("x")
    folder.write_json("data.json", {"a": 1})
    assert folder.read_json("data.json") == {"a": 1}
    assert sorted(path.name for path in folder.path.iterdir()) == ["data.json", "spec.toml"]


def test_overwriting_removes_the_spec_last(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in the middle must leave what can be overwritten again."""
    made("a").write("report.json", "{}")

    def unlink(path: Path) -> None:
        removed.append(path.name)
        if path.name == "report.json":
            raise KeyboardInterrupt  # stands for the kill

    removed: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            folders.create("a", "ner", overwrite=True)
    assert removed == ["report.json"]
    assert folders.find("a").is_run()
    assert list(made("a", overwrite=True).path.iterdir()) == [runs_dir / "a" / "spec.toml"]
