"""Open a notebook as somebody does who follows a Binder link, and hold what it takes to the limits of a pod.

`python binder/opening.py ENVIRONMENT REPOSITORY` starts JupyterLab through binder/start on one core, runs every cell of
the quickstart in one of its kernels, and tells how long things took from the start of the server on, and the peak of
memory of the server with everything below it. Exit status 1: a cell failed, or a limit was broken. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websocket
from memory import MemoryWatch, kill_tree

NOTEBOOK = "notebooks/quickstart.ipynb"
LOG = ".jupyter-server-log.txt"
MEMORY = 2e9
"""Bytes. Binder's 2 GB, taken as the smaller of the two that the word may mean."""
FIRST_SECONDS = 60.0
"""From the start of the server until a training that goes on shows a loss."""
CELL_SECONDS = 120.0
"""Of processor time: what the longest cell takes on a core that nobody else wants."""
SERVER_SECONDS = 120.0
SILENT_SECONDS = 300.0
"""How long a cell may say nothing before it counts as hung."""


class OpeningError(Exception):
    """The notebook did not come to its end."""


@dataclass
class Opened:
    """What was seen, in seconds since the server was started."""

    server: float = 0.0
    kernel: float = 0.0
    picture: float | None = None
    loss: float | None = None
    report: float | None = None
    cells: list[tuple[str, float]] = field(default_factory=list)
    """The first line of each cell, and its seconds of processor time."""
    failure: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    parser = argparse.ArgumentParser(description="Open the quickstart as on Binder, within the limits of a pod.")
    parser.add_argument("environment", type=Path, help="a virtual environment made from binder/")
    parser.add_argument("repository", type=Path, help="the copy of the repository that is the pod's home")
    parser.add_argument("--memory", type=float, default=MEMORY, help="bytes for the whole process tree")
    parser.add_argument("--first", type=float, default=FIRST_SECONDS, help="seconds to the first loss of a training")
    parser.add_argument("--cell", type=float, default=CELL_SECONDS, help="seconds for the longest cell")
    chosen = parser.parse_args(arguments)
    network, proxies = _cut_off()
    print(f"no network: {network}", flush=True)
    opened, began = Opened(), time.monotonic()
    with _server(chosen.environment, chosen.repository, proxies) as (process, address, token):
        watch = MemoryWatch(process.pid, chosen.memory)
        watch.start()
        try:
            _run(opened, began, chosen.repository, address, token, watch)
        except (OpeningError, OSError, websocket.WebSocketException) as error:
            opened.failure = f"{watch.doing}: {error}"
        watch.stop()
    _tell(opened, watch)
    broken = list(broken_limits(opened, watch, memory=chosen.memory, first=chosen.first, cell=chosen.cell))
    for each in broken:
        print(f"BROKEN: {each}")
    if opened.failure and not watch.exceeded:
        print((chosen.repository / LOG).read_text(encoding="utf-8", errors="replace")[-3000:])
    return 1 if broken else 0


def broken_limits(opened: Opened, watch: MemoryWatch, *, memory: float, first: float, cell: float) -> Iterator[str]:
    """What went wrong, in words; nothing where all was well."""
    if watch.exceeded:
        yield f"{_gb(watch.peak_marks)} of memory in {watch.during}, and {_gb(memory)} is the limit"
    elif opened.failure:
        yield opened.failure
    elif opened.loss is None:
        yield "no training ever showed a loss"
    if opened.loss is not None and opened.loss > first:
        yield f"the first loss came after {opened.loss:.0f} s, and {first:.0f} s is the limit"
    for source, seconds in opened.cells:
        if seconds > cell:
            yield f"{source} took {seconds:.0f} s of its core, and {cell:.0f} s is the limit"


def _tell(opened: Opened, watch: MemoryWatch) -> None:
    moments = {
        "server answers": opened.server,
        "kernel ready": opened.kernel,
        "first picture": opened.picture,
        "first loss of a training": opened.loss,
        "its report": opened.report,
    }
    for name, seconds in moments.items():
        print(f"{name:<26}" + ("never" if seconds is None else f"{seconds:6.1f} s after opening"))
    print(f"{'peak of memory':<26}{_gb(watch.peak_pss)} (PSS, sampled), at most {_gb(watch.peak_marks)}")
    print(f"{'':<26}(sum of high-water marks), in {watch.during}", flush=True)


