"""What a cell shows of a dashboard, with widgets and without."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pandas as pd
import pytest

import nbtune
from nbtune.testing.harmless import faults


def test_the_magic_and_the_function_give_a_dashboard_over_the_variables(
    shell: Any, reviews: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[dict[str, Any]] = []
    monkeypatch.setattr(shell.display_pub, "publish", lambda data, **_: published.append(data))
    shell.user_ns["df"] = reviews
    shell.run_cell("board = nbtune = None\nimport nbtune\nboard = nbtune.dashboard()").raise_error()
    assert "df (DataFrame, 24 × 2)" in str(shell.user_ns["board"].form.data.options)
    shell.run_cell("%nbtune dashboard").raise_error()
    words, view = published
    assert "run this cell to open it again" in words["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in view


def test_there_is_a_static_form_for_who_knows_no_widgets() -> None:
    bundle = nbtune.dashboard({})._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert faults({kind: bundle[kind] for kind in ("text/html", "text/markdown", "text/plain")}) == []


def test_the_function_is_not_hidden_by_the_room_of_its_kind() -> None:
    code = "import nbtune, nbtune.dashboards.app; assert callable(nbtune.dashboard); nbtune.dashboard({})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
