"""What a report shows beside the scores of labels: how each label fared, and which are taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nbtune.tasks.label_metrics import BASE, LabelScores, f1, label_metrics, precision, recall
from nbtune.values import Example

if TYPE_CHECKING:
    import pandas as pd


def per_label_table(
    labels: tuple[str, ...], examples: Sequence[Example], predictions: Sequence[LabelScores]
) -> pd.DataFrame:
    """Precision, recall, F1, gold rows (`support`) and predicted rows of each label.

    A label without a gold row has no recall and no F1 (NaN), one that is not predicted either no precision; a label
    that is there and never predicted has precision 0.
    """
    import pandas as pd

    sums = label_metrics(labels).tallies(examples, predictions).sum(0)
    right, predicted, gold = (part[:-1] for part in sums[len(BASE) :].reshape(3, len(labels) + 1))
    there = gold > 0
    return pd.DataFrame(
        {
            "label": list(labels),
            "precision": np.where(there | (predicted > 0), precision(right, predicted, gold), np.nan),
            "recall": np.where(there, recall(right, predicted, gold), np.nan),
            "f1": np.where(there, f1(right, predicted, gold), np.nan),
            "support": gold.astype(int),
            "predicted": predicted.astype(int),
        }
    )


def confusion_tables(
    labels: tuple[str, ...], examples: Sequence[Example], predictions: Sequence[LabelScores], *, most: int = 30
) -> dict[str, pd.DataFrame]:
    """Title -> the table of gold against predicted labels, or, beyond `most` labels, the 20 commonest confusions.

    For predictions of one label a row. Gold labels that the model does not know get a row of their own.
    """
    import pandas as pd

    pairs = Counter(
        (str(example.target), prediction.names[0])
        for example, prediction in zip(examples, predictions, strict=True)
        if example.target is not None
    )
    if len(labels) <= most:
        unknown = sorted({gold for gold, _ in pairs} - set(labels))
        rows = [*labels, *unknown]
        table = pd.DataFrame([[pairs[gold, predicted] for predicted in labels] for gold in rows], rows, list(labels))
        return {"confusion (rows: gold, columns: predicted)": table.rename_axis("gold")}
    support = Counter[str]()
    for (gold, _), count in pairs.items():
        support[gold] += count
    worst = sorted(
        ((-count, gold, predicted) for (gold, predicted), count in pairs.items() if gold != predicted),
    )[:20]
    return {
        "most frequent confusions": pd.DataFrame(
            [(gold, predicted, -count, -count / support[gold]) for count, gold, predicted in worst],
            columns=["gold", "predicted", "rows", "share of gold"],
        )
    }
