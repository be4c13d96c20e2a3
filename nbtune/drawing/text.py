"""Text that is safe to show: no markup from data, no control characters, numbers people can read."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from numbers import Integral, Real


class Markup(str):
    """HTML that is known to be safe, because it was built here or escaped already."""

    __slots__ = ()


MOST = 5_000
"""Characters of one piece of text that are shown where nobody says otherwise: data may hold words of a megabyte."""

# C0 and C1 controls (an escape sequence can rewrite a terminal), the characters that reorder, hide or break text, and
# those that no XML may hold
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_MARKS = re.compile(r"[\\`*\[\]~$|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_BLOCK = re.compile(r"^(?:[#+=-]|\d+(?=[.)]))")


def visible(text: object, most: int = MOST) -> str:
    """`text` as a string in which control characters and direction overrides are shown, not obeyed. Of a text of more
    than `most` characters, the beginning and the end."""
    whole = str(text)
    if len(whole) > most:
        left_out = len(whole) - most
        whole = f"{whole[: most * 3 // 4]} … ({left_out:,} characters left out) … {whole[-(most // 4) :]}"
    return _HIDDEN.sub(_show, whole.replace("\r\n", "\n"))


def escape(text: object, most: int = MOST) -> Markup:
    """`text` safe inside HTML and its quoted attributes, cut as by `visible`. `Markup` is left as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(visible(text, most), quote=True))


def markdown_safe(text: object, most: int = MOST) -> str:
    """Text from data on one line of Markdown, with nothing in it that Markdown, HTML or MathJax take for a mark."""
    line = markdown_cell(text, most)
    return _BLOCK.sub(lambda found: found[0] + "\\" if found[0].isdigit() else "\\" + found[0], line)


def markdown_cell(text: object, most: int = MOST) -> str:
    """As `markdown_safe`, where no line begins: `-0.5` needs no mark there."""
    line = html.escape(" ".join(visible(text, most).split()), quote=False)
    return _MARKS.sub(r"\\\g<0>", line)


def join(parts: Iterable[object], separator: str = "") -> Markup:
    """The parts one after the other, those that are not `Markup` escaped. The separator must be safe."""
    return Markup(separator.join(escape(part) for part in parts))


def shorten(text: object, limit: int = 80) -> str:
    """One line of at most `limit` characters."""
    # a cell may hold megabytes: only what can be shown is looked at
    line = " ".join(str(text)[: limit * 4].split())
    return line if len(line) <= limit and len(str(text)) <= limit * 4 else line[: limit - 1] + "…"


def number(value: object, digits: int = 4) -> str:
    """A number for people: thousands separated, `digits` significant ones, a dash for what is missing."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return "–" if value is None else str(value)
    if isinstance(value, Integral):
        return f"{int(value):,}"
    amount = float(value)
    if math.isnan(amount):
        return "–"
    if math.isinf(amount):
        return "∞" if amount > 0 else "-∞"
    if amount and not 1e-4 <= abs(amount) < 1e9:
        return f"{amount:.{digits - 2}e}".replace("e-0", "e-").replace("e+0", "e+")
    whole = len(str(int(abs(amount))))
    decimals = digits if abs(amount) < 1 else max(0, digits - whole)
    shown = f"{amount:,.{decimals}f}"
    # settings such as 0.00005 need more places than scores do
    return f"{amount:.{digits}g}" if amount and float(shown.replace(",", "")) == 0 else shown


def counted(count: int, one: str, many: str = "") -> str:
    """Such as "1 note" and "3 notes"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def duration(seconds: float) -> str:
    """Seconds as `4.2 s`, `3 min 10 s` or `2 h 5 min`."""
    if not math.isfinite(seconds) or seconds < 0:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(amount: int) -> str:
    """Bytes as `340 kB`, `830 MB` or `4.2 GB`."""
    if amount < 10**6:
        return f"{amount / 1000:,.0f} kB"
    return f"{amount / 2**20:,.0f} MB" if amount < 2**30 else f"{amount / 2**30:,.1f} GB"


def _show(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode has a picture of each C0 control
    return f"<U+{code:04X}>" if code < 0xD800 or code > 0xDFFF else "\ufffd"
