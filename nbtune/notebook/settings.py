"""Settings as TOML: the body of a `%%finetune` cell and `name=value` on its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from nbtune.errors import SpecError

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
_EXAMPLE = 'write one setting a line, text in quotes: model = "minilm-l6"'


def parse_body(body: str) -> dict[str, Any]:
    """The settings in a cell's body, nested as its tables are.

    Raises:
        SpecError: the body is not TOML; the line of the cell is named (the magic itself is line 1).
    """
    try:
        return tomllib.loads(body.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        place = _PLACE.search(text)
        lines = body.splitlines() or [""]
        number = int(place.group(1)) if place and place.group(1) else len(lines)
        wrong = lines[min(number, len(lines)) - 1].strip()
        what = _PLACE.sub("", text)
        reason = what[:1].lower() + what[1:]
    raise SpecError(f"line {number + 1} of the cell is not TOML ({reason}): {wrong}", _hint(wrong))


def parse_pair(text: str) -> dict[str, Any]:
    """One `name=value` of a magic's line; a bare word is taken as text, `True` and `False` as in Python.

    Raises:
        SpecError: the value is not TOML.
    """
    name, _, value = text.partition("=")
    value = {"True": "true", "False": "false"}.get(value, value)
    for attempt in (f"{name} = {value}", f'{name} = "{value}"' if re.fullmatch(r"[\w./:@-]+", value) else ""):
        try:
            settings = tomllib.loads(attempt)
        except tomllib.TOMLDecodeError:
            continue
        if settings:
            return settings
    raise SpecError(f"{text!r} is not a setting", 'write it as TOML, such as epochs=3, model="minilm-l6" or lora={r=8}')


def merged(*sources: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings of all sources, each with a name for messages.

    Raises:
        SpecError: two sources give the same setting.
    """
    result: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for where, settings in sources:
        for name, value in settings.items():
            if name in result:
                raise SpecError(f"{name} is given twice: {origin[name]} and {where}", "keep one of them")
            result[name], origin[name] = value, where
    return result


def _hint(line: str) -> str:
    value = line.partition("=")[2].split("#")[0].strip()
    if "=" not in line and ":" in line:
        return f"TOML puts '=' between a setting and its value; {_EXAMPLE}"
    if value in ("True", "False"):
        return f"TOML writes {value.lower()}"
    if value == "None":
        return "TOML has no None: leave the line out to keep the default"
    if re.match(r"[A-Za-z_][\w./-]*$", value):
        return f'put text in quotes: {line.partition("=")[0].strip()} = "{value}"'
    return _EXAMPLE
