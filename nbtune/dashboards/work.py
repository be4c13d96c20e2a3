"""What takes a while is done in a thread, one thing at a time: the kernel stays free."""

from __future__ import annotations

import threading
from collections.abc import Callable

from nbtune.dashboards.look import Notice
from nbtune.errors import release

Job = Callable[[], None]


class Work:
    """A queue of one worker. A job that has not begun is replaced by a newer one for the same notice."""

    def __init__(self) -> None:
        self._waiting: dict[Notice, tuple[str, Job]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(self, notice: Notice, doing: str, job: Job) -> None:
        """Have something done; what goes wrong is said in the notice, where else the job leaves its own words."""
        with self._changed:
            self._waiting[notice] = (doing, job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._all, name="nbtune dashboard", daemon=True)
                self._thread.start()
            else:
                notice.working(f"waiting, then {doing}")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is nothing to do; False if `timeout` seconds passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout)

    def _all(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._thread = None
                    self._changed.notify_all()
                    return
                notice = next(iter(self._waiting))
                doing, job = self._waiting.pop(notice)
            notice.working(doing)
            try:
                job()
            except BaseException as error:  # a stop is told as well: a thread has nobody else to tell
                release(error)
                notice.refuse(error)
            else:
                notice.done()
