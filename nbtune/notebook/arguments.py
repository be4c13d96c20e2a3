"""What was typed after a magic: words, options, `name = value` settings and free text.

Written for magics because argparse, behind IPython's `magic_arguments`, prints to stderr and exits or raises
`UsageError`, which sends no error output: papermill would take the cell for a success. One table per command also
serves its help and its completion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nbtune.errors import SpecError, did_you_mean
from nbtune.notebook.settings import parse_pair

Kind = Literal["", "task", "data", "run", "model", "verb", "name", "label", "columns"]
"""What a word stands for, so that it can be completed."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that stands for itself by its place."""

    name: str
    kind: Kind = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """`--name VALUE`, or a switch where `value` is empty."""

    name: str
    help: str
    value: str = ""
    kind: Kind = ""
    choices: tuple[str, ...] = ()  # all that `value` may be, where that is a closed list

    @property
    def flag(self) -> str:
        return f"--{self.name}"


@dataclass(frozen=True, slots=True)
class Command:
    """All there is to say about one magic."""

    name: str
    summary: str
    words: tuple[Word, ...] = ()
    options: tuple[Option, ...] = ()
    settings: bool = False  # takes `name=value`
    texts: str = ""  # what may follow the words: free text, or more of them
    body: str = ""  # what the cell form takes, in words
    examples: str = ""

    def usage(self) -> str:
        parts = [f"%{self.name}"]
        parts += [word.name.upper() if word.required else f"[{word.name.upper()}]" for word in self.words]
        parts += [f"[{option.flag}{' ' + option.value if option.value else ''}]" for option in self.options]
        parts += ["[setting=value ...]"] if self.settings else []
        parts += [f"[{self.texts} ...]"] if self.texts else []
        return " ".join(parts)

    def help(self) -> str:
        """Plain text for `--help` and `%name?`."""
        lines = [self.summary, "", f"usage: {self.usage()}"]
        if self.body:
            lines.append(f"       %%{self.name} ...   {self.body}")
        width = max((len(option.flag) + len(option.value) + 1 for option in self.options), default=0)
        if self.options:
            lines.append("")
        lines += [f"  {f'{option.flag} {option.value}'.strip():{width}}  {option.help}" for option in self.options]
        if self.examples:
            lines += ["", "examples:", *(f"    {line}" for line in self.examples.strip().splitlines())]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Arguments:
    """A parsed line. `values` holds words and options by name; `target` is the name before `<<`."""

    values: Mapping[str, str] = field(default_factory=dict)
    switches: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    target: str = ""
    silent: bool = False
    help: bool = False

    def get(self, name: str) -> str | None:
        return self.values.get(name)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the line; `text` is without the quotes that stood around it."""

    text: str
    quoted: bool = False


_SETTING = re.compile(r"[A-Za-z_][\w.-]*=")
_TARGET = re.compile(r"\s*([A-Za-z_]\w*)\s*<<\s*")


def parse(command: Command, line: str) -> Arguments:
    """The arguments in `line`.

    Raises:
        SpecError: an unknown or repeated option, a missing or surplus word, a setting that is not TOML.
    """
    target = _TARGET.match(line)
    line = line[target.end() :].rstrip() if target else line.rstrip()
    silent = line.endswith(";")
    tokens = list(tokenize(line.rstrip(";") if silent else line))
    found = _Collected(command)
    found.take(tokens)
    if not found.help:
        found.check()
    return Arguments(
        values=found.values,
        switches=frozenset(found.switches),
        settings=found.settings,
        texts=_texts(found.rest),
        target=target.group(1) if target else "",
        silent=silent,
        help=found.help,
    )


def whole_number(typed: Arguments, name: str) -> int | None:
    """The value of an option that takes a whole number; None where it was not given.

    Raises:
        SpecError: it is no whole number.
    """
    value = typed.get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise SpecError(f"--{name} {value} is not a whole number", f"write --{name} 5, say")
    return int(value)


def tokenize(line: str) -> Iterator[Token]:
    """Words apart at spaces; quotes at the start of a word, or inside a setting's value or brackets, keep spaces."""
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
        elif line[position] in "\"'":
            end = _closing_quote(line, position)
            quote = line[position]
            yield Token(line[position + 1 : end].replace(f"\\{quote}", quote), quoted=True)
            position = end + 1
        elif line[position] == "#" and (position + 1 == len(line) or line[position + 1].isspace()):
            return
        else:
            end = _end_of_word(line, position)
            yield Token(line[position:end])
            position = end


