"""A run as it stands or as it ended, in all the forms that a frontend may choose from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbtune.drawing import Markup, size
from nbtune.errors import NbtuneError
from nbtune.events import Noted
from nbtune.notebook.html import given_panel, moving_panel, run_panel, scored_panel
from nbtune.notebook.picture import Picture, bundle_of
from nbtune.notebook.plain import run_markdown, run_text
from nbtune.notebook.state import RunState

if TYPE_CHECKING:
    from nbtune.running.run import Run

LARGEST = 300_000
"""Bytes of a saved notebook that the picture of a run may take, all its forms together."""


def run_picture(state: RunState, *, folder: str = "", report: Any = None, curves: bool = True) -> Picture:
    """A run as it stands, with its report where there is one. Without `curves`, that of the loss is drawn elsewhere."""
    drawn = bundle_of(report)
    return Picture(
        html=run_panel(state, report=Markup(drawn.get("text/html", "")), folder=folder, curves=curves),
        markdown="\n\n".join(filter(None, (run_markdown(state, folder=folder), drawn.get("text/markdown")))),
        text="\n\n".join(filter(None, (run_text(state, folder=folder), drawn.get("text/plain")))),
    )


def live_pictures(state: RunState, *, curves: bool = True) -> tuple[Picture, ...]:
    """A run while somebody looks on, in pieces that are drawn one below the other: each changes at its own pace, and
    what was opened in one that did not change stays open."""
    moving = Picture(html=moving_panel(state, curves=curves), markdown=run_markdown(state), text=run_text(state))
    return (moving, *(Picture(html=each, markdown="", text="") for each in (scored_panel(state), given_panel(state))))


def final_picture(state: RunState, *, report: bool = True) -> Picture:
    """A run that has ended, with the report and the place that are on disk by then."""
    from nbtune.running.catalog import load

    if state.started is None:
        return run_picture(state)
    try:
        return kept_picture(state, load(state.started.run), report=report)
    except (NbtuneError, OSError, ValueError, KeyError):  # a stream replayed without its folder
        return run_picture(state)


def kept_picture(state: RunState, run: Run, *, report: bool = True) -> Picture:
    """A run with what its folder holds. A report that is too large for a notebook is only named: labels of a thousand
    characters are in each of its tables."""
    folder = str(run.folder)
    picture = run_picture(state, folder=folder, report=run.report if report else None)
    weight = _weight(picture)
    if weight <= LARGEST:
        return picture
    words = f"the report would take {size(weight)} of the notebook and is left out: nbtune.load({run.name!r}).report"
    state.notes.append(Noted(step=state.step, severity="note", message=words))
    return run_picture(state, folder=folder)


def _weight(picture: Picture) -> int:
    return len(json.dumps(picture._repr_mimebundle_(), ensure_ascii=False).encode("utf-8", "surrogatepass"))
