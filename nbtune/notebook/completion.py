"""Completion after the magics and inside a `%%finetune` cell: one matcher for IPython's completer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

from nbtune.notebook.arguments import Command
from nbtune.notebook.commands import EVALUATE, FINETUNE, PREDICT, VERBS

_LINE = re.compile(r"^\s*(?:[A-Za-z_]\w*\s*=\s*)?(%{1,2})(finetune|evaluate|predict|nbtune)\b(.*)$", re.DOTALL)
_WORD = re.compile(r"[^\s=]*$")
_MAGICS = {"finetune": FINETUNE, "evaluate": EVALUATE, "predict": PREDICT}


def make_matcher(shell: Any) -> Callable[[Any], Any] | None:
    """The matcher for this shell; None where IPython is too old to take one."""
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:
        return None

    @context_matcher(identifier="nbtune")  # type: ignore[untyped-decorator]
    def match(context: Any) -> Any:
        lines = context.full_text.split("\n")
        before = lines[context.cursor_line][: context.cursor_position]
        try:
            found, fragment = suggestions(lines[: context.cursor_line], before, shell.user_ns)
        except Exception:  # a half-installed plugin must not break the user's completion
            found, fragment = [], ""
        return {
            "completions": [SimpleCompletion(text, type="nbtune") for text in found],
            "suppress": bool(found),
            "matched_fragment": fragment,
        }

    matcher: Callable[[Any], Any] = match
    return matcher


def suggestions(above: list[str], before: str, names: Mapping[str, Any]) -> tuple[list[str], str]:
    """What may stand at the cursor, and the fragment before it that the suggestions replace."""
    magic = _LINE.match(before)
    if magic:
        return _on_line(magic.group(2), magic.group(3), names)
    first = _LINE.match(next((line for line in above if line.strip()), ""))
    if first and first.group(1) == "%%" and first.group(2) == "finetune":
        return _in_body(first.group(3), above, before)
    return [], ""


def _on_line(name: str, text: str, names: Mapping[str, Any]) -> tuple[list[str], str]:
    text = re.sub(r"^\s*[A-Za-z_]\w*\s*<<", "", text)
    word = _WORD.search(text)
    fragment = word.group() if word else ""
    words = text[: len(text) - len(fragment)].split()
    if not text[:1].isspace():
        return [], ""  # still typing the magic's own name
    if name == "nbtune":
        if not words:
            return _starting(fragment, VERBS), fragment
        command = VERBS.get(words[0])
        words = words[1:]
    else:
        command = _MAGICS[name]
    return (_starting(fragment, _after(command, words, fragment, names)), fragment) if command else ([], "")


def _after(command: Command, words: list[str], fragment: str, names: Mapping[str, Any]) -> Iterable[str]:
    last = words[-1] if words else ""
    option = next((option for option in command.options if option.value and option.flag == last.rstrip("=")), None)
    if option is not None and option.kind == "label":
        return _labels(words[0], names)
    if option is not None and option.kind == "columns":
        return _columns_of(_value_of("--data", words), fragment, names)
    if option is not None:
        return option.choices or _choices(option.kind, names)
    if fragment.startswith("-"):
        return [option.flag for option in command.options if option.flag not in words] + ["--help"]
    plain = _plain(command, words)
    if plain < len(command.words):
        return [name for name in _choices(command.words[plain].kind, names) if name not in words]
    flags = [option.flag for option in command.options if option.flag not in words]
    runs = [name for name in _choices("run", names) if name not in words] if command.texts == "RUN" else []
    settings = [f"{name}=" for name in _settings(words[0])] if command.settings and words and fragment else []
    return runs + flags + settings


def _plain(command: Command, words: list[str]) -> int:
    """How many words stand for themselves, not for an option."""
    valued = {option.flag for option in command.options if option.value}
    count, skip = 0, False
    for word in words:
        if skip:
            skip = False
        elif word in valued:
            skip = True
        elif not word.startswith("--") and "=" not in word:
            count += 1
    return count


def _in_body(line: str, above: list[str], before: str) -> tuple[list[str], str]:
    task = next((word for word in re.sub(r"^\s*\w+\s*<<", "", line).split() if not word.startswith("-")), "")
    table = next((row.strip() for row in reversed(above) if row.strip().startswith("[")), "")
    name = re.match(r"\s*([\w-]*)$", before)
    if name:
        known = _columns(task) if table == "[columns]" else _settings(task) if not table else _lora(table)
        return _starting(name.group(1), (f"{each} = " for each in known)), name.group(1)
    heading = re.match(r"\s*(\[\w*)$", before)
    if heading:
        return _starting(heading.group(1), ("[columns]", "[lora]")), heading.group(1)
    value = re.match(r'\s*(\w+)\s*=\s*("?[\w./-]*)$', before)
    if value:
        return _starting(value.group(2), _values(task, value.group(1))), value.group(2)
    return [], ""


def _choices(kind: str, names: Mapping[str, Any]) -> list[str]:
    if kind == "task":
        return _tasks()
    if kind == "model":
        from nbtune.tasks.pretrained import ALIASES

        return list(ALIASES)
    if kind == "run":
        return _run_names() + [name for name, value in names.items() if _is(value, "nbtune.running.run", "Run")]
    if kind == "data":
        return _tables(names) + [f"sample:{task}" for task in _tasks(with_samples=True)]
    return list(VERBS) if kind == "verb" else []


def _tasks(*, with_samples: bool = False) -> list[str]:
    from nbtune.tasks.registry import registry

    return [name for name, each in registry().tasks.items() if each.task.samples is not None or not with_samples]


def _run_names() -> list[str]:
    from nbtune.running.folder import all_runs

    return [folder.name for folder in all_runs()]


def _labels(run: str, names: Mapping[str, Any]) -> list[str]:
    """What a run's model may answer, in quotes where a word does not do."""
    import json

    from nbtune.running.folder import find

    held: Any = names.get(run)
    folder = held.folder if _is(held, "nbtune.running.run", "Run") else find(run).path
    card = json.loads((folder / "model" / "nbtune.json").read_text(encoding="utf-8"))
    return [label if label.isalnum() else f'"{label}"' for label in card["inventory"]["labels"]]


