"""`python -m nbtune.notebook.demo NOTEBOOK OUTDIR`: run a notebook in a real kernel and show what it gives.

What is kept in OUTDIR: the executed notebook, the same as a web page, and the runs the notebook made. No network.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nbtune.drawing import shorten, visible
from nbtune.errors import NbtuneError

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbformat import NotebookNode

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
_BEAT = (1.0, 10.0)
"""Seconds between two looks at a cell at work: in a terminal, where a line is rewritten, and in a log."""


class DemoError(NbtuneError):
    """The notebook cannot be run, or one of its cells fails."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m nbtune.notebook.demo", description="Run a notebook and show it.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("outdir", type=Path, help="for the executed notebook, its HTML and its runs")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    teller = Teller(sys.stdout)
    try:
        notebook = read(chosen.notebook)
        chosen.outdir.mkdir(parents=True, exist_ok=True)
        executed = chosen.outdir / chosen.notebook.name
        if executed.exists() and executed.samefile(chosen.notebook):
            raise DemoError("the executed notebook would replace the notebook itself", "give another folder")
        try:
            execute(notebook, chosen.outdir, teller)
        except BaseException:
            teller.line(f"as far as it came: {executed}")
            raise
        finally:
            save(notebook, executed)
        page = write_page(notebook, executed.with_suffix(".html"))
    except NbtuneError as error:
        teller.line(str(error), stream=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        teller.line("interrupted", stream=sys.stderr)
        return 130
    for source, text in reports(notebook):
        teller.line(f"\n{source}\n\n{text.rstrip()}")
    teller.line(f"\nexecuted notebook: {executed}\nas a web page:     {page}")
    teller.line(f"the whole took {time.monotonic() - began:.0f} s")
    return 0


def read(path: Path) -> NotebookNode:
    """The notebook of a file.

    Raises:
        DemoError: it is missing or no notebook, or what reads notebooks is not installed.
    """
    try:
        import nbclient  # noqa: F401  # asked for here, so that its absence is told before anything is done
        import nbconvert  # noqa: F401
        import nbformat
        from nbformat.validator import ValidationError
    except ImportError as error:
        raise DemoError(
            f"running a notebook needs {error.name}, which is not installed", 'pip install "nbtune[lab]"'
        ) from None
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except FileNotFoundError:
        raise DemoError(f"there is no notebook {str(path)!r}", "check the path") from None
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        raise DemoError(
            f"{str(path)!r} cannot be read as a notebook: {shorten(error, 200)}", "open it in JupyterLab"
        ) from None
    return notebook


def execute(notebook: NotebookNode, folder: Path, teller: Teller) -> None:
    """Run every cell in a kernel of this Python, in `folder` and without network; the outputs go into `notebook`.

    Raises:
        DemoError: a cell failed, or the kernel died.
    """
    asyncio.run(_execute(notebook, folder, teller))


async def _execute(notebook: NotebookNode, folder: Path, teller: Teller) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    client = NotebookClient(
        notebook,
        km=_kernel_manager(),
        timeout=None,  # a cell may train for hours on a slow machine: it shows that it is alive
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.reset_execution_trackers()
    teller.line(f"running {len(notebook.cells)} cells with {sys.executable}")
    began = time.monotonic()
    async with client.async_setup_kernel(env={**os.environ, **OFFLINE}, cleanup_kc=True):
        _end_on_signals(client)
        info = await client.async_wait_for_reply(client.kc.kernel_info())  # type: ignore[union-attr]
        notebook.metadata["language_info"] = info["content"]["language_info"]  # type: ignore[index]
        teller.line(f"the kernel was ready after {time.monotonic() - began:.1f} s")
        for index, cell in enumerate(notebook.cells):
            try:
                await _execute_cell(client, cell, index, teller)
            except CellExecutionError as error:
                place = f"cell {index + 1} ({shorten(_first_line(cell.source), 60)})"
                raise DemoError(f"{place} failed: {error.ename}: {visible(error.evalue)}") from None
            except DeadKernelError:
                raise DemoError(
                    f"the kernel died in cell {index + 1}", "often the memory was too small: see %nbtune doctor"
                ) from None


def _end_on_signals(client: NotebookClient) -> None:
    """Ctrl-C ends the task and with it the kernel; nbclient's own handlers end the kernel alone, which looks dead."""
    task = asyncio.current_task()
    assert task is not None

    def end() -> None:
        client.shutdown_kernel = "immediate"  # a busy kernel asked politely prints a traceback of its own
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, end)


async def _execute_cell(client: NotebookClient, cell: NotebookNode, index: int, teller: Teller) -> None:
    """One cell; while it works, the newest words of its output are shown."""
    if cell.cell_type != "code" or not cell.source.strip():
        return
    title = f"[{index + 1:>2}/{len(client.nb.cells)}] {shorten(_first_line(cell.source), 90)}"
    teller.line(title)
    began = time.monotonic()
    work = asyncio.ensure_future(client.async_execute_cell(cell, index))
    try:
        while not (await asyncio.wait({work}, timeout=teller.beat))[0]:
            teller.live(f"{_newest(cell)} ({time.monotonic() - began:.0f} s)")
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        teller.line(f"        {time.monotonic() - began:.1f} s")


class Teller:
    """Tells on a stream how far things are: lines that stay, and one that is rewritten where it is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._live = ""
        self.beat = _BEAT[0] if self._terminal else _BEAT[1]

    def line(self, text: str, *, stream: TextIO | None = None) -> None:
        """A line that stays."""
        self._clear()
        print(text, file=stream or self._stream, flush=True)

    def live(self, text: str) -> None:
        """How things stand just now."""
        words = f"        {shorten(visible(text), 110)}"
        if self._terminal:
            self._clear()
            self._stream.write(words)
            self._stream.flush()
            self._live = words
        else:
            self.line(words)

    def _clear(self) -> None:
        if self._live:
            self._stream.write("\r" + " " * len(self._live) + "\r")
            self._live = ""


def save(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook as it stands."""
    import nbformat

    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def write_page(notebook: NotebookNode, path: Path) -> Path:
    """Write the notebook as a web page that asks no server for anything; gives its path."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        require_js_url="", jquery_url="", mathjax_url="", mermaid_js_url=""
    )
    page, _ = exporter.from_notebook_node(notebook)
    path.write_text(page, encoding="utf-8")
    return path


def reports(notebook: NotebookNode) -> list[tuple[str, str]]:
    """What the `%evaluate` cells show: their first line and their plain text."""
    return [
        (_first_line(cell.source), text)
        for cell in notebook.cells
        if cell.cell_type == "code" and "%evaluate" in cell.source
        for text in (_plain(output) for output in cell.outputs)
        if text
    ]


def _kernel_manager() -> AsyncKernelManager:
    """A kernel of this very Python: a kernelspec of the user named python3 may start another one."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(**get_kernel_dict())

    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    if manager.has_trait("transport_encryption"):  # newer ipykernels warn on the terminal without it
        manager.transport_encryption = "auto"
    return manager


def _newest(cell: NotebookNode) -> str:
    """The first line of the newest output."""
    return next((_first_line(text) for text in map(_plain, reversed(cell.outputs)) if text), "working")


def _plain(output: Any) -> str:
    return str(output.get("data", {}).get("text/plain", ""))


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


if __name__ == "__main__":
    sys.exit(main())
