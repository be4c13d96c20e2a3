"""Buttons beside a run: what they ask for, where they are shown, and that nothing of them stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nbtune.control import Control
from nbtune.errors import SpecError
from nbtune.events import Adjusted, Event, Paused, Resumed
from nbtune.notebook.controls import VIEW, Controls, can_click, hear_while_busy
from nbtune.notebook.live_chart import LiveChart
from nbtune.notebook.progress import RunDisplay, display_for
from nbtune.notebook.state import RunState
from nbtune.running import background
from nbtune.running.folder import RunFolder
from nbtune.running.spec import RunSpec

Story = Callable[..., list[Event]]


@pytest.fixture
def training(tmp_path: Path) -> Iterator[background.Training]:
    """A run that trains in this process, as far as anybody can see."""
    RunFolder(tmp_path).write_spec(RunSpec(task="ner", name="conll", learning_rate=1e-4))
    training = background.begin(tmp_path, Control())
    yield training
    training.end()


def button(controls: Controls, name: str) -> Any:
    row = controls.widget
    return next(each for each in row.children if each.description == name)


def test_pause_and_resume_are_one_button_that_follows_the_run() -> None:
    control, state = Control(), RunState()
    controls = Controls(control, 1e-4)
    pause = button(controls, "Pause")
    pause.click()
    assert control.paused
    assert pause.description == "Pause", "a callback draws nothing"
    state.absorb(Paused(step=1, time=0.0))
    controls.reflect(state)
    assert pause.description == "Resume"
    pause.click()
    assert not control.paused
    state.absorb(Resumed(step=1, time=0.0))
    controls.reflect(state)
    assert pause.description == "Pause"


def test_stop_says_that_it_was_heard() -> None:
    control = Control()
    controls = Controls(control, 1e-4)
    button(controls, "Stop").click()
    assert control.stopping
    controls.reflect(RunState())
    assert button(controls, "Stopping")


def test_the_learning_rate_is_halved_doubled_and_typed() -> None:
    control = Control()
    controls = Controls(control, 1e-4)
    button(controls, "× ½").click()
    button(controls, "× ½").click()
    assert control.take_learning_rate() == pytest.approx(2.5e-5)
    button(controls, "× 2").click()
    assert control.take_learning_rate() == pytest.approx(5e-5)
    button(controls, "peak learning rate").value = 3e-4
    assert control.take_learning_rate() == 3e-4
    controls.reflect(RunState())
    assert control.take_learning_rate() is None, "showing the rate asks for nothing"


@pytest.mark.parametrize("wrong", [0.0, -1e-4, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_put_back(wrong: float) -> None:
    control = Control()
    controls = Controls(control, 1e-4)
    field = button(controls, "peak learning rate")
    field.value = wrong
    assert control.take_learning_rate() is None
    controls.reflect(RunState())
    assert field.value == 1e-4


def test_controls_stand_above_the_picture_and_leave_nothing(
    published: Any, story: Story, training: background.Training
) -> None:
    display = RunDisplay(refresh=0.0, controls=True)
    events = story()
    for event in events[:-1]:
        display.on_event(event)
    assert len(published.new) == 2
    assert published.new[0] == {"text/plain": ""}
    assert "text/html" in published.new[1]
    views = [bundle for bundle in published.updates if VIEW in bundle]
    assert len(views) == 1, "drawn anew it would lose the focus"
    display.on_event(events[-1])
    assert published.updates[-2] == {"text/plain": ""}
    assert "finished" in published.updates[-1]["text/html"]
    assert not training.control.stopping


def test_a_rate_changed_before_a_resume_is_where_the_controls_begin(
    published: Any, story: Story, training: background.Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = [*story()[:4], Adjusted(step=2, setting="learning_rate", old=1e-4, new=7e-5)]
    made: list[Controls] = []

    def make(*given: Any) -> Controls:
        made.append(Controls(*given))
        return made[-1]

    monkeypatch.setattr("nbtune.notebook.progress.Controls", make)
    RunDisplay(controls=True, past=past).draw()
    assert button(made[0], "peak learning rate").value == 7e-5


def shell_in(**facts: Any) -> Any:
    """A shell as frontends make it: with a kernel that has comms, for a cell that may ask for input."""
    given = {"kernel": SimpleNamespace(comm_manager=object()), "user_ns": {}, "allow_stdin": True, **facts}
    content = {"allow_stdin": given.pop("allow_stdin")}
    return SimpleNamespace(get_parent=lambda: {"content": content}, **given)


def test_controls_are_for_who_can_click() -> None:
    assert can_click(shell_in())
    assert not can_click(shell_in(allow_stdin=False)), "nbclient executes without anybody looking on"
    assert not can_click(shell_in(kernel=None))
    assert not can_click(shell_in(user_ns={"__vsc_ipynb_file__": "a.ipynb"}))
    assert not can_click(SimpleNamespace(user_ns={}, kernel=SimpleNamespace(comm_manager=object())))


def test_no_widget_is_made_where_nobody_clicks(bare_shell: Any, published: Any, story: Story) -> None:
    display = display_for(bare_shell, refresh=0.5)
    for event in story():
        display.on_event(event)
    assert len(published.new) == 1
    assert not [bundle for bundle in (*published.new, *published.updates) if VIEW in bundle]


def test_a_comm_without_the_private_name_is_left_alone() -> None:
    plain = SimpleNamespace()
    hear_while_busy(plain)
    assert vars(plain) == {}
    routed = SimpleNamespace(_reply_subshell_for=lambda _data, _default: "the busy one")
    hear_while_busy(routed)
    assert routed._reply_subshell_for({}, "the page's choice") == "the page's choice"


def test_a_live_chart_without_its_package_is_refused_with_the_remedy(
    bare_shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SpecError, match="anywidget") as caught:
        display_for(bare_shell, kind="live")
    assert 'pip install "nbtune[live]"' in caught.value.hint


def test_the_live_chart_sends_what_is_new_and_all_of_it_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anywidget")
    import numpy as np

    chart, sent = LiveChart(), []
    monkeypatch.setattr(
        chart.widget, "send", lambda told, buffers: sent.append((told["first"], np.frombuffer(buffers[0], np.float32)))
    )
    for step in range(1, 4):
        chart.add(step, 1 / step)
    chart.flush(now=True)
    chart.add(4, 0.25)
    chart.flush(now=True)
    chart.flush(now=True)
    assert [first for first, _ in sent] == [0, 3]
    assert sent[1][1].tolist() == [4.0, 0.25]
    chart._asked(chart.widget, {"kind": "all"}, [])
    assert len(sent) == 2, "a callback sends nothing"
    chart.flush(now=True)
    assert sent[2][0] == 0
    assert len(sent[2][1]) == 8
