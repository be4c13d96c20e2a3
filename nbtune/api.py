"""Everything a plugin may import from nbtune, and nothing else.

Importing it brings no torch: the building blocks that need torch are loaded when first touched.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nbtune.control import Control
from nbtune.drawing import escape
from nbtune.errors import DataError, ModelError, NbtuneError, PluginError, RunError, SpecError, did_you_mean
from nbtune.events import (
    Adjusted,
    Ended,
    Evaluated,
    Event,
    Noted,
    Paused,
    Prepared,
    Preparing,
    Resumed,
    Saved,
    Started,
    Stepped,
)
from nbtune.tasks.explained import Explained, Place, token_places
from nbtune.tasks.head import Batch, Forward, Head, Recipe
from nbtune.tasks.hookspecs import Watcher, hookimpl
from nbtune.tasks.judging import Claim, Judgement
from nbtune.tasks.metrics import Floats, Metric, MetricSet, WholeMetric, mean, ratio
from nbtune.tasks.panels import Ask, Panel
from nbtune.tasks.reading import tokens_read
from nbtune.tasks.slices import Slice
from nbtune.tasks.task import Baseline, Task, TaskOptions
from nbtune.values import (
    Column,
    ColumnMap,
    Example,
    Feature,
    Finding,
    Inventory,
    Part,
    Problem,
)

if TYPE_CHECKING:
    from nbtune.data.cells import clean_label, clean_number, clean_text, split_labels
    from nbtune.evaluation.baselines import majority, tfidf_logistic
    from nbtune.running.model import Model
    from nbtune.tasks.heads import SequenceHead, class_weight_tensor, log_odds
    from nbtune.tasks.label_metrics import LabelScores, joined, label_metrics
    from nbtune.tasks.label_tables import confusion_tables, per_label_table
    from nbtune.tasks.pretrained import Pretrained
    from nbtune.tasks.scale_metrics import number_metrics, ordinal_metrics

_LAZY = {
    "LabelScores": "nbtune.tasks.label_metrics",
    "Model": "nbtune.running.model",
    "Pretrained": "nbtune.tasks.pretrained",
    "SequenceHead": "nbtune.tasks.heads",
    "class_weight_tensor": "nbtune.tasks.heads",
    "clean_label": "nbtune.data.cells",
    "clean_number": "nbtune.data.cells",
    "clean_text": "nbtune.data.cells",
    "confusion_tables": "nbtune.tasks.label_tables",
    "joined": "nbtune.tasks.label_metrics",
    "label_metrics": "nbtune.tasks.label_metrics",
    "log_odds": "nbtune.tasks.heads",
    "majority": "nbtune.evaluation.baselines",
    "number_metrics": "nbtune.tasks.scale_metrics",
    "ordinal_metrics": "nbtune.tasks.scale_metrics",
    "per_label_table": "nbtune.tasks.label_tables",
    "split_labels": "nbtune.data.cells",
    "tfidf_logistic": "nbtune.evaluation.baselines",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Adjusted",
    "Ask",
    "Baseline",
    "Batch",
    "Claim",
    "Column",
    "ColumnMap",
    "Control",
    "DataError",
    "Ended",
    "Evaluated",
    "Event",
    "Example",
    "Explained",
    "Feature",
    "Finding",
    "Floats",
    "Forward",
    "Head",
    "Inventory",
    "Judgement",
    "LabelScores",
    "Metric",
    "MetricSet",
    "Model",
    "ModelError",
    "NbtuneError",
    "Noted",
    "Panel",
    "Part",
    "Paused",
    "Place",
    "PluginError",
    "Prepared",
    "Preparing",
    "Pretrained",
    "Problem",
    "Recipe",
    "Resumed",
    "RunError",
    "Saved",
    "SequenceHead",
    "Slice",
    "SpecError",
    "Started",
    "Stepped",
    "Task",
    "TaskOptions",
    "Watcher",
    "WholeMetric",
    "class_weight_tensor",
    "clean_label",
    "clean_number",
    "clean_text",
    "confusion_tables",
    "did_you_mean",
    "escape",
    "hookimpl",
    "joined",
    "label_metrics",
    "log_odds",
    "majority",
    "mean",
    "number_metrics",
    "ordinal_metrics",
    "per_label_table",
    "ratio",
    "split_labels",
    "tfidf_logistic",
    "token_places",
    "tokens_read",
]
