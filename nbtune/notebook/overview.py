"""`%nbtune`, `%nbtune tasks` and what else is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtune.drawing import Markup, callout, fold, markdown_table, panel, shorten, table, tag, text_table
from nbtune.notebook.arguments import Command
from nbtune.notebook.picture import Picture
from nbtune.values import Column

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 60


def help_picture(command: Command) -> Picture:
    """A command's usage, options and examples."""
    text = command.help()
    return Picture(html=panel(tag("pre", text)), markdown=f"```\n{text}\n```", text=text)


def welcome(commands: tuple[Command, ...], verbs: tuple[Command, ...]) -> Picture:
    """What nbtune adds to the notebook, with an example each."""
    rows = [(f"%{command.name}", command.summary, _first_example(command)) for command in (*commands, *verbs)]
    columns = ("magic", "what it does", "for example")
    coded = [(tag("code", name), summary, tag("code", example)) for name, summary, example in rows]
    return Picture(
        html=panel(tag("div", "nbtune", css="nbtune-title"), table(columns, coded)),
        markdown=markdown_table(columns, rows),
        text=text_table(columns, rows),
    )


def tasks_picture() -> Picture:
    """Every task with its columns, score and package; and what failed to load, with the reason."""
    from nbtune.tasks.registry import registry  # brings pydantic and numpy, which loading must not wait for

    found = registry()
    columns = ("task", "what it learns", "columns", "headline", "package", "version")
    rows = [
        (name, each.task.summary, _columns(each.task.columns), each.task.headline, each.distribution, each.version)
        for name, each in found.tasks.items()
    ]
    failed = [(each.plugin, each.distribution or "unknown", each.reason) for each in found.failures]
    failures = ("plugin", "package", "why it was left out")
    details = "".join(
        fold(
            f"columns of {name}", table(("column", "holds", "needed", "also found as", ""), _details(each.task.columns))
        )
        for name, each in found.tasks.items()
    )
    return Picture(
        html=panel(
            table(columns, rows),
            Markup(details),
            callout(f"{len(failed)} failed to load", table(failures, failed), tone="error") if failed else "",
        ),
        markdown="\n\n".join([markdown_table(columns, rows), *([markdown_table(failures, failed)] if failed else [])]),
        text="\n\n".join([text_table(columns, rows), *([text_table(failures, failed)] if failed else [])]),
    )


def predictions_picture(drawn: list[str], frame: pd.DataFrame) -> Picture:
    """Predictions as their task draws them, above their table."""
    columns = [str(column) for column in frame.columns]
    rows = [[_cell(value) for value in row] for row in frame.head(_MOST_ROWS).itertuples(index=False, name=None)]
    if len(frame) > _MOST_ROWS:
        rows.append([f"... {len(frame) - _MOST_ROWS:,} more rows", *[""] * (len(columns) - 1)])
    pieces = [tag("div", Markup(html), css="nbtune-callout") for html in drawn]  # escaped by the task's render
    return Picture(
        html=panel(*pieces, fold("as a table", table(columns, rows))),
        markdown=markdown_table(columns, rows),
        text=text_table(columns, rows),
    )


def sentence(text: str) -> Picture:
    """One sentence."""
    return Picture(html=panel(text), markdown=text, text=text)


def _cell(value: object) -> object:
    return value if isinstance(value, (int, float)) else shorten(value, 200)


def _columns(columns: tuple[Column, ...]) -> str:
    return ", ".join(column.name if column.required else f"[{column.name}]" for column in columns)


def _details(columns: tuple[Column, ...]) -> list[tuple[str, ...]]:
    return [
        (
            column.name,
            column.kind,
            ("to learn from" if column.target else "yes") if column.required else "no",
            ", ".join(column.aliases[:8]),
            column.help,
        )
        for column in columns
    ]


def _first_example(command: Command) -> str:
    return next((line for line in command.examples.splitlines() if line.strip()), "")
