"""Is what is shown of hostile data harmless? Nasty texts to put wherever data may speak, and faults of what came out.

    @pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
    def test_my_picture_is_harmless(nasty):
        assert faults(draw(nasty)) == []

`faults` takes whatever can be shown: a mime bundle, an object that draws one, or text with `form` saying which kind.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Iterator, Mapping
from html.parser import HTMLParser
from typing import Any, Literal

from nbtune.drawing import style

Form = Literal["html", "markdown", "text"]
FORMS: Mapping[str, Form] = {"text/html": "html", "text/markdown": "markdown", "text/plain": "text"}

MEGABYTE = 1_000_000
LONGEST = 400_000
"""Characters that all of a picture may take in one form, whatever the data hold."""

NASTY: Mapping[str, str] = {
    "script": "<script>alert('nbtune')</script><img src=x onerror=alert(1)>",
    "attribute": "\" onmouseover=\"alert(1)\" ' onfocus='alert(1)' autofocus x=`y`",
    "closing": "</div></td></table></svg></title></style></summary></details></textarea></pre><h1 id=x>broken out",
    "comment": "--> <!-- <![CDATA[ ]]> <?php ?> <!DOCTYPE x> <svg onload=alert(1)> <math><mi xlink:href=x>",
    "entities": "&lt;script&gt; &#60;b&#62; &amp;amp; &nbsp",
    "markdown": "# big\n\n1. [click](javascript:alert(1)) ![x](http://example.invalid/x.png) **b** _i_ `c` ~~d~~ <u>e",
    "table": "a | b\n| --- | --- |\n\\| c \\\\| d [1]: http://example.invalid",
    "fence": "```\n<b>out</b>\n````\n~~~\n<b>out</b>",
    "formula": "$\\href{javascript:alert(1)}{x}$ $$y$$ \\(z\\)",
    "terminal": "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[0m \x9b1mbold \x08\x08\x7f",
    "direction": "\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c\u206a",
    "controls": "\x00\x0b\x0c\x85\u2028\u2029\ufeff\ufff9\ufffe\uffff\r\n\ttab",
    "half a pair": "\ud83d alone",
    "format": "{name} {0} %s %(x)d ${x}",
    "megabyte": "a<b&\"'" * (MEGABYTE // 6),
}

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        "style div span p pre code strong br mark bdi label meter progress ul li details summary "
        "table caption thead tbody tr th td img svg title g line text polyline polygon circle rect path",
    )
)
_ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        "class style dir title tabindex role aria-label data-lm-suppress-shortcuts "
        "scope open value min max colspan xmlns viewbox width height "
        "alt src color "
        "font-size font-weight x y x1 x2 y1 y2 cx cy r rx d points fill fill-opacity stroke stroke-width "
        "stroke-opacity stroke-linejoin stroke-dasharray text-anchor transform opacity",
    )
)
_VOID = frozenset({"br", "img"})
_STILL = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/]*=*)")
"""The only images there are: charts of ours, held whole."""
_STYLED = re.compile(r"[\w\s:;.%#/(),!-]*")


def faults(shown: Any, form: Form | None = None, *, longest: int = LONGEST, also: Collection[str] = ()) -> list[str]:
    """What is wrong with something shown; empty if it is harmless.

    `shown` is a string of the given `form`, a mapping of mime types to strings, or an object with
    `_repr_mimebundle_`, whose `repr` counts too. Other mime types are passed over. `also` names HTML elements that
    belong there beside those that nbtune uses everywhere, such as "h1".
    """
    if form is not None:
        return [f"{form}: {fault}" for fault in _of(str(shown), form, longest, also)]
    bundle = shown if isinstance(shown, Mapping) else shown._repr_mimebundle_()
    found = [
        fault
        for kind, form in FORMS.items()
        if kind in bundle
        for fault in faults(bundle[kind], form, longest=longest, also=also)
    ]
    return found if shown is bundle else [*found, *faults(repr(shown), "text", longest=longest)]


def _of(shown: str, form: Form, longest: int, also: Collection[str]) -> Iterator[str]:
    if len(shown) > longest:
        yield f"{len(shown):,} characters"
        return
    hidden = sorted({f"U+{ord(found):04X}" for found in _HIDDEN.findall(shown)})
    if hidden:
        yield f"holds {', '.join(hidden)} as such"
    if form == "html":
        yield from _html(shown, also)
    elif form == "markdown":
        yield from (f"as HTML: {fault}" for fault in _html(_rendered(shown), also))


def _html(shown: str, also: Collection[str]) -> list[str]:
    page = _Page(also)
    page.feed(shown)
    page.close()
    return page.verdict()


def _rendered(markdown: str) -> str:
    """As GitHub and Jupyter would, HTML inside included."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


class _Page(HTMLParser):
    """Elements and attributes that nbtune does not use, and elements that do not nest: data broke out."""

    def __init__(self, also: Collection[str]) -> None:
        super().__init__()
        self._known = {*_ELEMENTS, *also}
        self._open: list[str] = []
        self._faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self._faults.append(f"</{tag[:40]}> closes what it did not open")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style" and f"<style>{data}</style>" != style():
            self._faults.append("a style sheet that is not nbtune's")

    def handle_comment(self, data: str) -> None:
        self._faults.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self._faults.append("a declaration")

    def unknown_decl(self, data: str) -> None:
        self._faults.append("an unknown declaration")

    def handle_pi(self, data: str) -> None:
        self._faults.append("a processing instruction")

    def verdict(self) -> list[str]:
        left = [f"<{tag[:40]}> is not closed" for tag in self._open]
        return list(dict.fromkeys([*self._faults, *left]))

    def _look(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self._known:
            self._faults.append(f"an element <{tag[:40]}>")
        for name, value in attrs:
            if name not in _ATTRIBUTES:
                self._faults.append(f"an attribute {name[:40]} of <{tag[:40]}>")
            elif name in ("style", "class") and not _STYLED.fullmatch(value or ""):
                self._faults.append(f"an odd {name} of <{tag[:40]}>")
            elif name == "src":
                self._look_into(value or "")

    def _look_into(self, source: str) -> None:
        found = _STILL.fullmatch(source)
        if found is None:
            self._faults.append("an image that is no chart of ours")
            return
        drawn = base64.b64decode(found[1]).decode("utf-8", "replace")
        try:
            ElementTree.fromstring(drawn)
        except ElementTree.ParseError as error:
            self._faults.append(f"a chart that is not well-formed: {error}")
        self._faults.extend(f"in a chart: {fault}" for fault in _html(drawn, ()))
