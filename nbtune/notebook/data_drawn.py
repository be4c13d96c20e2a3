"""What a run is told about its data: where it came from, its columns, and what looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nbtune.drawing import Markup, callout, counted, escape, fold, shorten, table, tag
from nbtune.drawing.theme import Tone
from nbtune.events import Prepared


def findings(prepared: Prepared | None) -> Markup:
    """What the checks noticed: folded, with how many there are of each severity in the line that stays."""
    if prepared is None or not prepared.findings:
        return Markup("")
    return fold(f"about the data: {findings_counted(prepared.findings)}", findings_list(prepared.findings))


def findings_counted(findings: Sequence[Mapping[str, Any]]) -> str:
    """Such as "1 warning, 3 notes"."""
    counts = Counter(str(finding.get("severity")) for finding in findings)
    return ", ".join(
        counted(counts[severity], severity) for severity in ("error", "warning", "note") if counts[severity]
    )


def data_details(prepared: Prepared) -> Markup:
    """Which columns were taken and why, the sizes of the parts, the labels."""
    columns = [(name, column, prepared.reasons.get(name, "")) for name, column in prepared.columns.items()]
    parts = [(part, count) for part, count in prepared.parts.items()]
    labels = sorted(prepared.labels.items(), key=lambda item: -item[1])
    shown = [(shorten(label, 100), count) for label, count in labels[:40]]
    more = (
        tag("p", f"and {len(labels) - len(shown)} more labels", css="nbtune-soft") if len(labels) > len(shown) else ""
    )
    return tag(
        "div",
        tag("div", prepared.data),
        *([tag("div", f"split: {prepared.split}")] if prepared.split else []),
        table(("the task's column", "taken from", "why"), columns),
        table(("part", "examples"), parts),
        table(("label", "in training"), shown) if shown else "",
        more,
    )


def findings_list(findings: tuple[Mapping[str, Any], ...]) -> Markup:
    """What the checks noticed, the grave ones first."""
    order = {"error": 0, "warning": 1, "note": 2}
    tones: Mapping[str, Tone] = {"error": "error", "warning": "warning"}
    ranked = sorted(findings, key=lambda finding: order.get(str(finding.get("severity")), 3))
    return Markup(
        "".join(
            callout(
                finding.get("message", ""),
                Markup(f'<br><span class="nbtune-soft">{escape(finding["remedy"])}</span>')
                if finding.get("remedy")
                else "",
                tone=tones.get(str(finding.get("severity")), "plain"),
            )
            for finding in ranked
        )
    )
