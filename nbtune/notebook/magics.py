"""The magics. They hold no logic of their own: parse what was typed, call nbtune, show what came back."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.display import display as show
from traitlets import Bool, Enum, Float, Unicode, observe

from nbtune.errors import Interrupted, SpecError, did_you_mean
from nbtune.events import Event
from nbtune.notebook.arguments import Arguments, Command, parse
from nbtune.notebook.commands import EVALUATE, FINETUNE, NBTUNE, PREDICT, VERBS
from nbtune.notebook.faults import Faults
from nbtune.notebook.overview import help_picture, predictions_picture, welcome
from nbtune.notebook.progress import Display, RunDisplay, display_for, is_terminal
from nbtune.notebook.settings import merged, parse_body
from nbtune.notebook.shown import DrawnAs
from nbtune.notebook.variables import from_variables
from nbtune.notebook.verbs import Namespace, Verbs, load_run
from nbtune.running.memory import give_back

Method = TypeVar("Method", bound=Callable[..., Any])
_RUNS_DIR = "NBTUNE_RUNS_DIR"
_DRAWN = 20
"""Predictions that are drawn one by one; more are a table."""


def documented(command: Command) -> Callable[[Method], Method]:
    """Give a magic its command's help, which `%name?` shows."""

    def decorate(method: Method) -> Method:
        method.__doc__ = command.help()
        return method

    return decorate


