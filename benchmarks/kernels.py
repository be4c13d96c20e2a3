"""A real kernel, as a notebook has one: cells sent to it, and what they put out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel


class Kernel:
    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client

    def cell(self, source: str, *, fails: bool = False) -> str:
        """What a cell prints; with `fails`, the type of the error it shows.

        Raises:
            RuntimeError: it failed without being expected to, or the other way round.
        """
        messages: list[dict[str, Any]] = []
        self._client.execute_interactive(source, timeout=600, output_hook=messages.append)
        errors = [each["content"] for each in messages if each["msg_type"] == "error"]
        if bool(errors) != fails:
            said = "\n".join(errors[0]["traceback"]) if errors else "it did not fail"
            raise RuntimeError(f"{source}\n{said}")
        if errors:
            return str(errors[0]["ename"])
        texts = [each["content"]["text"] for each in messages if each["msg_type"] == "stream"]
        return "".join(texts).strip()

    def answer_seconds(self, source: str) -> float:
        """From sending a cell to its reply."""
        began = time.perf_counter()
        return self.finish(self._client.execute(source)) - began

    def begin(self, source: str, *, until: str) -> str:
        """Start a cell and come back when it prints `until`; gives what `finish` takes."""
        asked = self._client.execute(source)
        while True:
            message = self._client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != asked:
                continue
            if message["msg_type"] == "error":
                raise RuntimeError("\n".join(message["content"]["traceback"]))
            if message["msg_type"] == "stream" and until in message["content"]["text"]:
                return asked

    def interrupt(self) -> None:
        """What the stop button does."""
        self._manager.interrupt_kernel()

    def finish(self, asked: str) -> float:
        """Wait for a cell that was begun; gives the moment of its reply, by `time.perf_counter`."""
        while self._client.get_shell_msg(timeout=120)["parent_header"]["msg_id"] != asked:
            pass
        moment = time.perf_counter()
        while True:  # leave no output behind for the next cell
            message = self._client.get_iopub_msg(timeout=60)
            mine = message["parent_header"].get("msg_id") == asked
            if mine and message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return moment


@contextmanager
def kernel() -> Iterator[Kernel]:
    """A kernel with nbtune loaded, and a runs folder that goes with it."""
    with TemporaryDirectory() as folder:
        manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "NBTUNE_RUNS_DIR": folder})
        try:
            started = Kernel(manager, client)
            started.cell("%load_ext nbtune\nimport nbtune")
            yield started
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
