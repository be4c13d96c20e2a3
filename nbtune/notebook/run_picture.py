"""A run as it stands or as it ended, in all the forms that a frontend may choose from."""

from __future__ import annotations

from typing import Any

from nbtune.drawing import Markup
from nbtune.errors import NbtuneError
from nbtune.notebook.html import run_panel
from nbtune.notebook.picture import Picture, bundle_of
from nbtune.notebook.plain import run_markdown, run_text
from nbtune.notebook.state import RunState


def run_picture(state: RunState, *, folder: str = "", report: Any = None, curves: bool = True) -> Picture:
    """A run as it stands, with its report where there is one. Without `curves`, that of the loss is drawn elsewhere."""
    drawn = bundle_of(report)
    return Picture(
        html=run_panel(state, report=Markup(drawn.get("text/html", "")), folder=folder, curves=curves),
        markdown="\n\n".join(filter(None, (run_markdown(state, folder=folder), drawn.get("text/markdown")))),
        text="\n\n".join(filter(None, (run_text(state, folder=folder), drawn.get("text/plain")))),
    )


def final_picture(state: RunState, *, report: bool = True) -> Picture:
    """A run that has ended, with the report and the place that are on disk by then."""
    from nbtune.running.catalog import load

    if state.started is None:
        return run_picture(state)
    try:
        run = load(state.started.run)
        return run_picture(state, folder=str(run.folder), report=run.report if report else None)
    except (NbtuneError, OSError, ValueError, KeyError):  # a stream replayed without its folder
        return run_picture(state)
