"""The TOML body of a cell."""

from __future__ import annotations

import pytest

from nbtune.errors import SpecError
from nbtune.notebook.settings import merged, parse_body


def test_a_body_keeps_its_tables() -> None:
    body = 'epochs = 3\nmodel = "m"\n\n[columns]\ntext = "body"\n[lora]\nrank = 4\n'
    assert parse_body(body) == {"epochs": 3, "model": "m", "columns": {"text": "body"}, "lora": {"rank": 4}}
    assert parse_body("\r\n# only a comment\r\n") == {}


@pytest.mark.parametrize(
    ("body", "line", "hint"),
    [
        ("epochs = 3\nmodel = minilm-l6\n", "line 3 of the cell", 'put text in quotes: model = "minilm-l6"'),
        ("length_grouping = True", "line 2 of the cell", "TOML writes true"),
        ("patience = None\n", "line 2 of the cell", "TOML has no None"),
        ("\n\nepochs: 3\n", "line 4 of the cell", "TOML puts '=' between"),
        ("epochs 3\n", "line 2 of the cell", "one setting a line"),
        ("epochs = 1\nepochs = 2\n", "line 3 of the cell", ""),
        ('model = "open', "line 2 of the cell", ""),
        ("[columns\n", "line 2 of the cell", ""),
    ],
)
def test_an_error_names_the_line_as_the_notebook_counts_it(body: str, line: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_body(body)
    assert line in caught.value.message
    assert hint in caught.value.hint


def test_a_setting_given_in_two_places_is_refused() -> None:
    with pytest.raises(SpecError, match="model is given twice: as an option and in the cell"):
        merged(("as an option", {"model": "a"}), ("in the cell", {"model": "b"}))
