"""The command that runs a notebook: what it tells, what it leaves behind, and how it fails."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from nbtune.notebook import demo

WORKING = """
from time import sleep
from IPython.display import display
handle = display({"text/plain": "nothing yet"}, raw=True, display_id=True)
handle.update({"text/plain": "step 1 of 9\\nmore"}, raw=True)
sleep(3)
"""


def write(folder: Path, *cells: str) -> Path:
    path = folder / "book.ipynb"
    written = [nbformat.v4.new_code_cell(source) for source in cells]  # type: ignore[no-untyped-call]
    nbformat.write(nbformat.v4.new_notebook(cells=written), path)  # type: ignore[no-untyped-call]
    return path


def run(notebook: Path, outdir: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = demo.main([str(notebook), str(outdir)])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_it_shows_each_cell_and_leaves_the_notebook_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_BEAT", (1.0, 1.0))
    path = write(tmp_path, "import sys, os\n[sys.executable, os.environ['HF_HUB_OFFLINE']]", WORKING, "'<b>x</b>'")
    before = path.read_bytes()
    status, out, _ = run(path, tmp_path / "out", capsys)
    assert status == 0
    assert re.search(r"the kernel was ready after \d+\.\d s", out)
    assert "[ 1/3] import sys, os" in out
    assert "step 1 of 9 (" in out
    assert "more" not in out
    assert path.read_bytes() == before
    executed = json.loads((tmp_path / "out" / "book.ipynb").read_text(encoding="utf-8"))
    assert executed["cells"][0]["outputs"][0]["data"]["text/plain"] == [f"['{sys.executable}', '1']"]
    page = (tmp_path / "out" / "book.html").read_text(encoding="utf-8")
    assert "step 1 of 9" in page
    assert not re.search(r"""<(script|link)[^>]+(src|href)=["']?(https?:)?//""", page)
    for name in ("book.ipynb", "book.html"):
        assert str(tmp_path / "out" / name) in out


def test_it_prints_what_evaluate_showed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    magic = "get_ipython().register_magic_function(lambda line: f'scores of {line}', magic_name='evaluate')"
    status, out, _ = run(write(tmp_path, magic, "%evaluate first"), tmp_path / "out", capsys)
    assert status == 0
    assert "%evaluate first\n\n'scores of first'" in out


def test_a_failing_cell_is_named_with_its_error_and_the_rest_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "6 * 7", "%load_ext nbtune\n%evaluate nothing", "'never reached'")
    status, out, err = run(path, tmp_path / "out", capsys)
    assert status == 1
    assert "cell 2 (%load_ext nbtune) failed: RunError: there is no run 'nothing'" in err
    assert "Traceback" not in out + err
    assert "[ 3/3]" not in out
    executed = json.loads((tmp_path / "out" / "book.ipynb").read_text(encoding="utf-8"))
    assert executed["cells"][0]["outputs"][0]["data"]["text/plain"] == ["42"]
    assert executed["cells"][1]["outputs"][-1]["output_type"] == "error"


def test_a_kernel_that_dies_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(write(tmp_path, "import os\nos._exit(3)"), tmp_path / "out", capsys)
    assert status == 1
    assert "the kernel died in cell 1" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no notebook"), ("text", "cannot be read as a notebook"), ('{"a": 1}', "cannot be read")],
)
def test_what_is_no_notebook_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    path = tmp_path / "book.ipynb"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    status, _, err = run(path, tmp_path / "out", capsys)
    assert status == 1
    assert message in err


def test_the_notebook_itself_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(write(tmp_path, "1"), tmp_path, capsys)
    assert status == 1
    assert "would replace the notebook itself" in err


@pytest.mark.skipif(os.name == "nt", reason="signals are sent another way there")
def test_ctrl_c_ends_it_and_its_kernel(tmp_path: Path) -> None:
    here = tmp_path / "kernel.pid"
    wait = f"import os, time\nopen({str(here)!r}, 'w').write(str(os.getpid()))\nprint('waiting')\ntime.sleep(600)"
    command = [sys.executable, "-m", "nbtune.notebook.demo", str(write(tmp_path, wait)), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not (here.exists() and here.read_text()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "interrupted"
    assert "as far as it came" in out
    with pytest.raises(ProcessLookupError):
        os.kill(int(here.read_text()), 0)
