"""What is said of texts: only what is so, with the rows."""

from __future__ import annotations

import pytest

from nbtune.data.wording import Wording, garbled, normalised
from nbtune.tasks.task import Task
from nbtune.values import Example

PLAIN = [f"an ordinary sentence, number {number}" for number in range(40)]


def looked(task: Task, *texts: str) -> dict[str, tuple[int, ...]]:
    examples = [Example({"text": text}, "a", row=row) for row, text in enumerate([*PLAIN, *texts])]
    wording = Wording(task, "train")
    assert list(wording.over(examples)) == examples
    return {finding.message: finding.rows for finding in wording.findings()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("das ist schÃ¶n und grÃ¼n", "was read in a wrong encoding"),
        ("das ist sch\ufffdn", "holds the sign for a lost character"),
        ("zero\u200bwidth", "holds control or other invisible characters"),
        ("\x1b[31mred\x1b[0m and dead", "holds control or other invisible characters"),
        ("a <b>bold</b> move", "holds HTML tags"),
        ('<script src="x">alert(1)</script> hello', "holds HTML tags"),
        ("fish &amp; chips", "holds HTML entities"),
        ("see [the page](https://example.org/x)", "holds Markdown"),
        ("https://example.org/a?b=c", "is an address (URL) and nothing else"),
        ("?!", "has no letter and no digit"),
        ("Это совсем другой язык", "in another script (Cyrillic) than the rest (Latin)"),
    ],
)
def test_each_oddity_is_named_with_its_row(toy: Task, text: str, words: str) -> None:
    found = looked(toy, text)
    assert [rows for message, rows in found.items() if words in message] == [(40,)]


@pytest.mark.parametrize(
    "text",
    [
        "if a < b and c > d then stop",
        "AT&T and R&D;",
        "#hashtag with * and ** alone",
        "read https://example.org/a before you go",
        "Ångström, façade, naïve, 'São Paulo' – “quoted”",
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467 and \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"[:14],
        "<user> said: hi",
        "tabs\tand\r\nlines",
    ],
)
def test_ordinary_texts_raise_no_alarm(toy: Task, text: str) -> None:
    assert looked(toy, text) == {}


def test_two_languages_in_equal_shares_are_not_odd(toy: Task) -> None:
    assert looked(toy, *["ещё одно обычное предложение"] * 30) == {}


def test_messages_never_quote_the_texts(toy: Task) -> None:
    for message in looked(toy, "<script>alert('boo')</script>", "\x1b[2J nasty \u202e", "A" * 1_000_000 + "<br>"):
        assert "boo" not in message
        assert "\x1b" not in message
        assert len(message) < 200


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("schÃ¶n", "schön"),
        ("scho\u0308n", "schön"),
        ("so\u200bft\u00adly\x07", "softly"),
        ("“quotes” ﬁ ＡＢＣ &amp; stay", "“quotes” ﬁ ＡＢＣ &amp; stay"),
        ("line\r\nends\tstay", "line\r\nends\tstay"),
        ("\u200b", "\u200b"),
    ],
)
def test_normalising_mends_and_leaves_the_rest(text: str, fixed: str) -> None:
    assert normalised(text) == fixed
    assert normalised(fixed) == fixed


def test_good_text_in_any_language_is_not_called_garbled() -> None:
    for text in ("Zürich", "Œuvre complète", "Τι κάνεις;", "日本語の文章", "Привет, мир", "ñandú €5", "50 °C ± 2"):
        assert not garbled(text)
