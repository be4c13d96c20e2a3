"""A temperature that cannot be kept is not used either."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from nbtune_classification.head import MultiLabelHead

import nbtune
from nbtune.errors import RunError
from nbtune.running import calibrating
from nbtune.tasks.head import Head


@pytest.fixture
def run(fit: Callable[..., nbtune.Run]) -> nbtune.Run:
    return fit(multi_label=True, epochs=1)


def answers(run: nbtune.Run) -> Any:
    return run.predict(["a good meal", "an awful day"])


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def scrambled(head: MultiLabelHead, *given: Any) -> None:
    """Fits thresholds, and is then cut off."""
    head.restore({"thresholds": dict.fromkeys(head.state()["thresholds"], 0.0)})
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("owner", "name", "fails", "error"),
    [
        (calibrating, "write_atomically", full, RunError),
        (MultiLabelHead, "conclude", scrambled, KeyboardInterrupt),
    ],
)
def test_a_calibration_that_fails_leaves_the_opened_model_as_it_was(
    owner: Any, name: str, fails: Any, error: type[BaseException], run: nbtune.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answers(run)
    head: Head = run._model().head
    state, temperature = head.state(), head.temperature
    monkeypatch.setattr(owner, name, fails)
    with pytest.raises(error):
        run.calibrate()
    assert run._model().head is head
    assert (head.temperature, head.state()) == (temperature, state)
    assert answers(run).equals(before)
    monkeypatch.undo()
    assert run.calibrate().temperature != temperature
    assert not answers(run).equals(before)
