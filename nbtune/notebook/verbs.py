"""What each verb of `%nbtune` calls. As in the other magics, there is no logic here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from nbtune.errors import SpecError
from nbtune.notebook.arguments import Arguments, whole_number
from nbtune.notebook.counting import Told, counting
from nbtune.notebook.faults import Faults
from nbtune.notebook.memory import free
from nbtune.notebook.overview import sentence, tasks_picture
from nbtune.notebook.progress import is_terminal
from nbtune.notebook.settings import merged
from nbtune.notebook.showing import show
from nbtune.notebook.variables import from_variables

Namespace = Mapping[str, Any]


class Verbs:
    """The verbs as methods, for the class of magics: `_compare` is `%nbtune compare`."""

    shell: Any
    display: Any
    refresh: Any
    controls: Any
    _faults: Faults

    def _drawing(self) -> dict[str, Any]:
        """How runs are drawn, by the settings of the magics."""
        return {"kind": self.display, "refresh": self.refresh, "controls": self.controls}

    def _tasks(self, typed: Arguments, names: Namespace) -> Any:
        return tasks_picture()

    def _runs(self, typed: Arguments, names: Namespace) -> Any:
        from nbtune.running.catalog import runs

        return runs()

    def _show(self, typed: Arguments, names: Namespace) -> Any:
        run, drawing = load_run(typed.values["run"], names), self._drawing()
        if "live" in typed.switches:
            drawing["kind"] = "live"
        return show(run, self.shell, follow="follow" in typed.switches, **drawing)

    def _compare(self, typed: Arguments, names: Namespace) -> Any:
        from nbtune.running.comparing import compare

        chosen = [typed.values["run"], typed.values["other"], *(name for text in typed.texts for name in text.split())]
        runs, data = [load_run(name, names) for name in chosen], typed.get("data")
        source = from_variables(data, names) if data is not None else None
        with self._counting("answered", typed) as told:
            return compare(runs, data=source, namespace=names, precision=typed.get("precision"), progress=told)

    def _mistakes(self, typed: Arguments, names: Namespace) -> Any:
        run, folds = load_run(typed.values["run"], names), whole_number(typed, "folds")
        given = {name: typed.get(name) for name in ("part", "corrections")}
        ranking = typed.get("ranking") or "self_confidence"
        with self._counting("judged" if folds is None else "trained step", typed) as told:
            return run.mistakes(folds, ranking=ranking, progress=told, **given)

    def _explain(self, typed: Arguments, names: Namespace) -> Any:
        run = load_run(typed.values["run"], names)
        if len(typed.texts) != 1:
            raise SpecError(
                f"%nbtune explain takes one text, not {len(typed.texts)}",
                "write it in quotes; run.explain takes a pair as a dict",
            )
        return run.explain(typed.texts[0], target=typed.get("target"))

    def _inspect(self, typed: Arguments, names: Namespace) -> Any:
        from nbtune.notebook.inspection import inspect

        task = typed.get("task")
        if task is None:
            raise SpecError("%nbtune inspect needs a task", "add --task, such as --task ner; %nbtune tasks lists them")
        parts = {part: from_variables(typed.values[part], names) for part in ("validation", "test") if typed.get(part)}
        data = from_variables(typed.values["data"], names)
        options = merged(
            ("as an option", {"model": typed.values.get("model", "minilm-l6")}), ("on the line", typed.settings)
        )
        return inspect(task, data, namespace=names, **parts, **options)

    def _calibrate(self, typed: Arguments, names: Namespace) -> Any:
        return sentence(load_run(typed.values["run"], names).calibrate().in_words())

    def _dashboard(self, typed: Arguments, names: Namespace) -> Any:
        from nbtune.dashboards import open_dashboard

        return open_dashboard(self.shell.user_ns)

    def _free(self, typed: Arguments, names: Namespace) -> Any:
        return sentence(free(typed.get("run")))

    def _pause(self, typed: Arguments, names: Namespace) -> Any:
        run = load_run(typed.values["run"], names)
        run.control.pause()
        return sentence(f"{run.name} waits after its current step; %nbtune resume {run.name} lets it go on")

    def _resume(self, typed: Arguments, names: Namespace) -> Any:
        run = load_run(typed.values["run"], names)
        run.control.resume()
        return sentence(f"{run.name} goes on")

    def _stop(self, typed: Arguments, names: Namespace) -> Any:
        run = load_run(typed.values["run"], names)
        run.control.stop()
        return sentence(f"{run.name} ends after its current step, and its model is kept")

    def _tutorial(self, typed: Arguments, names: Namespace) -> Any:
        from nbtune.notebook import tutorial

        return tutorial.picture(tutorial.copy(typed.values.get("folder", ".")))

    def _doctor(self, typed: Arguments, names: Namespace) -> Any:
        from nbtune.notebook import doctor

        return doctor.picture(doctor.examine())

    def _why(self, typed: Arguments, names: Namespace) -> Any:
        fault = self._faults.last()
        if fault is None:
            return sentence("no error has been shown in this session")
        return fault.picture(unfolded="traceback" in typed.switches)

    def _counting(self, verb: str, typed: Arguments) -> AbstractContextManager[Told]:
        return counting(verb, terminal=is_terminal(self.shell), refresh=self.refresh, silent=typed.silent)


def load_run(name: str, names: Namespace) -> Any:
    """A run by its name, or by the variable that holds it."""
    from nbtune.running.catalog import load
    from nbtune.running.run import Run

    held = names.get(name)
    return held if isinstance(held, Run) else load(name)