def _tables(names: Mapping[str, Any]) -> list[str]:
    """Variables that may be data. Told by the name of their class, so that nothing is imported for it."""
    kinds = (("pandas.", "DataFrame"), ("datasets.", "Dataset"), ("datasets.", "DatasetDict"))
    return [
        name
        for name, value in list(names.items())
        if not name.startswith("_") and any(_is(value, module, kind) for module, kind in kinds)
    ]


def _value_of(flag: str, words: list[str]) -> str:
    """What follows an option on the line; "" where it is not there."""
    joined = next((word.partition("=")[2] for word in words if word.startswith(f"{flag}=")), "")
    return joined or next((after for word, after in pairwise(words) if word == flag), "")


def _columns_of(variable: str, fragment: str, names: Mapping[str, Any]) -> list[str]:
    """The columns of a DataFrame in scope, after those that are named already with commas between."""
    held: Any = names.get(variable)
    columns = [str(name) for name in held.columns] if _is(held, "pandas.", "DataFrame") else []
    before, comma, _ = fragment.rpartition(",")
    return [
        f"{before}{comma}{name}" for name in columns if name not in before.split(",") and not re.search(r"\s", name)
    ]


def _is(value: Any, module: str, name: str) -> bool:
    kind = type(value)
    return kind.__name__ == name and kind.__module__.startswith(module.rstrip(".")) if module else False


def _settings(task: str) -> list[str]:
    from nbtune.running.spec import RunSpec
    from nbtune.tasks.registry import registry

    common = [name for name in RunSpec.model_fields if name not in ("task", "options")]
    known = registry().tasks.get(task)
    return (list(type(known.task).Options.model_fields) if known else []) + common


def _columns(task: str) -> list[str]:
    from nbtune.tasks.registry import registry

    known = registry().tasks.get(task)
    return [column.name for column in known.task.columns] if known else []


def _lora(table: str) -> list[str]:
    from nbtune.running.spec import Lora

    return list(Lora.model_fields) if table == "[lora]" else []


def _values(task: str, setting: str) -> list[str]:
    """The words a setting may be, in quotes; true and false."""
    from nbtune.running.spec import RunSpec
    from nbtune.tasks.registry import registry

    if setting == "model":
        return [f'"{name}"' for name in _choices("model", {})]
    known = registry().tasks.get(task)
    fields = {**RunSpec.model_fields, **(type(known.task).Options.model_fields if known else {})}
    return list(_literals(fields[setting].annotation)) if setting in fields else []


def _literals(annotation: Any) -> Iterable[str]:
    from typing import Literal, get_args, get_origin

    if annotation is bool:
        yield from ("true", "false")
    elif get_origin(annotation) is Literal:
        yield from (f'"{value}"' for value in get_args(annotation) if isinstance(value, str))
    else:
        for part in get_args(annotation):
            yield from _literals(part)


def _starting(fragment: str, choices: Iterable[str]) -> list[str]:
    return [choice for choice in choices if choice.startswith(fragment)]
