"""A run drawn as HTML, Markdown and text."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nbtune.events import Event, Prepared, Preparing, Started, Stepped
from nbtune.notebook.html import run_panel
from nbtune.notebook.run_picture import run_picture
from nbtune.notebook.state import RunState

Story = Callable[..., list[Event]]
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\u202e`|'
ALLOWED = {
    "style", "div", "span", "p", "br", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary",
    "progress", "code", "img", "svg", "title", "line", "text", "polyline", "circle", "strong", "pre",
}  # fmt: skip


STILL = "data:image/svg+xml;base64,"


class Page(HTMLParser):
    """What an output holds, the charts inside its images too."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "img":
            self.look_into(dict(attrs)["src"] or "")
        elif tag not in ("br", "line", "polyline", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def look_into(self, source: str) -> None:
        assert source.startswith(STILL)
        chart = Page(base64.b64decode(source.removeprefix(STILL)).decode())
        assert chart.open == []
        self.tags |= chart.tags
        self.attributes |= chart.attributes
        self.words += chart.words

    def handle_data(self, data: str) -> None:
        self.words += data if self.open and self.open[-1] != "style" else ""


def test_a_finished_run_shows_what_matters(story: Story) -> None:
    page = Page(run_picture(RunState.of(story()), folder="nbtune_runs/conll").html)
    for words in (
        "conll", "finished", "minilm-l6", "22.7 M", "cpu (2 threads), fp32", "10 train, 2 validation", "words",
        "a usual name for tokens", "3 rows are twice in the data", "drop them", "tags were IOB1", "training loss",
        "entity_f1 on validation", "0.7500", "a watcher was dropped", "all epochs done", "nbtune_runs/conll",
        "%evaluate conll --data DATA", "%nbtune show conll",
    ):  # fmt: skip
        assert words in page.words
    assert page.open == []


@pytest.mark.parametrize("length", range(14))
def test_every_moment_of_a_run_can_be_drawn_in_every_form(story: Story, length: int) -> None:
    picture = run_picture(RunState.of(story()[:length]))
    assert Page(picture.html).open == []
    assert picture.text.strip()
    assert picture.markdown.strip()


def test_progress_says_where_training_stands(story: Story) -> None:
    page = Page(run_picture(RunState.of(story(steps=6)[:4])).html)
    for words in ("epoch 0.67 of 2", "step 2 of 6", "about 4.0 s", "tokens/s 100", "learning rate 0.0001"):
        assert words in page.words
    assert "progress" in page.tags


def test_a_picture_of_a_busy_cell_says_how_to_go_on_when_it_stands_still(story: Story) -> None:
    state = RunState.of(story()[:4])
    state.seen_at = "12:34:56"
    assert "%nbtune show conll tells how it stands" in Page(run_picture(state).html).words
    state.busy = True
    page = Page(run_picture(state).html)
    for words in ("as of 12:34:56", "stood still", "%nbtune show conll --follow in another notebook"):
        assert words in page.words
    state.paused = True  # which is a reason to stand still
    assert "stood still" not in run_picture(state).html


def test_the_first_steps_of_a_long_run_are_seen(story: Story) -> None:
    started = replace(next(event for event in story() if isinstance(event, Started)), total_steps=72_000)
    steps = (
        Stepped(step=step, epoch=0, learning_rate=1e-4, tokens=9, examples=1, seconds=step, loss=1 / step)
        for step in range(1, 500)
    )
    state = RunState.of([started, *steps])
    assert ">500<" in run_picture(state).html
    assert ">60,000<" not in run_picture(state).html


def test_what_is_being_prepared_is_named() -> None:
    picture = run_picture(RunState.of([Preparing(stage="encoding", done=500, total=1200)]))
    assert "encoding 500 of 1,200" in Page(picture.html).words
    assert "encoding 500/1,200" in picture.text


def test_nothing_that_came_from_data_becomes_markup(story: Story) -> None:
    for length in range(1, len(story()) + 1):
        picture = run_picture(RunState.of(story(text=HOSTILE)[:length]), folder=HOSTILE)
        page = Page(picture.html)
        assert page.tags <= ALLOWED
        assert not {name for name in page.attributes if name.startswith("on")}
        for form in (picture.html, picture.markdown, picture.text):
            assert "\x1b" not in form
            assert "\u202e" not in form
    assert "<script" not in picture.html


def test_markdown_keeps_hostile_text_inside_code_or_escaped(story: Story) -> None:
    markdown = run_picture(RunState.of(story(text=HOSTILE)), folder=HOSTILE).markdown
    outside = "".join(markdown.split("`")[::2])
    assert "<script" not in outside
    assert "<img" not in outside


def test_a_long_run_stays_small(story: Story) -> None:
    state = RunState.of(story()[:2])
    for number in range(1, 20_001):
        state.absorb(
            Stepped(step=number, epoch=0, learning_rate=1e-4, tokens=9, examples=1, seconds=number, loss=1 / number)
        )
    assert len(run_picture(state).html) < 40_000


def test_a_replayed_run_looks_like_the_live_one(story: Story) -> None:
    from nbtune.events import from_json, to_json

    live = story()
    replayed = [from_json(to_json(event)) for event in live]
    assert run_picture(RunState.of(replayed)).html == run_picture(RunState.of(live)).html


def test_many_labels_and_scores_are_folded_or_counted(story: Story) -> None:
    from nbtune.events import Evaluated

    prepared, started = story()[:2]
    assert isinstance(prepared, Prepared)
    many = replace(prepared, labels={f"label {n}": n for n in range(200)})
    scores = Evaluated(step=1, epoch=1, metrics={f"m{n}": 0.1 for n in range(30)}, headline="m7", best=True, seconds=1)
    page = Page(run_picture(RunState.of([many, started, scores])).html)
    assert "and 160 more labels" in page.words
    assert "22 more scores" in page.words
    assert page.words.index("m7") < page.words.index("m0")


def test_findings_stand_folded_above_the_progress_with_their_counts() -> None:
    findings = tuple(
        {"severity": severity, "message": f"<b>{severity}</b>", "remedy": "do & that"}
        for severity in ("note", "warning", "note")
    )
    state = RunState()
    state.absorb(
        Prepared(task="ner", data="d", columns={}, reasons={}, parts={"train": 3}, labels={}, findings=findings)
    )
    state.absorb(Preparing(stage="encoding", done=1, total=3))
    html = run_panel(state)
    line = "about the data: 1 warning, 2 notes"
    assert f"<summary>{line}</summary>" in html
    assert html.index(line) < html.index("encoding 1 of 3")
    assert html.index("&lt;b&gt;warning") < html.index("&lt;b&gt;note")
    assert "<b>warning" not in html
