"""What the texts of a data set look like: broken encodings, markup, other scripts, next to nothing."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from nbtune.data.findings import called, finding_on, rows_in_words, s
from nbtune.tasks.task import Task
from nbtune.values import Example, Finding, Part, Severity

if TYPE_CHECKING:
    import ftfy

_LETTERS_READ = 300
"""Characters by which the script of a text is told."""
_USUAL = 0.8
"""The share of the texts that must be in one script for the others to be odd."""
_ODD = 0.1
"""The largest share of texts in other scripts that is odd, and not a data set in two languages."""

_TAG = re.compile(
    r"</?(?:a|abbr|article|b|blockquote|body|br|button|center|code|dd|div|dl|dt|em|font|footer|form|h[1-6]|head|header"
    r"|hr|html|i|iframe|img|input|li|link|main|meta|nav|ol|p|pre|q|script|section|small|span|strong|style|sub|sup|table"
    r"|tbody|td|textarea|th|thead|title|tr|tt|u|ul|video)(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|mdash|ndash|hellip|rsquo|lsquo|rdquo|ldquo|#\d{1,7}|#x[0-9a-f]{1,6});", re.I
)
_MARKDOWN = re.compile(r"\[[^\]\n]{1,200}\]\(\S{1,500}\)|^#{1,6} \S|^```|\*\*\S[^*\n]{0,200}\*\*", re.MULTILINE)
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
# controls beside tab and line ends, soft hyphen, zero-width space, word joiner, byte order mark, overrides of
# direction; joiners (U+200C, U+200D) and the marks of direction belong to the spelling of some scripts
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u2028-\u202e\u2060\u2066-\u2069\ufeff]")


def unseen(text: str) -> bool:
    """Whether a text holds control characters or others that nobody sees and a tokenizer stumbles over."""
    return _UNSEEN.search(text) is not None


def garbled(text: str) -> bool:
    """Whether a text was read in a wrong encoding, as in "cafÃ©", and can be read in the right one."""
    if text.isascii():
        return False
    import ftfy
    from ftfy.badness import is_bad

    return bool(is_bad(text)) and ftfy.fix_encoding(text) != text


def normalised(text: str) -> str:
    """A text in its right encoding, without characters that nobody sees, composed (NFC); never an empty one.

    Quotes, ligatures, wide letters, entities and line ends stay as they are: the model may learn from them.
    """
    if text.isascii() and not unseen(text):
        return text
    fixed = _UNSEEN.sub("", _fixed(text))
    return fixed if fixed.strip() else text


def texts_of(task: Task) -> Callable[[Example], list[str]]:
    """What gives the texts of an example: its inputs that are strings and not taken from a column of another kind."""
    others = {column.name for column in task.columns if column.kind not in ("text", "tokens", "spans")}
    return lambda example: [
        value for name, value in example.inputs.items() if isinstance(value, str) and name not in others
    ]


class Wording:
    """What is odd about the texts of a part: `over` looks at its examples as they pass by, `findings` then tells each
    kind once, with its rows."""

    def __init__(self, task: Task, part: Part) -> None:
        self._task, self._part = task, part
        self._found: dict[str, list[int]] = {kind: [] for kind in _KINDS}
        self._scripts: list[str] = []
        self._rows: list[int] = []

    def over(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The same examples, looked at."""
        read = texts_of(self._task)
        for example in examples:
            texts = read(example)
            if texts:
                for kind in {kind for text in texts for kind in _kinds(text)}:
                    self._found[kind].append(example.row)
                self._rows.append(example.row)
                self._scripts.append(_script(max(texts, key=len)))
            yield example

    def findings(self) -> Iterator[Finding]:
        for kind, (severity, words, remedy, fix) in _KINDS.items():
            rows = self._found[kind]
            if rows:
                texts = f"{len(rows):,} {called(self._part)} text{s(len(rows))}"
                message = f"{texts} {words[len(rows) > 1]} ({rows_in_words(rows)})"
                yield finding_on(severity, message, remedy, rows, fix if fix in self._task.fixes else "")
        yield from _odd_scripts(self._part, self._scripts, self._rows)


