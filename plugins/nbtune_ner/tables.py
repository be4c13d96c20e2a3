"""What a report shows beside the scores: a row for each type, the kinds of mistakes, seqeval's own report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nbtune.api import Example
from nbtune_ner.metrics import boundary_tags
from nbtune_ner.predictions import Prediction, found_spans
from nbtune_ner.reading import Span, gold
from nbtune_ner.words import touched

if TYPE_CHECKING:
    import pandas as pd

_MISTAKES = {
    "right": "same words, same type",
    "wrong type": "same words, another type",
    "wrong boundary": "same type, overlapping words",
    "wrong type and boundary": "another type, overlapping words",
    "missed": "gold, nothing found there",
    "made up": "found, nothing gold there",
}


def entity_tables(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Mapping[str, pd.DataFrame | str]:
    """Title -> table. Examples without a known target are left out."""
    scored = [
        (gold(example), prediction)
        for example, prediction in zip(examples, predictions, strict=True)
        if example.target is not None
    ]
    pairs = [(wanted, found_spans(prediction)) for wanted, prediction in scored]
    return {
        "by type": _by_type(pairs),
        "mistakes": _mistakes(pairs),
        "repaired tags": _repaired(scored),
        "seqeval report (strict, IOB2)": seqeval_report(pairs),
    }


def seqeval_report(pairs: Sequence[tuple[Sequence[Span], Sequence[Span]]]) -> str:
    """The report of seqeval on the gold and found spans of each text, as BIO tags cut where spans begin and end."""
    wanted_tags, found_tags = [], []
    for wanted, found in pairs:
        for group in _groups(wanted, found):
            cuts = sorted({cut for side in group for start, end, _ in side for cut in (start, end)})
            wanted_tags.append(boundary_tags(group[0], cuts))
            found_tags.append(boundary_tags(group[1], cuts))
    if not wanted_tags:
        return "no entities, neither gold nor found"
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    report = classification_report(wanted_tags, found_tags, mode="strict", scheme=IOB2, digits=4, zero_division=0)
    return str(report)


def _groups(wanted: Sequence[Span], found: Sequence[Span]) -> list[tuple[list[Span], list[Span]]]:
    """Gold and found spans that overlap, together: seqeval takes time with the square of the entities of a text."""
    groups: list[tuple[list[Span], list[Span]]] = []
    reached = 0
    for span, side in sorted([*((span, 0) for span in wanted), *((span, 1) for span in found)]):
        if not groups or span[0] >= reached:
            groups.append(([], []))
        groups[-1][side].append(span)
        reached = max(reached, span[1])
    return groups


def _by_type(pairs: Sequence[tuple[list[Span], list[Span]]]) -> pd.DataFrame:
    import pandas as pd

    right, found, wanted = Counter[str](), Counter[str](), Counter[str]()
    for own_gold, own_found in pairs:
        wanted.update(kind for _, _, kind in own_gold)
        found.update(kind for _, _, kind in own_found)
        right.update(kind for _, _, kind in set(own_gold).intersection(own_found))
    rows = [_row(kind, right[kind], found[kind], wanted[kind]) for kind in sorted({*found, *wanted})]
    rows.append(_row("all (micro)", right.total(), found.total(), wanted.total()))
    return pd.DataFrame(rows).set_index("type")


def _row(kind: str, right: int, found: int, wanted: int) -> dict[str, str | float | int]:
    return {
        "type": kind,
        "precision": right / found if found else 0.0,
        # a type that is not there cannot be found: NaN, which is shown as absent
        "recall": right / wanted if wanted else math.nan,
        "f1": 2 * right / (found + wanted) if wanted else math.nan,
        "right": right,
        "found": found,
        "gold": wanted,
    }


def _mistakes(pairs: Sequence[tuple[list[Span], list[Span]]]) -> pd.DataFrame:
    import pandas as pd

    counts = Counter[str]()
    for wanted, found in pairs:
        counts.update(_judge(span, found) for span in wanted)
        counts["made up"] += sum(not _near(span, wanted) for span in found)
    rows = [{"kind": kind, "count": counts[kind], "meaning": meaning} for kind, meaning in _MISTAKES.items()]
    return pd.DataFrame(rows).set_index("kind")


def _judge(wanted: Span, found: Sequence[Span]) -> str:
    """What became of a gold entity; of several found entities on it the best one counts."""
    near = _near(wanted, found)
    if wanted in near:
        return "right"
    if any(span[:2] == wanted[:2] for span in near):
        return "wrong type"
    if any(span[2] == wanted[2] for span in near):
        return "wrong boundary"
    return "wrong type and boundary" if near else "missed"


def _near(span: Span, others: Sequence[Span]) -> Sequence[Span]:
    first, stop = touched(others, span[0], span[1])
    return others[first:stop]


def _repaired(scored: Sequence[tuple[list[Span], Prediction]]) -> pd.DataFrame:
    """The micro scores by both rules for what the model tagged with an I and no B."""
    import pandas as pd

    rows = []
    for rule, counted in (("opens an entity (conlleval)", True), ("is no entity (seqeval, strict IOB2)", False)):
        right = found = 0
        for wanted, prediction in scored:
            left_out = () if counted else set(prediction["repaired"])
            own = [span for place, span in enumerate(found_spans(prediction)) if place not in left_out]
            found += len(own)
            right += len(set(wanted).intersection(own))
        gold_entities = sum(len(wanted) for wanted, _ in scored)
        scores = {key: value for key, value in _row(rule, right, found, gold_entities).items() if key != "type"}
        rows.append({"an I that goes on with no entity": rule, **scores})
    return pd.DataFrame(rows)
