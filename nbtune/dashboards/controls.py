"""A setting as an input: what its pydantic field says of type, choices and default decides which."""

from __future__ import annotations

import enum
import tomllib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import ipywidgets as widgets
import tomli_w
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from nbtune.dashboards.look import NAMED, heard, html, picture, row
from nbtune.drawing import tag
from nbtune.errors import SpecError

_WIDTH = "300px"
_BARE = (str, Path, type(None))
_LISTS = (tuple, list, set, frozenset)


@dataclass(frozen=True)
class Control:
    """One setting. `typed` turns what the input holds into the setting's value, `shown` is the way back."""

    name: str
    default: Any
    input: Any
    widget: Any
    typed: Callable[[Any], Any]
    shown: Callable[[Any], Any]

    def given(self) -> Any:
        """The value if it is another than the default, else None.

        Raises:
            SpecError: what was typed is no value.
        """
        if self.input.value == self.shown(self.default):
            return None
        value = self.typed(self.input.value)
        return None if value == self.default else value

    def take(self, value: Any) -> None:
        """Show a value; None is the default."""
        self.input.value = self.shown(self.default if value is None else value)

    def watch(self, changed: Callable[[], None]) -> None:
        self.input.observe(lambda _: changed(), names="value")


def control(name: str, field: FieldInfo) -> Control:
    """The input for a field, with the field's description beside it."""
    kinds = list(_kinds(field.annotation))
    # as a file would have it: a list for a tuple, its value for a member of an enumeration
    default = None if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))
    names = {"description": name, "style": {"description_width": NAMED}, "tooltip": field.description or name}
    made = _plain(kinds, default, names) or _typed(name, kinds, default, names)
    place, typed, shown = made
    heard(place)
    place.layout = widgets.Layout(width=_WIDTH, max_width="calc(100% - 4px)")
    words = picture(html(tag("span", field.description or "", css="nbtune-soft")))
    words.layout = widgets.Layout(
        flex="1 1 170px", width="auto", min_width="0", margin="2px 0 2px 8px", align_self="center"
    )
    return Control(name, default, place, row(place, words), typed, shown)


_Made = tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]


def _plain(kinds: list[Any], default: Any, names: dict[str, Any]) -> _Made | None:
    """A box to tick, a list to choose from, or a number."""
    choices = [value for kind in kinds for value in _choices(kind)]
    rest = [kind for kind in kinds if not _choices(kind)]
    if (choices or (bool in rest and default is None)) and all(kind in (bool, type(None)) for kind in rest):
        options = [(str(value), value) for value in choices]
        options += [("yes", True), ("no", False)] if bool in rest else []
        options += [("not set", None)] if default is None else []
        return widgets.Dropdown(options=options, value=default, **names), _same, _same
    if default is None:  # a number has no way to say "not set"
        return None
    if kinds == [bool]:
        box = {**names, "indent": True}
        return widgets.Checkbox(value=default, **box), _same, _same
    if kinds == [int]:
        return widgets.IntText(value=default, **names), _same, _same
    if kinds == [float]:
        return widgets.FloatText(value=default, step=None, **names), _same, _same
    return None


def _typed(name: str, kinds: list[Any], default: Any, names: dict[str, Any]) -> _Made:
    """A line of text: for texts as they are, lists with commas, and everything else as TOML."""
    inner = next((get_args(kind) for kind in kinds if (get_origin(kind) or kind) in _LISTS), None)
    plain = all(kind in _BARE for kind in kinds)

    def shown(value: Any) -> str:
        if value is None or value in ("", [], {}):
            return ""
        if inner is not None and isinstance(value, (tuple, list)) and all(map(_survives_commas, value)):
            return ", ".join(map(str, value))
        return value if isinstance(value, str) else _toml(value)

    def typed(text: str) -> Any:
        words = text.strip()
        if not words:
            return default
        if plain:
            return words
        if inner is not None and not words.startswith("["):
            parts = [each.strip() for each in words.split(",") if each.strip()]
            return parts if inner[:1] in ((), (str,)) else [_value(name, each, bare=True) for each in parts]
        return _value(name, words, bare=any(kind is str or get_origin(kind) is Literal for kind in kinds))

    place = widgets.Text(value=shown(default), placeholder=_placeholder(default), continuous_update=False, **names)
    return place, typed, shown


def _placeholder(default: Any) -> str:
    return "not set" if default is None else "none" if default in ("", [], {}) else ""


def _survives_commas(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and value == value.strip() and "," not in value)


def _choices(kind: Any) -> list[Any]:
    """What may be chosen, where that can be counted."""
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [each.value for each in kind]
    return list(get_args(kind)) if get_origin(kind) is Literal else []


def _value(name: str, words: str, *, bare: bool) -> Any:
    """What a TOML file would give for it; a bare word where the setting takes words."""
    written = {"True": "true", "False": "false", "yes": "true", "no": "false"}.get(words, words)
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        if bare:
            return words
    raise SpecError(f"{name} = {words}: this is no value", 'write it as TOML: 8, true, "text", [1, 2] or {rank = 8}')


def _toml(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").strip()


def _toml_key(key: str) -> str:
    return tomli_w.dumps({key: 0}).removesuffix(" = 0\n")


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that a value may have, without what only checks it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for each in get_args(annotation):
            yield from _kinds(each)
    else:
        yield annotation


def _same(value: Any) -> Any:
    return value