def _kinds(text: str) -> Iterator[str]:
    if not text.isascii():
        if garbled(text):
            yield "garbled"
        if "\ufffd" in text:
            yield "lost"
    if unseen(text):
        yield "unseen"
    if "<" in text and _TAG.search(text):
        yield "tags"
    if "&" in text and _ENTITY.search(text):
        yield "entities"
    if ("](" in text or "**" in text or "#" in text or "```" in text) and _MARKDOWN.search(text):
        yield "markdown"
    if ("://" in text or "www." in text) and not _URL.sub("", text).strip(" \t\r\n.,;:!<>()[]\"'"):
        yield "address"
    if len(text) < 40 and not any(character.isalnum() for character in text):
        yield "wordless"


_CLEAN = "take it out before training, unless new texts will hold it too"
_KINDS: Mapping[str, tuple[Severity, tuple[str, str], str, str]] = {
    "garbled": (
        "warning",
        ("was read in a wrong encoding, such as Ã© for é", "were read in a wrong encoding, such as Ã© for é"),
        "read the file in its own encoding",
        "normalise_text",
    ),
    "lost": (
        "warning",
        ("holds the sign for a lost character (U+FFFD)", "hold the sign for a lost character (U+FFFD)"),
        "read the file in its own encoding: what is lost cannot be brought back",
        "",
    ),
    "unseen": (
        "note",
        ("holds control or other invisible characters", "hold control or other invisible characters"),
        "take them out, here and in new texts",
        "normalise_text",
    ),
    "tags": ("note", ("holds HTML tags", "hold HTML tags"), _CLEAN, ""),
    "entities": ("note", ("holds HTML entities such as &amp;", "hold HTML entities such as &amp;"), _CLEAN, ""),
    "markdown": ("note", ("holds Markdown", "hold Markdown"), _CLEAN, ""),
    "address": (
        "note",
        ("is an address (URL) and nothing else", "are an address (URL) and nothing else"),
        "drop them: an address says little",
        "",
    ),
    "wordless": (
        "note",
        ("has no letter and no digit", "have no letter and no digit"),
        "drop them, unless signs such as :) are what you learn",
        "",
    ),
}


def _fixed(text: str) -> str:
    import ftfy

    return ftfy.fix_text(text, _config())


@cache
def _config() -> ftfy.TextFixerConfig:
    import ftfy

    return ftfy.TextFixerConfig(
        unescape_html=False,
        uncurl_quotes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        fix_line_breaks=False,
        normalization="NFC",
        explain=False,
    )


def _odd_scripts(part: Part, scripts: Sequence[str], rows: Sequence[int]) -> Iterator[Finding]:
    counts = Counter(script for script in scripts if script)
    if not counts:
        return
    usual, most = counts.most_common(1)[0]
    odd = [row for script, row in zip(scripts, rows, strict=True) if script and script != usual]
    if odd and most >= _USUAL * counts.total() and len(odd) <= _ODD * counts.total():
        others = ", ".join(script for script, _ in counts.most_common(4) if script != usual)
        yield finding_on(
            "note",
            f"{len(odd):,} {called(part)} text{s(len(odd))} in another script ({others}) than the rest ({usual})"
            f" ({rows_in_words(odd)})",
            "check that they belong here, and that the model knows the script",
            odd,
        )


def _script(text: str) -> str:
    """The script of most letters at the beginning of a text, such as "Latin"; "" without letters."""
    beginning = text[:_LETTERS_READ]
    if beginning.isascii():
        return "Latin" if any(character.isalpha() for character in beginning) else ""
    counts: Counter[str] = Counter()
    for character, count in Counter(beginning).items():
        script = _script_of(character)
        if script:
            counts[script] += count
    return counts.most_common(1)[0][0] if counts else ""


@cache
def _script_of(character: str) -> str:
    """By the first word of the character's name, which Unicode begins with the script."""
    if not character.isalpha():
        return ""
    word = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    return {
        "CJK": "Han",
        "HIRAGANA": "Han",
        "KATAKANA": "Han",
        "HALFWIDTH": "Han",
        "MODIFIER": "",
        "FULLWIDTH": "Latin",
        "FEMININE": "Latin",
        "MASCULINE": "Latin",
        "MICRO": "Latin",
        "MATHEMATICAL": "Latin",
    }.get(word, word.capitalize())
