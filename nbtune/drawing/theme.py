"""The style sheet and the small pieces built on it.

Colours come from JupyterLab's or VS Code's variables, with fallbacks that are readable on light and dark ground.
Nothing is fetched, nothing is scripted; where a site strips the style sheet, plain tables and text remain.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from nbtune.drawing.text import Markup, escape, join

Tone = Literal["plain", "good", "warning", "error"]
_LINE = 500
"""Characters of what should be a line."""

# the rules for JupyterLab's outputs: buttons above a run whose kernel is gone, or is not heard by a page that was
# opened while it was busy, would stay as "Loading widget..."; the second tells at once that the picture stands still
_STYLE = """
.nbtune{--nb-text:var(--jp-ui-font-color1,var(--vscode-foreground,inherit));
--nb-soft:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,#767676));
--nb-line:var(--jp-border-color2,var(--vscode-panel-border,rgba(128,128,128,.35)));
--nb-code:var(--jp-layout-color2,var(--vscode-textCodeBlock-background,rgba(128,128,128,.14)));
--nb-accent:var(--jp-brand-color1,var(--vscode-charts-blue,#2f7fd1));
--nb-good:var(--jp-success-color1,var(--vscode-charts-green,#2e9b5b));
--nb-warn:var(--jp-warn-color1,var(--vscode-charts-orange,#d9730d));
--nb-bad:var(--jp-error-color1,var(--vscode-charts-red,#c2413b));
color:var(--nb-text);font-family:var(--jp-ui-font-family,var(--vscode-font-family,system-ui,sans-serif));
font-size:13px;line-height:1.45;max-width:960px;overflow-wrap:anywhere}
.nbtune .nbtune-soft,.nbtune figcaption,.nbtune caption{color:var(--nb-soft)}
.nbtune .nbtune-title{font-size:1.15em;font-weight:600;margin:.2em 0}
.nbtune .nbtune-row{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:center;margin:.35em 0}
.nbtune .nbtune-top{align-items:flex-start;column-gap:32px}
.nbtune code,.nbtune pre{background:var(--nb-code);color:inherit;border-radius:3px;padding:1px 4px;
font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,monospace));font-size:.93em}
.nbtune pre{padding:6px 8px;overflow-x:auto;white-space:pre}
.nbtune .nbtune-scroll{overflow-x:auto;margin:.4em 0}
.nbtune table.nbtune-table{border-collapse:collapse;border:0;margin:0;font-size:inherit;color:inherit;table-layout:auto}
.nbtune table.nbtune-table caption{text-align:left;caption-side:top;padding:2px 0}
.nbtune table.nbtune-table th,.nbtune table.nbtune-table td{padding:2px 12px 2px 0;border:0;background:none;
border-bottom:1px solid var(--nb-line);white-space:normal;overflow-wrap:break-word;vertical-align:top;max-width:44em}
.nbtune table.nbtune-table th{font-weight:600}.nbtune table.nbtune-table td.nbtune-right{white-space:nowrap}
.nbtune .nbtune-left{text-align:left!important}
.nbtune .nbtune-right{text-align:right!important;font-variant-numeric:tabular-nums}
.nbtune details{border-left:2px solid var(--nb-line);padding-left:8px;margin:.35em 0}
.nbtune summary{cursor:pointer;color:var(--nb-soft)}
.nbtune .nbtune-box{outline-offset:-2px!important;
max-height:16.5em;overflow-y:auto;padding-right:4px;border-bottom:1px solid var(--nb-line)}
.nbtune .nbtune-box .nbtune-scroll{margin:0;overflow:visible}
.nbtune .nbtune-box th{position:sticky;top:0;
background:var(--jp-layout-color0,var(--vscode-editor-background,Canvas))!important}
.nbtune .nbtune-late{animation:nbtune-late 10s step-end}
@keyframes nbtune-late{from{visibility:hidden;position:absolute}}
.nbtune summary:focus-visible,.nbtune .nbtune-box:focus-visible,
.nbtune a:focus-visible{outline:2px solid var(--nb-accent);outline-offset:2px}
.nbtune progress{accent-color:var(--nb-accent);width:220px;height:12px;vertical-align:middle}
.nbtune-controls{gap:4px;align-items:center}
.nbtune-controls button:focus-visible,.nbtune-controls input:focus-visible{outline:2px solid
var(--jp-brand-color1,var(--vscode-focusBorder,#2f7fd1))!important;outline-offset:1px}
.jp-OutputArea-child:has(>.jupyter-widgets):not(:has(.jupyter-widgets .jupyter-widgets)):has(+ .jp-OutputArea-child
.nbtune){display:none}
.jp-OutputArea-child:has(>.jp-OutputArea-output.lm-Panel):not(:has(>.jp-OutputArea-output>*)):has(+
.jp-OutputArea-child .nbtune){display:none}
.jp-OutputArea-child:has(>.jp-OutputArea-output.lm-Panel):not(:has(>.jp-OutputArea-output>*))
+ .jp-OutputArea-child .nbtune-late{animation-duration:1s}
.nbtune .nbtune-badge{white-space:nowrap;border:1px solid currentColor;border-radius:9px;padding:0 8px;font-size:.9em}
.nbtune .nbtune-good{color:var(--nb-good)}.nbtune .nbtune-warning{color:var(--nb-warn)}
.nbtune .nbtune-error{color:var(--nb-bad)}
.nbtune .nbtune-callout{border-left:3px solid var(--nb-line);padding:2px 8px;margin:.3em 0}
.nbtune .nbtune-callout.nbtune-warning,.nbtune .nbtune-callout.nbtune-error,.nbtune .nbtune-callout.nbtune-good{
border-color:currentColor}
.nbtune .nbtune-callout>span{color:var(--nb-text)}
.nbtune .nbtune-chart{max-width:100%;height:auto;color:var(--nb-text)}
.nbtune svg .nbtune-tick{fill:var(--nb-soft)}.nbtune svg .nbtune-grid{stroke:var(--nb-line);stroke-opacity:1}
.nbtune svg .nbtune-s0{stroke:var(--nb-accent)}.nbtune svg .nbtune-s1{stroke:var(--nb-warn)}
.nbtune svg .nbtune-s2{stroke:var(--nb-good)}.nbtune svg .nbtune-s4{stroke:var(--nb-bad)}
""".strip()


def style() -> Markup:
    """The style sheet, scoped to the class `nbtune`; `panel` includes it."""
    return Markup(f"<style>{_STYLE}</style>")


def panel(*parts: object) -> Markup:
    """The outermost element of an output, with the style sheet. Two prices in a text are no formula: MathJax, which
    Jupyter lets loose on outputs, is kept out by the two classes that it knows."""
    return Markup(f'{style()}<div class="nbtune tex2jax_ignore mathjax_ignore">{join(parts)}</div>')


def tag(name: str, *parts: object, css: str = "") -> Markup:
    """An element with the parts inside, those that are not `Markup` escaped. `css` are class names."""
    attribute = f' class="{escape(css)}"' if css else ""
    return Markup(f"<{name}{attribute}>{join(parts)}</{name}>")


def fold(summary: object, *parts: object, shown: bool = False) -> Markup:
    """Something to open by click or key."""
    return Markup(
        f"<details{' open' if shown else ''}><summary>{escape(summary, _LINE)}</summary>{join(parts)}</details>"
    )


def boxed(title: str, *parts: object) -> Markup:
    """Something long to scroll in, by wheel or keys; JupyterLab would take the keys on it for its own commands."""
    name = escape(title, _LINE)
    return Markup(
        f'<div><div class="nbtune-soft">{name}</div><div class="nbtune-box" role="region" tabindex="0" '
        f'data-lm-suppress-shortcuts="true" aria-label="{name}">{join(parts)}</div></div>'
    )


def late(*parts: object) -> Markup:
    """What appears when it has stood there for a while: in a picture that is redrawn all the time, only when it no
    longer is. Where styles are stripped it is there from the start."""
    return tag("div", *parts, css="nbtune-late")


def badge(text: object, tone: Tone = "plain") -> Markup:
    """A word in a frame: a status."""
    return tag("span", text, css=f"nbtune-badge nbtune-{tone}")


def callout(*parts: object, tone: Tone = "plain") -> Markup:
    """A sentence that should not be overlooked."""
    return Markup(f'<div class="nbtune-callout nbtune-{tone}"><span>{join(parts)}</span></div>')


def progress(done: float, total: float, label: str) -> Markup:
    """A progress bar with words for those who do not see it; without a value while `total` is unknown."""
    value = f' value="{min(done, total):g}" max="{total:g}"' if total > 0 else ""
    return Markup(f'<progress aria-label="{escape(label, _LINE)}"{value}>{escape(label, _LINE)}</progress>')


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """A line of `name value` pairs."""
    items = (
        Markup(f'<span><span class="nbtune-soft">{escape(name, _LINE)}</span> {escape(value, _LINE)}</span>')
        for name, value in pairs
    )
    return tag("div", join(items, " "), css="nbtune-row")  # the space is for where styles are stripped