@magics_class
class Nbtune(Magics, Verbs):
    """Fine-tune language models in this notebook."""

    display: Any = Enum(
        ("auto", "html", "text", "live"),
        "auto",
        help="how a run is drawn: auto suits the shell, text is plain, live has a smooth chart (needs anywidget)",
    ).tag(config=True)
    controls: Any = Bool(True, help="buttons to pause, stop and change the learning rate while a run trains").tag(
        config=True
    )
    refresh: Any = Float(0.5, min=0.5, help="seconds between two redraws of a run, at least 0.5").tag(config=True)
    runs_dir: Any = Unicode(
        "", help="where runs are kept; empty: NBTUNE_RUNS_DIR, [tool.nbtune] in pyproject.toml, or nbtune_runs"
    ).tag(config=True)

    def __init__(self, shell: Any, **traits: Any) -> None:
        self._environment: str | None = None
        self._overridden = False
        self._faults = Faults()
        self._drawn = DrawnAs(shell)
        super().__init__(shell, **traits)

    @observe("runs_dir")
    def _use_runs_dir(self, change: Any) -> None:
        # plain Python cells (nbtune.load) must look in the same place
        if not self._overridden:
            self._environment = os.environ.get(_RUNS_DIR)
        self._overridden = bool(change["new"])
        _set_environment(_RUNS_DIR, change["new"] or self._environment)

    def close(self) -> None:
        """Undo what the settings changed outside this object."""
        if self._overridden:
            _set_environment(_RUNS_DIR, self._environment)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @documented(FINETUNE)
    def finetune(self, line: str, cell: str | None = None, local_ns: Namespace | None = None) -> Any:
        return self._run(FINETUNE, line, lambda typed: self._finetune(typed, cell or "", self._names(local_ns)))

    @no_var_expand
    @needs_local_scope
    @line_magic
    @documented(EVALUATE)
    def evaluate(self, line: str, local_ns: Namespace | None = None) -> Any:
        return self._run(EVALUATE, line, lambda typed: self._evaluate(typed, self._names(local_ns)))

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @documented(PREDICT)
    def predict(self, line: str, cell: str | None = None, local_ns: Namespace | None = None) -> Any:
        return self._run(PREDICT, line, lambda typed: self._predict(typed, cell or "", self._names(local_ns)))

    @no_var_expand
    @needs_local_scope
    @line_magic
    @documented(NBTUNE)
    def nbtune(self, line: str, local_ns: Namespace | None = None) -> Any:
        verb, _, rest = line.strip().partition(" ")
        verb = verb.rstrip(";")
        if verb in ("", "-h", "--help"):
            return welcome((FINETUNE, EVALUATE, PREDICT), tuple(VERBS.values()))
        if verb not in VERBS:
            return self._fail(SpecError(f"%nbtune does not know {verb!r}", did_you_mean(verb, VERBS)))
        work = getattr(self, f"_{verb}")
        return self._run(VERBS[verb], rest, lambda typed: work(typed, self._names(local_ns)))

    # --- what each of them calls

    def _finetune(self, typed: Arguments, body: str, names: Namespace) -> Any:
        settings = merged(
            ("as an option", {name: value for name, value in typed.values.items() if name not in ("task", "resume")}),
            ("on the line", typed.settings),
            ("in the cell", parse_body(body)),
        )
        resumed, background = typed.get("resume"), "background" in typed.switches
        for part in ("data", "validation", "test"):
            if part in settings:
                settings[part] = from_variables(settings[part], names)
        if resumed is not None:
            past = load_run(resumed, names)
            given = {"task": typed.get("task"), "namespace": names, "background": background, **settings}
            return self._watched(typed, lambda watchers: past.resume(watchers=watchers, **given), past.events())
        if "task" not in typed.values:
            raise SpecError("%finetune needs a task", f"such as: %finetune ner --data DATA; {_task_list()}")
        if "data" not in settings:
            raise SpecError(
                "there is no data to learn from", "add --data: a DataFrame, a file, sample:NAME or hub:NAME"
            )
        task = typed.values["task"]

        def work(watchers: list[Display]) -> Any:
            from nbtune.running.launch import finetune

            return finetune(task, **settings, namespace=names, watchers=watchers, background=background)

        return self._watched(typed, work)

    def _watched(self, typed: Arguments, work: Callable[[list[Display]], Any], past: Iterable[Event] = ()) -> Any:
        """A run with its display, which is all that is drawn of it in this cell."""
        if "quiet" in typed.switches:
            return work([])
        display = display_for(self.shell, past=past, silent=typed.silent, **self._drawing())
        display.state.ended = None  # a past that ended goes on: else its old end would be drawn first, without controls
        try:
            run = work([display])
        except BaseException as error:
            display.abandon(error)
            raise
        if run.spec.seeds > 1 and run.report is not None and not typed.silent:
            # made anew when all its seeds were trained, after its display was finished
            show(run.report)  # type: ignore[no-untyped-call]
        if isinstance(display, RunDisplay):  # a terminal has shown lines, and says what the run is as its result
            self._drawn.hide(run)
        return run

    def _evaluate(self, typed: Arguments, names: Namespace) -> Any:
        data = typed.get("data")
        run = load_run(typed.values["run"], names)
        source = from_variables(data, names) if data is not None else None
        by = [name.strip() for name in (typed.get("by") or "").split(",") if name.strip()]
        with self._counting("scored", typed) as told:
            chosen = {"by": by, "seeds": "seeds" in typed.switches, "precision": typed.get("precision")}
            return run.evaluate(source, namespace=names, progress=told, **chosen)

    def _predict(self, typed: Arguments, body: str, names: Namespace) -> Any:
        run = load_run(typed.values["run"], names)
        texts = [*typed.texts, *(line.strip() for line in body.splitlines() if line.strip())]
        data = typed.get("data")
        if (data is None) == (not texts):
            problem = "was given both texts and --data" if texts else "has nothing to predict"
            raise SpecError(f"%predict {problem}", f"write a text in quotes, or --data; usage: {PREDICT.usage()}")
        if data is not None:
            rows = from_variables(data, names)
            with self._counting("predicted", typed) as told:
                answers = run.predict(rows, namespace=names, precision=typed.get("precision"), progress=told)
        else:
            answers = run.predict(texts, namespace=names, precision=typed.get("precision"))
        drawn = run.render(texts) if 0 < len(texts) <= _DRAWN else []
        # in a terminal pandas writes what the data hold as it is, escape sequences too
        if drawn or is_terminal(self.shell):
            self._drawn.draw_as(answers, predictions_picture(drawn, answers))
        return answers

    # --- the same for all of them

    def _run(self, command: Command, line: str, work: Callable[[Arguments], Any]) -> Any:
        """Parse, work, and hand over the result; what goes wrong leaves without its frames."""
        caught: BaseException
        try:
            typed = parse(command, line)
            return help_picture(command) if typed.help else self._deliver(typed, work(typed))
        except Interrupted as error:
            caught = error
        except KeyboardInterrupt:
            caught = Interrupted(f"%{command.name} was interrupted")
        except Exception as error:
            caught = error
        return self._fail(caught)

    def _deliver(self, typed: Arguments, result: Any) -> Any:
        if typed.target:
            self.shell.user_ns[typed.target] = result  # type: ignore[union-attr]
            return None
        if typed.silent:
            self._drawn.hide(result)
        return result

    def _fail(self, error: BaseException) -> Any:
        # outside of any except block, so that the error leaves without a context that holds frames
        cleaned = self._faults.clean(error)
        del error
        give_back()
        raise cleaned

    def _names(self, local_ns: Namespace | None) -> Namespace:
        return ChainMap(dict(local_ns or {}), self.shell.user_ns)  # type: ignore[union-attr]


def _task_list() -> str:
    from nbtune.tasks.registry import registry

    return f"tasks: {', '.join(registry().tasks)}"


def _set_environment(name: str, value: str | None) -> None:
    if value:
        os.environ[name] = value
    else:
        os.environ.pop(name, None)
