"""nbtune in plain IPython, on a terminal of its own."""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbtune.testing.harmless import NASTY, faults

pexpect = pytest.importorskip("pexpect", reason="terminals of this kind are those of Unix")

NAMED = f"reply {NASTY['terminal']}"
"""A label that would clear the screen, rename the window and change the colours."""


class Terminal:
    """IPython, asked one line after the other; all it ever wrote is in `transcript`."""

    def __init__(self, folder: Path, runs: Path) -> None:
        surroundings = {
            **os.environ,
            "NBTUNE_RUNS_DIR": str(runs),
            "IPYTHONDIR": str(folder / "ipython"),
            "TERM": "xterm",
        }
        options = ["--no-banner", "--no-confirm-exit", "--simple-prompt", "--no-term-title", "--colors=nocolor"]
        self._shell = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", *options],
            cwd=str(folder),
            env=surroundings,
            encoding="utf-8",
            dimensions=(40, 100),
            timeout=120,
        )
        self._asked = 0
        self.transcript = ""
        self._prompt()

    def ask(self, line: str) -> str:
        """What stands under a line, up to the next prompt."""
        self._shell.sendline(line)
        return self._prompt().split("\n", 1)[1].rstrip()

    def close(self) -> None:
        self._shell.sendline("exit")
        self._shell.expect(pexpect.EOF)
        self._shell.close()

    def _prompt(self) -> str:
        self._asked += 1
        self._shell.expect_exact(f"In [{self._asked}]: ")
        said = str(self._shell.before)
        self.transcript += said
        # what stays on the screen of a line that was rewritten is what was written last
        lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in said.split("\n"))
        return "\n".join(lines)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Iterator[Terminal]:
    """IPython with nbtune, and a run that has learned from rows with escape sequences and tags in them."""
    folder = tmp_path_factory.mktemp("terminal")
    with (folder / "mail.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for row in range(24):
            odd = NASTY["terminal"] if row % 12 < 2 else NASTY["script"]
            rows.writerow(
                [f"a {'good' if row % 2 else 'bad'} word in row {row} {odd}", NAMED if row % 2 else "<b>file</b>"]
            )
    started = Terminal(folder, folder / "runs")
    assert started.ask("%load_ext nbtune") == ""
    yield started
    started.close()


@pytest.fixture(scope="module")
def trained(terminal: Terminal, tiny_model: str) -> str:
    """What the training wrote."""
    settings = f'model="{tiny_model}" epochs=2 validation_fraction=0.25'
    return terminal.ask(f"%finetune classification --data mail.csv --name mail {settings}")


def test_a_training_ends_as_lines_of_text_with_its_report(trained: str) -> None:
    assert re.search(r"^mail: finished, all epochs done, 4 steps in .* macro_f1 \d", trained, re.MULTILINE)
    assert re.search(r"^  loss [▁-█]+ \d", trained, re.MULTILINE)
    assert re.search(r"^metric +mail +95% interval +majority", trained, re.MULTILINE)
    assert re.search(r"\nOut\[2\]: Run\('mail': classification, finished, macro_f1 [\d.]+; .*\)$", trained)


def test_a_report_is_a_table_that_starts_under_its_prompt(terminal: Terminal, trained: str) -> None:
    lines = terminal.ask("%evaluate mail").splitlines()
    assert re.fullmatch(r"Out\[\d+\]: ", lines[0])
    assert lines[1].startswith("mail: classification on validation")
    header, rule, first = lines[3:6]
    assert [len(column) for column in rule.split("  ")][:2] == [len("average_precision"), len("0.333")]
    assert header.index("95% interval") == first.index(re.findall(r"\S+ to", first)[0])


def test_a_run_is_shown_again(terminal: Terminal, trained: str) -> None:
    shown = terminal.ask("%nbtune show mail").splitlines()
    assert shown[1].startswith("mail: finished")
    assert "mail: classification on validation, 6 examples" in shown


def test_predictions_stand_in_columns(terminal: Terminal, trained: str) -> None:
    prompt, header, rule, row = terminal.ask('%predict mail "a good word"').splitlines()
    assert re.fullmatch(r"Out\[\d+\]: ", prompt)
    assert header.split() == ["text", "prediction", "probability"]
    assert rule.index("-  -") < row.index("<" if "<b>" in row else "reply")


def test_a_mistake_is_told_in_two_lines_without_a_traceback(terminal: Terminal) -> None:
    said = terminal.ask("%finetune clasification --data mail.csv").splitlines()
    assert len(said) == 2
    assert said[0].startswith("SpecError: there is no task 'clasification'")


def test_nothing_ever_was_html_or_an_escape_sequence(terminal: Terminal, trained: str) -> None:
    for line in ("%nbtune inspect mail.csv --task classification", "%predict mail --data mail.csv", "%nbtune tasks"):
        assert terminal.ask(line)
    assert faults(terminal.transcript.replace("\r", ""), "text") == []
    assert "\x1b" not in terminal.transcript
    written = terminal.transcript.replace("<b>file</b>", "").replace(NASTY["script"], "")
    assert not re.search(r"<(div|table|svg|style|details|span)\b", written)
    assert "\u241b" in written  # the sequences were there to be shown
