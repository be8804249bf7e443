"""Waiting when Microsoft says so: by whoever is at the mailbox, and no request before its time.

Requests while throttled count against the app too, so one 429 holds all connections of a process.
"""

import math
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from services.errors import ConnectionFailed
from services.protocols.base import Surroundings


class Throttled(ConnectionFailed):
    """The service wants a longer pause than anybody should wait in place."""

    def __init__(self, seconds: float) -> None:
        """Take how long it is from now."""
        super().__init__(
            f"Microsoft is throttling this mailbox for another {math.ceil(seconds)} s.",
            "It passes; lower Limit Mailbox Connections if it happens often.",
            "limit.limit_to",
        )
        self.retry_after = seconds


class Gate:
    """Closed until the time that the service named. Safe from any thread."""

    def __init__(self) -> None:
        """Open."""
        self._until = 0.0
        self._told = 0.0
        self._lock = threading.Lock()

    def close_for(self, seconds: float) -> None:
        """Let nobody through for so long; a longer pause named before holds."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def wait(self, around: Surroundings, patience: float) -> float:
        """Wait until it is open and return how long that took.

        Raises Throttled where it would be more than `patience` seconds, Cancelled.
        """
        waited = 0.0
        while (left := self._left()) > 0:
            if waited + left > patience:
                raise Throttled(left)
            self._tell(around, left)
            around.cancel.sleep(left)
            waited += left
        around.cancel.check()
        return waited

    def _left(self) -> float:
        with self._lock:
            return self._until - time.monotonic()

    def _tell(self, around: Surroundings, left: float) -> None:
        """Say it once, however many threads wait for the same moment."""
        with self._lock:
            news, self._told = self._told != self._until, self._until
        if news:
            around.say(waiting(left))


_GATES: dict[str, Gate] = {}
_LOCK = threading.Lock()


def gate_of(mailbox: str) -> Gate:
    """Return this process's gate of an app's mailbox."""
    with _LOCK:
        return _GATES.setdefault(mailbox, Gate())


def waiting(seconds: float) -> str:
    """Return what is said before a pause."""
    return f"waiting {math.ceil(seconds)} s, Microsoft asks for it…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After names (RFC 9110 §10.2.3), None where there is none.

    A date is counted from the answer's own Date: the clocks of two hosts seldom agree.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        due = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return None
    try:
        now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        now = time.time()
    return max(due - now, 0.0)
