"""nbtune inside IPython: magics, displays, completion. Loaded by `%load_ext nbtune`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LOADED = "_nbtune_extension"
_EMPTY_CELL = re.compile(r"%%((?:finetune|predict)\b.*)")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add the magics, their settings and their completion to this shell."""
    from nbtune.notebook.completion import make_matcher
    from nbtune.notebook.magics import Nbtune

    if hasattr(shell, _LOADED):
        return
    magics = Nbtune(shell)  # adds itself to shell.configurables
    shell.register_magics(magics)
    shell.input_transformers_cleanup.append(_accept_empty_cell)
    matcher = make_matcher(shell)
    completer: Any = getattr(shell, "Completer", None)
    if matcher is not None and hasattr(completer, "custom_matchers"):
        completer.custom_matchers.append(matcher)
    setattr(shell, _LOADED, (magics, matcher))


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take away all that `load_ipython_extension` added."""
    if not hasattr(shell, _LOADED):
        return
    magics, matcher = getattr(shell, _LOADED)
    for kind, names in magics.magics.items():
        for name, method in names.items():
            known = shell.magics_manager.magics[kind]
            if known.get(name) == method:
                del known[name]
    shell.magics_manager.registry.pop(type(magics).__name__, None)
    shell.configurables.remove(magics)
    shell.input_transformers_cleanup.remove(_accept_empty_cell)
    if matcher is not None and matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
    magics.close()
    delattr(shell, _LOADED)


def _accept_empty_cell(lines: list[str]) -> list[str]:
    """Make `%%finetune` without a body the line form.

    IPython refuses an empty cell body with a `UsageError` before it calls the magic, and sends no error output.
    """
    filled = [line for line in lines if line.strip()]
    match = _EMPTY_CELL.match(filled[0].rstrip("\n")) if len(filled) == 1 else None
    return [f"%{match.group(1)}\n"] if match and not match.group(1).rstrip().endswith("?") else lines
