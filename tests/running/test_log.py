"""Reading a log that grows."""

from __future__ import annotations

from pathlib import Path

from nbtune.events import Noted, to_json
from nbtune.running.log import EventLog, Tail


def note(step: int, message: str = "n") -> Noted:
    return Noted(step=step, severity="note", message=message)


def test_a_tail_gives_each_event_once(tmp_path: Path) -> None:
    log, tail = EventLog(tmp_path / "events.jsonl"), Tail(tmp_path / "events.jsonl")
    assert tail.new() == []
    log.write(note(1))
    log.write(note(2, "two\u2028lines\x85and more"))
    assert tail.new() == [note(1), note(2, "two\u2028lines\x85and more")]
    assert tail.new() == []
    log.write(note(3))
    assert tail.new() == [note(3)]


def test_half_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail, line = Tail(path), to_json(note(1, "ünïcode")) + "\n"
    written = line.encode()
    cut = written.index("ü".encode()) + 1  # inside of a character
    path.write_bytes(written[:cut])
    assert tail.new() == []
    path.write_bytes(written)
    assert tail.new() == [note(1, "ünïcode")]


def test_after_a_resume_has_cut_the_log_it_goes_on_from_there(tmp_path: Path) -> None:
    log, tail = EventLog(tmp_path / "events.jsonl"), Tail(tmp_path / "events.jsonl")
    log.write(note(1))
    kept = log.size()
    log.write(note(2))
    tail.new()
    log.cut(kept)
    assert tail.new() == []
    log.write(note(5))
    assert tail.new() == [note(5)]
