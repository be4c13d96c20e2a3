"""The Chinese README and quickstart say what the English ones say: what changes in one without the other fails here."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(([^)\s]+)\)|\](\[\w+\])|^\[\w+\]: (\S+)", re.MULTILINE)
"""Where it leads, the name of a place written elsewhere, or that place."""
NUMBER = re.compile(r"(?<![\w.])\d[\d.,]*\d|(?<![\w.])\d(?![\w.])")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def sections(name: str) -> list[str]:
    """A README cut at its headings; a heading inside code is none."""
    text = (ROOT / name).read_text(encoding="utf-8")
    hidden = FENCE.sub(lambda found: re.sub(r"^#", "\x00", found.group(), flags=re.MULTILINE), text)
    return [part.replace("\x00", "#") for part in re.split(r"^(?=#+ )", hidden, flags=re.MULTILINE) if part.strip()]


def links_in(text: str) -> list[str]:
    return ["".join(found) for found in LINK.findall(text)]


def shape(section: str) -> dict[str, Any]:
    """What does not depend on the language."""
    prose = FENCE.sub("", section)
    plain = CODE.sub("", LINK.sub("]", prose))
    links = [link.replace(".zh-CN", "") for link in links_in(prose)]  # each language to its own, where there is one
    return {
        "headings": [len(found) for found in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "code blocks": FENCE.findall(section),
        "inline code": Counter(CODE.findall(prose)),
        "links": Counter(links),
        "images": Counter(re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", prose)),
        "points of a list": len(re.findall(r"^- ", prose, re.MULTILINE)),
        "rows of a table": len(re.findall(r"^\|", prose, re.MULTILINE)),
        "numbers": Counter(NUMBER.findall(plain)),
    }


def test_both_readmes_have_the_same_sections_code_links_lists_tables_and_numbers() -> None:
    ours, theirs = sections("README.md"), sections("README.zh-CN.md")
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert shape(one) == shape(other), f"{one.splitlines()[0]} and {other.splitlines()[0]} differ"


def test_the_readmes_link_to_each_other_and_to_files_that_are_there() -> None:
    for name, other in (("README.md", "README.zh-CN.md"), ("README.zh-CN.md", "README.md")):
        links = links_in((ROOT / name).read_text(encoding="utf-8"))
        assert other in links
        missing = [
            link
            for link in links
            if "://" not in link and link[0] != "[" and not (ROOT / link.partition("#")[0]).exists()
        ]
        assert not missing


def test_every_paragraph_of_the_translation_is_translated() -> None:
    prose = FENCE.sub("", "\n".join(sections("README.zh-CN.md")))
    paragraphs = [each for each in re.split(r"\n\s*\n", prose) if each.strip()]
    untranslated = [each.strip() for each in paragraphs if not CHINESE.search(each)]
    assert untranslated == ["# nbtune", "[English](README.md)"]


@pytest.fixture(scope="module")
def quickstarts() -> tuple[list[Any], list[Any]]:
    names = ("quickstart", "quickstart.zh-CN")
    one, other = (json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf-8")) for name in names)
    return one["cells"], other["cells"]


def test_both_quickstarts_have_the_same_cells_in_the_same_order(quickstarts: tuple[list[Any], list[Any]]) -> None:
    ours, theirs = quickstarts
    assert [(cell["id"], cell["cell_type"]) for cell in ours] == [(cell["id"], cell["cell_type"]) for cell in theirs]


def test_both_quickstarts_run_the_same_code_and_show_the_same_outputs(
    quickstarts: tuple[list[Any], list[Any]],
) -> None:
    for one, other in zip(*quickstarts, strict=True):
        if one["cell_type"] == "code":
            assert one["source"] == other["source"], one["id"]
            assert one["outputs"] == other["outputs"], f"{one['id']}: copy the outputs of the executed quickstart"


def test_both_quickstarts_tell_the_same_in_their_own_language(quickstarts: tuple[list[Any], list[Any]]) -> None:
    for one, other in zip(*quickstarts, strict=True):
        if one["cell_type"] == "markdown":
            english, chinese = "".join(one["source"]), "".join(other["source"])
            assert shape(english) == shape(chinese), one["id"]
            assert not english.strip() or CHINESE.search(chinese), one["id"]
