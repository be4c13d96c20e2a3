"""The panel of docs/plugins.md works as it stands there."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nbtune.api

GUIDE = Path(__file__).parents[2] / "docs" / "plugins.md"


class Longest:
    """Stands where an opened model does: the longer text leads."""

    def predict(self, examples: Sequence[nbtune.api.Example]) -> Iterator[float]:
        return (float(len(each.inputs["text"]) - len(each.inputs["text_pair"])) for each in examples)


@pytest.fixture
def panel() -> nbtune.api.Panel:
    section = GUIDE.read_text(encoding="utf-8").split("## A panel in the dashboard")[1]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {**vars(nbtune.api), "pd": pd}
    exec(textwrap.dedent(found[1]), names)
    (only,) = names["panels"](None)
    return only


def test_it_ranks_what_was_typed(panel: nbtune.api.Panel) -> None:
    ranked = panel.draw(Longest(), {"titles": "short\nthe longest\nlonger\n\n"})
    assert ranked["title"].tolist() == ["the longest", "longer", "short"]


def test_it_refuses_one_title_in_words(panel: nbtune.api.Panel) -> None:
    with pytest.raises(nbtune.api.DataError, match="not two titles"):
        panel.draw(Longest(), {"titles": "alone"})
