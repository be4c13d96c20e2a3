"""The model card: what was trained on what, how good it is, how to use it."""

from __future__ import annotations

from collections.abc import Iterable

from nbtune.drawing import markdown_safe, visible
from nbtune.evaluation import rendering
from nbtune.evaluation.report import Report
from nbtune.running.folder import now
from nbtune.running.spec import RunSpec, write_spec

_USE = """```python
import nbtune

run = nbtune.load("{name}")
run.predict(["a text"])
```"""


def model_card(name: str, spec: RunSpec, data: str, report: Report, fixes: Iterable[object] = ()) -> str:
    """Markdown for the run's README.md; `fixes` says what was changed in the data."""
    changes = "".join(f"\n- {markdown_safe(fixed)}" for fixed in fixes)
    parts = [
        f"# {name}",
        f"A `{spec.task}` model, fine-tuned with nbtune from {markdown_safe(spec.model)} on {now()[:10]}. "
        f"Training data: {markdown_safe(data)}.",
        *([f"Changed in the data before training:\n{changes}"] if changes else []),
        "## Scores",
        rendering.markdown(report).rstrip(),
        "## Use",
        _USE.format(name=name),
        "The folder `model/` also loads with plain `transformers`.",
        "## Settings",
        f"```toml\n{_fenced(write_spec(spec).rstrip())}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _fenced(settings: str) -> str:
    """Settings name columns and files, which may hold anything; `spec.toml` has them in full."""
    return visible(settings, 20_000).replace("```", "'''")