@contextlib.contextmanager
def _server(
    environment: Path, repository: Path, proxies: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    """JupyterLab behind binder/start, on one core: the process, its address and its token."""
    token, port = secrets.token_hex(16), _free_port()
    core = max(os.sched_getaffinity(0))

    def confine() -> None:
        os.sched_setaffinity(0, {core})

    command = ["binder/start", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += [f"--IdentityProvider.token={token}", "--ServerApp.port_retries=0", "--log-level=ERROR"]
    surroundings = {
        "PATH": f"{environment.resolve() / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(repository.resolve()),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **proxies,
    }
    with (repository / LOG).open("wb") as log:
        process = subprocess.Popen(
            command, cwd=repository, env=surroundings, stdout=log, stderr=subprocess.STDOUT, preexec_fn=confine
        )
    try:
        yield process, f"127.0.0.1:{port}", token
    finally:
        kill_tree(process.pid)
        process.wait()


def _run(opened: Opened, began: float, repository: Path, address: str, token: str, watch: MemoryWatch) -> None:
    watch.doing = "the start of the server"
    while not _answers(address, token):
        if time.monotonic() - began > SERVER_SECONDS:
            raise OpeningError("the server does not answer")
        time.sleep(0.1)
    opened.server = time.monotonic() - began
    session = _ask(
        address,
        token,
        "/api/sessions",
        {"path": NOTEBOOK, "type": "notebook", "name": "", "kernel": {"name": "python3"}},
    )
    link = websocket.create_connection(
        f"ws://{address}/api/kernels/{session['kernel']['id']}/channels",
        header=[f"Authorization: token {token}"],
        timeout=SILENT_SECONDS,
        http_no_proxy=["127.0.0.1"],
    )
    with contextlib.closing(link):
        watch.doing = "the start of the kernel"
        list(_messages(link, "kernel_info_request", {}))
        opened.kernel = time.monotonic() - began
        cells = json.loads((repository / NOTEBOOK).read_text(encoding="utf-8"))["cells"]
        for source in ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"):
            title = source.splitlines()[0]
            watch.doing = repr(title)
            start, spent = time.monotonic(), watch.processor_seconds()
            _run_cell(opened, began, link, source)
            opened.cells.append((title, watch.processor_seconds() - spent))
            print(f"{time.monotonic() - start:6.1f} s ({opened.cells[-1][1]:5.1f} s of the core)  {title}", flush=True)


def _run_cell(opened: Opened, began: float, link: websocket.WebSocket, source: str) -> None:
    trains = source.startswith("%%finetune")
    for message in _messages(link, "execute_request", {"code": source, "silent": False, "stop_on_error": True}):
        content, now = message["content"], time.monotonic() - began
        if message["msg_type"] == "error":
            raise OpeningError(f"{content['ename']}: {content['evalue']}")
        if message["msg_type"] == "stream" and content["name"] == "stderr":
            raise OpeningError(f"it wrote to stderr: {content['text'][:300]}")
        shown = content.get("data", {})
        if "text/html" in shown and opened.picture is None:
            opened.picture = now
        if trains and opened.loss is None and re.search(r"\bloss \S*\d", shown.get("text/plain", "")):
            opened.loss = now
    if trains and opened.report is None:
        opened.report = time.monotonic() - began


def _messages(link: websocket.WebSocket, kind: str, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Send a request on the shell channel; its messages until the kernel is idle again."""
    request = uuid.uuid4().hex
    header = {"msg_id": request, "msg_type": kind, "username": "", "session": request, "version": "5.3", "date": ""}
    link.send(
        json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"})
    )
    while True:
        message = json.loads(link.recv())
        if message.get("parent_header", {}).get("msg_id") != request:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return
        yield message


def _answers(address: str, token: str) -> bool:
    try:
        _ask(address, token, "/api/status")
    except (urllib.error.URLError, OSError):
        return False
    return True


def _ask(address: str, token: str, path: str, content: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        f"http://{address}{path}",
        data=None if content is None else json.dumps(content).encode(),
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=30) as answer:
        return json.load(answer)


def _cut_off() -> tuple[str, dict[str, str]]:
    """How the network is kept away, and the variables for it; a loopback that is alone is switched on."""
    names = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text(encoding="ascii").splitlines()[2:]]
    if names != ["lo"]:
        nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        return "proxies that lead nowhere", {**nowhere, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up_and_running = struct.pack("16sh14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(any_socket, 0x8914, up_and_running)  # SIOCSIFFLAGS
    return "a namespace with nothing but the loopback", {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


if __name__ == "__main__":
    sys.exit(main())
