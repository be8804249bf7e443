"""Stopping long work from another thread, without waiting for the network."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from services.errors import Cancelled


class Cancel:
    """A request to stop that also closes what a thread is blocked on.

    A thread that sits in a socket cannot look at a flag, so whoever opens a connection registers
    how to close it (`closing`), and `cancel` calls that from the asking thread.
    """

    def __init__(self) -> None:
        """Start out with nothing asked for."""
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._closers: list[Callable[[], object]] = []

    @property
    def requested(self) -> bool:
        """Whether somebody has asked us to stop."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Ask to stop and close every registered connection. Safe from any thread, repeatable."""
        with self._lock:
            self._event.set()
            closers = list(self._closers)
        for close in closers:
            _quietly(close)

    def check(self) -> None:
        """Raise Cancelled where somebody has asked us to stop."""
        if self.requested:
            raise Cancelled("Cancelled.")

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until somebody asks to stop, which raises Cancelled."""
        self._event.wait(seconds)
        self.check()

    @contextmanager
    def own(self) -> Iterator["Cancel"]:
        """Give a part of the work a Cancel of its own, which stops with this one and alone."""
        cancel = Cancel()
        with self.closing(cancel.cancel):
            yield cancel

    @contextmanager
    def closing(self, close: Callable[[], object]) -> Iterator[None]:
        """Have `close` called when somebody asks to stop while the block runs."""
        with self._lock:
            self._closers.append(close)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._closers.remove(close)


def _quietly(close: Callable[[], object]) -> None:
    with suppress(OSError):  # closed already, which is what was wanted
        close()
