"""What trains in this process, in the cell that started it or in a thread behind it. One run at a time: a second
would share the cores and torch's random numbers with the first, and neither could be repeated."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from nbtune.control import Control
from nbtune.errors import RunError, release
from nbtune.running.memory import give_back
from nbtune.tasks.hookspecs import Watcher

EXIT_SECONDS = 10.0
"""How long the end of the process waits for a run to stop and save. Jupyter itself waits less before it kills."""
SWITCH_SECONDS = 0.001
"""How long the training may hold the interpreter while another thread waits for it; python's own is 0.005."""

_lock = threading.Lock()
_current: Training | None = None


class Training:
    """A run while it is trained here, and afterwards how that went. Holds no model. `within` is the one in whose thread
    it is trained, which then goes on."""

    def __init__(self, path: Path, control: Control, within: Training | None = None) -> None:
        self.path = path.resolve()
        self.control = control
        self.within = within
        self.error: BaseException | None = None
        self.joined: list[Watcher] = [] if within is None else _followers(within)
        self.telling = threading.RLock()
        """Held while an event is written down and told: who joins inside of it misses none and sees none twice."""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def behind(self) -> bool:
        """Whether it goes on in a thread behind its cell, so that the kernel is free."""
        return self._thread is not None

    def join(self, watcher: Watcher) -> None:
        """Let somebody watch who came later; one that fails is dropped, and the log says so."""
        self.joined.append(watcher)

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end, `timeout` seconds at most.

        Raises:
            BaseException: what ended the thread.
        """
        if self._ended.wait(timeout) and self.error is not None:
            raise self.error

    def go_on_in_thread(
        self, work: Callable[[], object], failed: Callable[[BaseException], None], held: contextlib.ExitStack
    ) -> None:
        """Do the rest of the work in a thread, and let go of what is `held` after it. Its error is kept for `wait`,
        after `failed` was told."""
        atexit.register(self._end_with_process)

        def all_of_it() -> None:
            usual = sys.getswitchinterval()
            # a cell takes the interpreter lock several times, and each time waits this long for busy Python
            sys.setswitchinterval(min(usual, SWITCH_SECONDS))
            try:
                work()
            except BaseException as error:
                release(error)
                self.error = error
                with contextlib.suppress(Exception):
                    failed(error)
            finally:
                sys.setswitchinterval(usual)
                held.close()
                give_back()
                self.end()
                atexit.unregister(self._end_with_process)

        # a daemon: the end of the process must not wait for the epochs that are left
        self._thread = threading.Thread(target=all_of_it, name=f"nbtune {self.name}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let others train."""
        global _current
        with _lock:
            if _current is self:
                _current = self.within
        self._ended.set()

    def is_of_this_thread(self) -> bool:
        """Whether whoever asks is the thread that trains it behind a cell."""
        return self._thread is threading.current_thread()

    def _end_with_process(self) -> None:
        assert self._thread is not None
        self.control.stop()
        self._thread.join(EXIT_SECONDS)


def _followers(before: Training) -> list[Watcher]:
    """Of those who came later to watch a run of several seeds, those that can watch the next one, too."""
    able = (watcher for watcher in before.joined if not getattr(watcher, "in_cell", False))
    return [watcher.of_another_run() for watcher in able if hasattr(watcher, "of_another_run")]


def begin(path: Path, control: Control) -> Training:
    """Say that the run in this folder is trained here from now on, until `Training.end`.

    Raises:
        RunError: another one is.
    """
    global _current
    with _lock:
        _refuse_second()
        _current = Training(path, control, within=_current)
        return _current


def refuse_second() -> None:
    """For the time before there is a folder.

    Raises:
        RunError: a run is trained here already.
    """
    with _lock:
        _refuse_second()


def current() -> Training | None:
    """What trains in this process at the moment."""
    return _current


def training_in(path: Path) -> Training | None:
    """The training of the run in this folder, if it goes on in this process."""
    current = _current
    return current if current is not None and current.path == path.resolve() else None


def not_training(name: str, status: str) -> RunError:
    """What to raise where a run is asked to do something at its next step and has none here."""
    hints = {
        "finished": "it has finished; predict and evaluate use it",
        "unfinished": "if another kernel trains it, ask there; if none does, its resume() goes on with it",
    }
    hint = hints.get(status, "its resume() goes on with it")
    return RunError(f"the run {name!r} is not training in this kernel", hint)


def second(first: Training) -> RunError:
    """What to raise where another run is asked for while the first trains."""
    if not first.path.is_dir():
        words = "models that look for wrong labels are being trained in this kernel, and one thing trains at a time"
        return RunError(words, "wait for their end, or stop them where they were started")
    return RunError(
        f"the run {first.name!r} is training in this kernel, and there is one at a time",
        f"wait for it: nbtune.load({first.name!r}).wait(), or stop it: %nbtune stop {first.name}",
    )


def _refuse_second() -> None:
    if _current is not None and not _current.is_of_this_thread():
        raise second(_current)
