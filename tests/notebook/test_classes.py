"""The newest evaluation class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from nbtune.events import Evaluated, Event
from nbtune.notebook.classes import per_class
from nbtune.notebook.html import scored_panel
from nbtune.notebook.run_picture import live_pictures, run_picture
from nbtune.notebook.state import RunState
from nbtune.testing.harmless import NASTY, faults

Story = Callable[..., list[Event]]


def after(story: list[Event], *evaluations: Mapping[str, float | None]) -> RunState:
    """The state after evaluations with these classes."""
    state = RunState.of(story[:4])
    made = next(event for event in story if isinstance(event, Evaluated))
    for place, classes in enumerate(evaluations, start=1):
        state.absorb(replace(made, step=place, classes=classes))  # type: ignore[arg-type]
    return state


def test_the_worst_class_comes_first_beside_its_score_before(story: Story) -> None:
    html = per_class(after(story(), {"PER": 0.5, "LOC": 0.7}, {"PER": 0.9, "LOC": 0.8}))
    assert html.index("LOC") < html.index("PER")
    assert "F1 (step 2)" in html
    assert "0.7000" in html
    assert ">before<" in html


def test_without_classes_there_is_nothing(story: Story) -> None:
    assert per_class(after(story(), {})) == ""


def test_a_class_that_occurs_nowhere_comes_last_live_and_from_disk(story: Story) -> None:
    for missing in (float("nan"), None):
        html = per_class(after(story(), {"gone": missing, "here": 0.9}))
        assert html.index("here") < html.index("gone")


def test_many_classes_are_folded_and_counted(story: Story) -> None:
    html = per_class(after(story(), {f"class {n:03}": n / 500 for n in range(500)}))
    assert "the 8 worst of 500 classes" in html
    assert "192 more classes, 300 more are not shown" in html
    assert "class 199" in html
    assert "class 200" not in html


def test_while_it_trains_they_are_scrolled_and_not_folded(story: Story) -> None:
    html = scored_panel(after(story(), {f"class {n:03}": n / 500 for n in range(500)}))
    assert "<details" not in html
    assert "all 500 classes, the worst first, 300 more are not shown" in html
    assert 'tabindex="0"' in html
    assert html.index("class 000") < html.index("class 199")
    assert "class 200" not in html


def test_names_of_classes_are_harmless(story: Story) -> None:
    for nasty in NASTY:
        state = after(story(), {nasty: 0.5, **{f"{n}{nasty}": 0.1 for n in range(9)}})
        for picture in (run_picture(state), *live_pictures(state)):
            assert faults(picture) == []
