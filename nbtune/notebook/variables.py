"""What `--data` names: a variable, a simple expression over variables, or something for the data room to find."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from nbtune.errors import DataError


def from_variables(text: Any, names: Mapping[str, Any]) -> Any:
    """The value of `df[:100]`, `parts["train"]` or `job.table`; plain names, paths and `sample:NAME` are left as text.

    Plain names stay text so that the run can say which variable it learned from.

    Raises:
        DataError: the expression fails.
    """
    if not isinstance(text, str) or text.isidentifier():
        return text
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return text
    # a path such as train.csv parses as an attribute too: only what starts from a known variable is an expression
    if not isinstance(expression, (ast.Subscript, ast.Attribute, ast.Call)) or not _starts_from(expression, names):
        return text
    # the user's own words, in the user's own kernel: the same as typing them in a cell
    try:
        return eval(compile(ast.Expression(expression), "<--data>", "eval"), dict(names))
    except Exception as error:
        raise DataError(f"{text!r} cannot be computed: {type(error).__name__}: {error}", "try it in a cell") from error


def _starts_from(expression: ast.expr, names: Mapping[str, Any]) -> bool:
    root: ast.expr = expression
    while isinstance(root, (ast.Subscript, ast.Attribute, ast.Call)):
        root = root.func if isinstance(root, ast.Call) else root.value
    return isinstance(root, ast.Name) and root.id in names
