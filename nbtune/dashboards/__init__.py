"""The dashboard: the whole way from data to a model by mouse or keys, of ipywidgets.

Like a magic it holds no logic of training: it collects settings, and calls what `nbtune.finetune` calls.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbtune.dashboards.app import Dashboard


def open_dashboard(namespace: Mapping[str, Any] | None = None) -> Dashboard:
    """A dashboard over the variables in `namespace`; by default, those of the notebook."""
    from nbtune.dashboards.app import Dashboard

    if namespace is None:
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        namespace = shell.user_ns if shell is not None else {}
    return Dashboard(namespace)
