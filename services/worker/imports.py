"""Scheduled imports beside the outbox: a thread each, so that none delays anything else."""

import threading
import time
from contextlib import suppress
from typing import Self

from services.cancel import Cancel
from services.errors import Cancelled
from services.worker.crew import Crew
from services.worker.sweep import Due

TICK_SECONDS = 1.0
"""Between two looks at what is due."""
REPORT_SECONDS = 60.0
"""Between two looks at what queues are to be told; a worker that has just begun looks later, since
what it finds overdue it is about to do."""
AT_ONCE = 4
"""Imports that one worker does side by side."""
LEAVE_SECONDS = 10.0
"""How long a stop waits for imports, whose connections are closed, to hand back."""


class Imports:
    """Imports what is due in threads of its own until the block ends or a stop is asked for.

    A stop does not wait for an import: it closes the connection, keeps what is committed, and the
    next worker goes on from there.
    """

    def __init__(self, crew: Crew, stop: Cancel, *, once: bool) -> None:
        """With `once` the thread ends as soon as nothing is due or under way any more."""
        self._crew, self._stop, self._once = crew, stop, once
        self._cancel = crew.importing
        self._changed = threading.Condition()
        self._running: set[threading.Thread] = set()
        self._report_at = time.monotonic() + REPORT_SECONDS
        self._thread = threading.Thread(target=self._loop, name="imports", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._cancel.cancel()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(LEAVE_SECONDS)
        with self._changed:
            self._changed.wait_for(lambda: not self._running, LEAVE_SECONDS)

    def wait(self) -> None:
        """Wait for the end of all with `once`. Raises Cancelled where a stop was asked for."""
        while self._thread.is_alive():
            self._thread.join(0.1)
            self._stop.check()

    def _loop(self) -> None:
        with suppress(Cancelled), self._stop.closing(self._cancel.cancel):
            while not self._cancel.requested:
                self._start_due()
                with self._changed:
                    ended = self._once and not self._running
                if ended or time.monotonic() >= self._report_at:
                    self._report_at = time.monotonic() + REPORT_SECONDS
                    self._crew.report()
                if ended:
                    return
                with self._changed:
                    self._changed.wait(TICK_SECONDS)

    def _start_due(self) -> None:
        for due in self._crew.take_up(AT_ONCE - len(self._running)):
            thread = threading.Thread(target=self._import, args=(due,), daemon=True)
            with self._changed:
                self._running.add(thread)
            thread.start()

    def _import(self, due: Due) -> None:
        self._crew.bring_in(due)
        with self._changed:
            self._running.discard(threading.current_thread())
            self._changed.notify_all()
