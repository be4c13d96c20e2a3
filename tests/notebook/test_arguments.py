"""Reading a magic's line."""

from __future__ import annotations

import pytest

from nbtune.errors import SpecError
from nbtune.notebook.arguments import parse, tokenize
from nbtune.notebook.commands import EVALUATE, FINETUNE, NBTUNE, PREDICT, VERBS


def test_words_options_settings_and_switches_are_told_apart_in_any_order() -> None:
    typed = parse(FINETUNE, 'epochs=3 --data train_df ner --quiet --name="my run" lora={rank = 8} columns.text=body')
    assert typed.values == {"task": "ner", "data": "train_df", "name": "my run"}
    assert typed.switches == {"quiet"}
    assert typed.settings == {"epochs": 3, "lora": {"rank": 8}, "columns": {"text": "body"}}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("learning_rate=1e-4", 1e-4),
        ("model=minilm-l6", "minilm-l6"),
        ('model="a b"', "a b"),
        ("model='a b'", "a b"),
        ("lora=true", True),
        ("lora=True", True),
        ('labels=["a b", "c"]', ["a b", "c"]),
        ("model=owner/name", "owner/name"),
    ],
)
def test_values_are_toml_and_bare_words_are_text(typed: str, value: object) -> None:
    assert list(parse(FINETUNE, f"ner {typed}").settings.values()) == [value]


def test_dotted_settings_join_into_one_table() -> None:
    typed = parse(FINETUNE, "ner columns.text=body columns.label=queue")
    assert typed.settings == {"columns": {"text": "body", "label": "queue"}}


def test_a_dollar_and_an_expression_stay_as_typed() -> None:
    assert parse(EVALUATE, 'run --data df[df["x"] > 3][:5]').get("data") == 'df[df["x"] > 3][:5]'
    assert parse(EVALUATE, "run --data $df").get("data") == "$df"


def test_a_prefix_assigns_and_a_semicolon_silences() -> None:
    typed = parse(FINETUNE, "run << ner --data df;")
    assert (typed.target, typed.silent, typed.get("data")) == ("run", True, "df")


def test_a_comment_ends_the_line_but_a_hash_in_a_word_does_not() -> None:
    assert parse(FINETUNE, "ner --data a#b.csv # the small file").values == {"task": "ner", "data": "a#b.csv"}


def test_quoted_texts_are_several_and_bare_words_are_one() -> None:
    assert parse(PREDICT, """run "it's \\"odd\\"" 'two'""").texts == ('it\'s "odd"', "two")
    assert parse(PREDICT, "run it's fine (really").texts == ("it's fine (really",)
    assert parse(PREDICT, "run 5 = five").texts == ("5 = five",)


@pytest.mark.parametrize(
    ("command", "line", "message", "hint"),
    [
        (FINETUNE, "ner --dta df", "%finetune has no option --dta", "did you mean '--data'?"),
        (FINETUNE, "ner -d df", "%finetune has no option -d", "--"),
        (FINETUNE, "ner --data", "--data needs a value", "--data DATA: a DataFrame"),
        (FINETUNE, "ner --data --quiet", "--data needs a value", "--data DATA"),
        (FINETUNE, "ner --data a --data b", "--data is given twice", "keep one"),
        (FINETUNE, "ner --quiet=1", "--quiet takes no value", "leave it out"),
        (FINETUNE, "ner epochs=1 epochs=2", "epochs is given twice", "keep one"),
        (
            FINETUNE,
            "ner epochs = 3",
            "%finetune does not know what to do with 'epochs = 3'",
            "without spaces around '='",
        ),
        (FINETUNE, "ner epochs=[1", "'epochs=[1' is not a setting", "write it as TOML"),
        (FINETUNE, 'ner --data "df', "the quote in '\"df' is not closed", "close it"),
        (EVALUATE, "", "%evaluate needs a run", "usage: %evaluate RUN"),
        (PREDICT, "run -x", "%predict has no option -x", "text that starts with a dash goes in quotes"),
        (VERBS["show"], "a b", "%nbtune show does not know what to do with 'b'", "usage: %nbtune show RUN"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(command: object, line: str, message: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(command, line)  # type: ignore[arg-type]
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_help_is_heard_before_anything_is_missed() -> None:
    assert parse(EVALUATE, "--help").help
    assert parse(FINETUNE, "ner -h").help
    assert not parse(PREDICT, 'run "--help"').help


def test_help_names_every_option_and_shows_examples() -> None:
    for command in (FINETUNE, EVALUATE, PREDICT, *VERBS.values()):
        text = command.help()
        assert all(option.flag in text and option.help in text for option in command.options)
        assert "examples:" in text
        assert f"%{command.name}" in text
    assert set(VERBS) == {
        "tasks",
        "runs",
        "show",
        "compare",
        "mistakes",
        "explain",
        "calibrate",
        "inspect",
        "free",
        "pause",
        "resume",
        "stop",
        "dashboard",
        "tutorial",
        "doctor",
        "why",
    }
    assert all(verb in NBTUNE.summary for verb in VERBS)


def test_every_example_parses() -> None:
    for command in (FINETUNE, EVALUATE, PREDICT, *VERBS.values()):
        for line in command.examples.splitlines():
            _, found, rest = line.partition(f"%{command.name}")
            if found:
                parse(command, rest)


def test_a_windows_path_keeps_its_backslashes() -> None:
    assert [token.text for token in tokenize(r'"C:\data\new files\a.csv" C:\b.csv')] == [
        r"C:\data\new files\a.csv",
        r"C:\b.csv",
    ]