class _Collected:
    """The pieces of a line while it is read."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.options = {option.name: option for option in command.options}
        self.values: dict[str, str] = {}
        self.switches: set[str] = set()
        self.settings: dict[str, Any] = {}
        self.rest: list[Token] = []
        self.help = False

    def take(self, tokens: list[Token]) -> None:
        remaining = iter(tokens)
        words = iter(self.command.words)
        for token in remaining:
            if not token.quoted and token.text in ("--help", "-h"):
                self.help = True
            elif not token.quoted and re.match(r"--?[A-Za-z]", token.text):
                self._option(token.text, remaining)
            elif not token.quoted and self.command.settings and _SETTING.match(token.text):
                self._setting(token.text)
            elif (word := next(words, None)) is not None:
                self.values[word.name] = token.text
            else:
                self.rest.append(token)

    def check(self) -> None:
        for word in self.command.words:
            if word.required and word.name not in self.values:
                raise SpecError(f"%{self.command.name} needs a {word.name}", f"usage: {self.command.usage()}")
        if self.rest and not self.command.texts:
            surplus = " ".join(token.text for token in self.rest)
            raise SpecError(f"%{self.command.name} does not know what to do with {surplus!r}", self._surplus_hint())

    def _option(self, text: str, remaining: Iterator[Token]) -> None:
        name, equals, value = text.lstrip("-").partition("=")
        option = self.options.get(name)
        if option is None or not text.startswith("--"):
            near = did_you_mean(f"--{name}", [*(known.flag for known in self.command.options), "--help"])
            quoting = "; text that starts with a dash goes in quotes" if self.command.texts else ""
            raise SpecError(f"%{self.command.name} has no option {text.partition('=')[0]}", near + quoting)
        if name in self.values or name in self.switches:
            raise SpecError(f"{option.flag} is given twice", "keep one of them")
        if not option.value:
            if equals:
                raise SpecError(f"{option.flag} takes no value", f"write {option.flag} alone, or leave it out")
            self.switches.add(name)
            return
        following = None if equals else next(remaining, None)
        if not equals and (following is None or (not following.quoted and following.text.startswith("--"))):
            raise SpecError(f"{option.flag} needs a value", f"{option.flag} {option.value}: {option.help}")
        self.values[name] = following.text if following else value.strip("\"'")

    def _setting(self, text: str) -> None:
        for name, value in parse_pair(text).items():
            if name in self.settings and not isinstance(value, dict):
                raise SpecError(f"{name} is given twice", "keep one of them")
            old = self.settings.get(name)
            self.settings[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value

    def _surplus_hint(self) -> str:
        usage = f"usage: {self.command.usage()}"
        loose = self.command.settings and any("=" in token.text for token in self.rest)
        return f"write settings without spaces around '=' on the line, or in the cell; {usage}" if loose else usage


def _texts(rest: list[Token]) -> tuple[str, ...]:
    """Quoted texts one by one; what was typed without quotes is one text."""
    if not rest:
        return ()
    if all(token.quoted for token in rest):
        return tuple(token.text for token in rest)
    return (" ".join(f'"{token.text}"' if token.quoted else token.text for token in rest),)


def _closing_quote(line: str, start: int) -> int:
    position = start + 1
    while position < len(line):
        if line[position] == "\\" and position + 1 < len(line) and line[position + 1] == line[start]:
            position += 2
        elif line[position] == line[start]:
            return position
        else:
            position += 1
    raise SpecError(f"the quote in {line[start : start + 30]!r} is not closed", "close it, or put \\ before it")


def _end_of_word(line: str, start: int) -> int:
    """Where the word ends. An apostrophe inside a word (it's) is just a letter, unless it is inside brackets."""
    depth, position = 0, start
    while position < len(line) and (depth or not line[position].isspace()):
        char = line[position]
        if char in "\"'" and (depth or (line[position - 1] == "=" and position > start)):
            position = _closing_quote(line, position)
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth = max(0, depth - 1)
        position += 1
    return min(position, len(line))
