"""How a magic's result is drawn in its own cell, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from nbtune.notebook.shown import DrawnAs


class Thing:
    def __repr__(self) -> str:
        return "a thing"


@pytest.fixture
def shell_with_things(bare_shell: Any) -> Any:
    drawn, thing, other = DrawnAs(bare_shell), Thing(), Thing()
    bare_shell.user_ns.update(drawn=drawn, thing=thing, other=other)
    return bare_shell


def test_a_hidden_result_is_not_drawn_again_in_its_cell_but_kept(shell_with_things: Any, capsys: Any) -> None:
    result = shell_with_things.run_cell("drawn.hide(thing)\nthing")
    assert result.result is shell_with_things.user_ns["thing"]
    assert "a thing" not in capsys.readouterr().out


def test_the_next_cell_draws_it_as_ever(shell_with_things: Any, capsys: Any) -> None:
    shell_with_things.run_cell("drawn.hide(thing);")
    capsys.readouterr()
    shell_with_things.run_cell("thing")
    assert "a thing" in capsys.readouterr().out


def test_a_picture_takes_its_place(shell_with_things: Any, published: Any) -> None:
    shell_with_things.run_cell("drawn.draw_as(thing, 'a picture')\nthing")
    assert published.new[-1]["text/plain"] == "'a picture'"


def test_others_of_the_type_are_drawn_in_the_same_cell(shell_with_things: Any, published: Any) -> None:
    shell_with_things.run_cell("drawn.hide(thing)\nother")
    assert published.new[-1]["text/plain"] == "a thing"
