"""A real JupyterLab with a real kernel, in a real browser.

Playwright keeps an event loop in this thread, so these tests run in a pytest of their own (`make test-browser`).
With NBTUNE_IMAGES=FOLDER the states they pass through are kept there as pictures.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytest.importorskip("playwright", reason="the browser tests need Playwright")
from playwright.sync_api import Browser, Locator, Page, Playwright, expect, sync_playwright

WIDTH, HEIGHT = 1000, 900
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # all cells are in the page, also those that are scrolled away
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
_ANSWERED = """() => {
    const session = window.jupyterapp?.shell.currentWidget?.sessionContext;
    return session?.isReady && session.session?.kernel?.connectionStatus === "connected";
}"""
PATIENCE = 60.0
"""Seconds that something which will happen may take on a busy machine."""


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    own = Path(playwright.chromium.executable_path)
    found = next(filter(None, map(shutil.which, NAMES)), str(own) if own.exists() else None)
    if found is None:
        reason = (
            "no Chromium on PATH (nor Playwright's own: playwright install chromium): the browser tests did not run"
        )
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
    yield browser
    browser.close()


class Lab:
    """A Jupyter server of its own, with nothing of the user's: settings, workspaces, runs, cache."""

    def __init__(self, home: Path) -> None:
        self.root = home / "notebooks"
        self.runs = self.root / "runs"
        self.root.mkdir(parents=True)
        self._settings = home / "settings"
        self._token = secrets.token_hex(16)
        overrides = home / "config" / "labconfig" / "default_setting_overrides.json"
        overrides.parent.mkdir(parents=True)
        overrides.write_text(json.dumps(SETTINGS))
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self._settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
            "NBTUNE_RUNS_DIR": self.runs.name,  # as the notebooks see it: pictures shall name no place of this machine
        }
        self._said = (home / "server.log").open("w+b")
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
        command += ["--expose-app-in-browser", "--JupyterNotebookApp.expose_app_in_browser=True"]
        command += [f"--ServerApp.root_dir={self.root}"]
        command += [f"--IdentityProvider.token={self._token}"]
        self._server = subprocess.Popen(command, env=environment, stdout=self._said, stderr=subprocess.STDOUT)
        self.url = self._address(home / "runtime")

    def _address(self, runtime: Path) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self._server.poll() is None, self.log()
            for told in runtime.glob("jpserver-*.json"):
                with contextlib.suppress(ValueError, OSError):
                    url = json.loads(told.read_text())["url"]
                    urllib.request.urlopen(f"{url}api?token={self._token}", timeout=5).close()
                    return str(url)
            time.sleep(0.05)
        raise AssertionError(f"the server did not come up: {self.log()}")

    def log(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace")

    def address(self, path: str) -> str:
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={self._token}"

    def ask(self, path: str, *, method: str = "GET", content: Any = None) -> Any:
        """What the server's own interface answers: kernels, sessions, files."""
        data = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"token {self._token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{self.url}api/{path}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            told = answer.read()
        return json.loads(told) if told else None

    def choose_theme(self, dark: bool) -> None:
        """The theme of pages that are opened from now on."""
        chosen = self._settings / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
        chosen.parent.mkdir(parents=True, exist_ok=True)
        chosen.write_text(json.dumps({"theme": f"JupyterLab {'Dark' if dark else 'Light'}"}))

    def close(self) -> None:
        for kernel in self.ask("kernels"):
            self.ask(f"kernels/{kernel['id']}", method="DELETE")
        self._server.terminate()
        self._server.wait(PATIENCE)
        self._said.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def tiny_model(lab: Lab, tiny_model: str) -> str:
    """The same beside the notebooks, by the name that it has there."""
    shutil.copytree(tiny_model, lab.root / "tiny")
    return "tiny"


class Notebook:
    """A notebook that is open in a page. Cells are counted from 0, code and text alike."""

    def __init__(self, lab: Lab, page: Page, path: str) -> None:
        self.lab, self.page, self.path = lab, page, path
        self.open()

    def open(self) -> None:
        """Open the page anew, as a reload does: the kernel lives on."""
        self.page.goto(self.lab.address(f"lab/tree/{self.path}?reset"))
        self.ready()

    def ready(self) -> None:
        """Wait until the kernel listens to this page; a kernel in the midst of a cell does, too.

        The page drops what was asked of a kernel before its first answer, which its own indicator does not tell.
        """
        expect(self.page.locator(".jp-NotebookPanel .jp-Notebook .jp-Cell").first).to_be_visible(timeout=PATIENCE * 1e3)
        listens = self.page.locator(
            ".jp-NotebookPanel .jp-Notebook-ExecutionIndicator:is([data-status='idle'], [data-status='busy'])"
        )
        expect(listens).to_have_count(1, timeout=PATIENCE * 1e3)
        self.page.wait_for_function(_ANSWERED, timeout=PATIENCE * 1e3)
        self.page.evaluate("window.jupyterapp.shell.collapseLeft?.()")

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook > .jp-Cell, .jp-Notebook .jp-WindowedPanel-viewport > .jp-Cell").nth(
            number
        )

    def output(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-Cell-outputArea")

    def begin(self, number: int) -> None:
        """Run a cell, and do not wait for its end."""
        cell = self.cell(number)
        cell.locator(".jp-InputPrompt").first.click()
        expect(cell).to_have_class(re.compile("jp-mod-active"))
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+Enter")

    def ended(self, number: int) -> None:
        """Wait until a cell that was begun is done: its number stands beside it."""
        prompt = self.cell(number).locator(".jp-InputPrompt")
        done = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")
        expect(prompt).not_to_have_text("[*]:", timeout=PATIENCE * 1e3)
        expect(prompt).not_to_have_text("[ ]:", timeout=PATIENCE * 1e3)
        expect(done).to_have_count(1, timeout=PATIENCE * 1e3)

    def run(self, number: int) -> Locator:
        """Run a cell to its end; its output."""
        self.begin(number)
        self.ended(number)
        return self.output(number)

    def save(self) -> dict[str, Any]:
        """Save, and return what is on disk."""
        place = self.lab.root / self.path
        before = place.stat().st_mtime_ns
        self.page.locator(".jp-NotebookPanel .jp-Notebook").first.click(position={"x": 2, "y": 2})
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, "the notebook was not saved"
            self.page.wait_for_timeout(50)
            if place.stat().st_mtime_ns != before:
                with contextlib.suppress(json.JSONDecodeError):  # it is being written
                    content: dict[str, Any] = json.loads(place.read_text())
                    return content

    def kernel_id(self) -> str:
        session = next(each for each in self.lab.ask("sessions") if each["path"] == self.path)
        return str(session["kernel"]["id"])

    def interrupt(self) -> None:
        self.lab.ask(f"kernels/{self.kernel_id()}/interrupt", method="POST")

    def kill(self) -> None:
        """End the kernel and the session, as a shut down does."""
        self.lab.ask(f"kernels/{self.kernel_id()}", method="DELETE")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page as wide as the narrowest that must do, which remembers what its scripts threw and asked."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    yield page
    context.close()


@pytest.fixture
def notebook(lab: Lab, page: Page, request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """Opens a new notebook of these code cells: `notebook("first cell", "second", dark=False)`."""
    opened: list[Notebook] = []

    def open_new(*cells: str, dark: bool = False) -> Notebook:
        lab.choose_theme(dark)
        content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
        content.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = f"{request.node.name.translate(str.maketrans('[]/ ', '____'))}-{len(opened)}.ipynb"
        nbformat.write(content, lab.root / path)
        opened.append(Notebook(lab, page, path))
        return opened[-1]

    yield open_new
    for session in lab.ask("sessions"):
        if session["path"] in {each.path for each in opened}:
            lab.ask(f"sessions/{session['id']}", method="DELETE")


@pytest.fixture
def picture(page: Page) -> Callable[..., None]:
    """Keeps a picture of the page, or of one place in it, where pictures are wanted: `picture("training", place)`."""
    folder = os.environ.get("NBTUNE_IMAGES")

    def take(name: str, place: Locator | None = None) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            usual = page.viewport_size
            page.set_viewport_size({"width": WIDTH, "height": 2 * HEIGHT})  # what is below the fold would be missing
            (place or page).screenshot(path=Path(folder) / f"{name}.png")
            page.set_viewport_size(usual or {"width": WIDTH, "height": HEIGHT})

    return take


@pytest.fixture
def accessible(page: Page) -> Callable[..., None]:
    """Asserts that axe finds nothing serious within the places of a CSS selector."""
    from axe_playwright_python.base import AXE_SCRIPT

    def check(selector: str, *, but: tuple[str, ...] = ()) -> None:
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate(
            "([selector, but]) => axe.run({include: [[selector]], exclude: but.map(each => [each])})",
            [selector, list(but)],
        )
        assert found["passes"], f"axe looked at nothing in {selector!r}"
        serious = [
            f"{each['id']} ({each['impact']}): {each['help']}: {[node['html'][:200] for node in each['nodes']]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert not serious, "\n".join(serious)

    return check
