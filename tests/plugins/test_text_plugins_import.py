"""Finding out what the text tasks are must stay cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("plugin", ["nbtune_classification", "nbtune_sentiment"])
def test_a_plugin_is_listed_without_loading_torch(plugin: str) -> None:
    heavy = "torch transformers pandas sklearn scipy"
    code = (
        f"import sys, {plugin} as plugin; plugin.nbtune_tasks();"
        f"sys.exit(str([name for name in '{heavy}'.split() if name in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""
