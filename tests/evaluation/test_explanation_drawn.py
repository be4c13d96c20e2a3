"""Explanations as they are seen: safe whatever the text holds, honest where the numbers are weak."""

from __future__ import annotations

import math
from html.parser import HTMLParser
from typing import Any

import pytest

from nbtune.evaluation.explanation import Explanation, Explanations, Word
from nbtune.evaluation.words import find_words

NASTY = '<script>alert(1)</script> <img src=x onerror="alert(2)"> \u202etxt\u202c \x1b[31mred `a` **b** | c'


def explanation(text: str, *, parts: dict[int, tuple[float, float]] | None = None, **further: Any) -> Explanation:
    """Of a text, with (gradients, occlusion) by the place of the word."""
    given = parts or {}
    words = tuple(
        Word(text[start:end], start, end, *given.get(place, (0.0, 0.0)))
        for place, (start, end) in enumerate(find_words(text))
    )
    settings: dict[str, Any] = {
        "run": "reviews",
        "target": "good",
        "probability": 0.9,
        "unit": "log-odds",
        "score": sum(word.gradients for word in words),
        "baseline": 0.0,
        "texts": {"text": text},
        "steps": 16,
        "filler": "[MASK]",
    }
    return Explanation(words=words, **{**settings, **further})


class Seen(HTMLParser):
    """Elements and text of a page, as a browser would take them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(shown: Explanation | Explanations) -> Seen:
    parser = Seen()
    parser.feed(shown._repr_mimebundle_()["text/html"])
    return parser


def shaded(shown: Explanation) -> dict[str, str]:
    """The words of the first text that are shaded, and how."""
    html = shown._repr_mimebundle_()["text/html"].split('<div dir="auto"')[1].split("</div>")[0]
    pieces = (piece.split('style="')[1].split('"') for piece in html.split("<span title=")[1:])
    return {piece[1].split("<")[0].strip(">"): piece[0] for piece in pieces if "background" in piece[0]}


def test_what_a_text_holds_is_never_markup() -> None:
    shown = explanation(NASTY, parts={1: (1.0, 1.0), 9: (-1.0, -0.5)}, target=NASTY, notes=(NASTY,))
    page = seen(shown)
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    bundle = shown._repr_mimebundle_()
    for form in bundle.values():
        assert not set(form) & {"\u202e", "\u202c", "\x1b"}
    assert "<" not in bundle["text/markdown"].replace("<U+", "")
    assert "<U+202E>" in bundle["text/plain"]


def test_a_word_of_a_megabyte_is_shortened_everywhere() -> None:
    text = "a " + "x" * 10**6 + " good" + " \u200b" * 10**5 + " end"
    shown = explanation(text, parts={1: (1.0, 1.0)}, target="x" * 10**6, notes=())
    for form in (*shown._repr_mimebundle_().values(), repr(shown)):
        assert len(form) < 20_000
        assert "good" in form


def test_for_and_against_look_different_without_colours() -> None:
    shown = explanation(
        "so good but dull and so so", parts={1: (2.0, 2.0), 3: (-1.0, -1.0), 4: (0.3, 0.1), 5: (0.01, 0)}
    )
    styles = shaded(shown)
    assert set(styles) == {"good", "dull", "and"}
    assert "solid" in styles["good"]
    assert "dashed" in styles["dull"]
    assert "border-bottom" not in styles["and"]
    assert "so +good+ but -dull- and so so" in repr(shown)
    assert "so **good** but *dull* and so so" in shown._repr_mimebundle_()["text/markdown"]


def test_the_text_keeps_the_colour_of_the_theme() -> None:
    styles = shaded(explanation("good dull", parts={0: (1.0, 1.0), 1: (-1.0, -1.0)}))
    for style in styles.values():
        assert not style.startswith("color:")
        assert ";color:" not in style
        assert float(style.split("/ ")[1].split(")")[0]) <= 0.5  # see-through, so that both themes' text stays readable


def test_long_texts_show_where_the_most_is() -> None:
    text = " ".join(f"w{place}" for place in range(3000))
    shown = seen(explanation(text, parts={2500: (1.0, 1.0)}))
    assert "w2500" in shown.text
    assert "w100 " not in shown.text
    assert "…" in shown.text
    assert len(explanation(text).to_frame()) == 3000


def test_methods_that_disagree_are_called_that_and_both_are_shown() -> None:
    parts = {place: (place + 1.0, 5.0 - place) for place in range(5)}
    shown = explanation("a b c d e", parts=parts)
    assert shown.agreement == pytest.approx(-1)
    assert "rank the words differently" in seen(shown).text
    assert "<details open>" in shown._repr_mimebundle_()["text/html"]
    one = explanation("a b Rome d e", parts={**parts, 2: (9.0, 8.0)})  # where but one word counts, the rest is noise
    assert one.agreement < 0.4
    assert "put the same word first" in repr(one)
    assert "<details open>" not in one._repr_mimebundle_()["text/html"]
    alike = explanation("a b c d e", parts={place: (float(place), place * 2.0) for place in range(5)})
    assert alike.agreement == pytest.approx(1)
    assert "<details open>" not in alike._repr_mimebundle_()["text/html"]
    assert "agree (rank correlation 1.00)" in repr(alike)


@pytest.mark.parametrize("words", ["one two", "a b c d"])
def test_too_little_for_a_rank_correlation_gives_none(words: str) -> None:
    shown = explanation(words)  # two words; or four, all the same
    assert math.isnan(shown.agreement)
    assert "rank" not in repr(shown)


def test_gradients_that_do_not_add_up_are_called_rough() -> None:
    rough = explanation("good day", parts={0: (1.0, 1.0)}, score=1.5)
    assert rough.completeness == pytest.approx(1 / 3)
    assert "miss 33% of the difference" in repr(rough)
    close = explanation("good day", parts={0: (1.0, 1.0)}, score=1.01)
    assert "miss" not in repr(close)
    # where for and against cancel, a small miss is a large share of a small difference
    even = explanation("good bad", parts={0: (5.0, 1.0), 1: (-5.0, -1.0)}, score=0.01)
    assert even.completeness == pytest.approx(1)
    assert "miss" not in repr(even)


def test_words_that_occlusion_did_not_try_have_a_dash() -> None:
    shown = explanation("good day", parts={0: (1.0, 1.0), 1: (0.5, math.nan)})
    assert [word.text for word in shown.top()] == ["good", "day"]
    assert "day" in repr(shown)
    assert "–" in repr(shown)


def test_the_piece_that_an_answer_names_is_framed() -> None:
    shown = explanation("to Rome by day", parts={0: (1.0, 1.0)}, about=("text", 3, 7))
    html = shown._repr_mimebundle_()["text/html"]
    framed = [piece.split(">")[1].split("<")[0] for piece in html.split("<span title=")[1:] if "outline" in piece]
    assert set(framed) == {"Rome"}


def test_several_are_one_picture_and_one_table() -> None:
    both = Explanations(
        "reviews", (explanation("good day"), explanation("bad day", target="bad")), ("3 more were found",)
    )
    table = both.to_frame()
    assert list(table["answer"]) == [0, 0, 1, 1]
    assert list(table["target"]) == ["good", "good", "bad", "bad"]
    assert both[1].target == "bad"
    for form in both._repr_mimebundle_().values():
        assert "3 more were found" in form
