"""What the cloud saw: every request, how many at once, and retries that came too early."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from tests.servers.cloud.wire import Reply, Request

Caller = tuple[str, str]
"""An app's client id and a mailbox' object id; the latter is empty at the login host."""

_TOLERANCE = 0.01
"""Seconds by which the clocks of wall and machine may drift apart while a client waits."""


@dataclass
class Entry:
    """A request as it is logged.

    The names of `headers` are in lower case. Authorization is not among them: `authorized` tells
    only that it was there. `status` is None until the answer, and for ever where there was none.
    `at` is a time of `time.monotonic`.
    """

    host: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    authorized: bool
    size: int
    app: str
    mailbox: str
    at: float
    digest: bytes
    status: int | None = None

    @property
    def same(self) -> tuple[object, ...]:
        """What a repetition of this request has in common with it."""
        query = tuple(sorted(self.query.items()))
        return (self.app, self.host, self.method, self.path, query, self.digest)


@dataclass(frozen=True)
class EarlyRetry:
    """A request that was repeated `seconds` before the Retry-After of its 429 or 503 was over."""

    entry: Entry
    seconds: float


class Watch:
    """The log and its counters."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.early: list[EarlyRetry] = []
        self.while_throttled: list[Entry] = []
        self.peak: dict[Caller, int] = {}
        self._busy: Counter[Caller] = Counter()
        self._due: dict[tuple[object, ...], float] = {}
        self._closed: dict[Caller, float] = {}
        self._lock = threading.Lock()

    def arrived(self, request: Request, caller: Caller) -> Entry:
        """Log a request, and note whether it came before its time."""
        headers = {name.casefold(): value for name, value in request.headers.items()}
        authorized = headers.pop("authorization", None) is not None
        entry = Entry(
            host=request.host,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
            authorized=authorized,
            size=len(request.body),
            app=caller[0],
            mailbox=caller[1],
            at=time.monotonic(),
            digest=hashlib.sha256(request.body).digest(),
        )
        with self._lock:
            self.entries.append(entry)
            if (early := self._due.get(entry.same, 0.0) - entry.at) > _TOLERANCE:
                self.early.append(EarlyRetry(entry, early))
            if self._closed.get(caller, 0.0) - entry.at > _TOLERANCE:
                self.while_throttled.append(entry)
        return entry

    def answered(self, entry: Entry, reply: Reply) -> None:
        """Note the answer, and until when the client was told to wait."""
        entry.status = reply.status
        if reply.status in (429, 503) and "Retry-After" in reply.headers:
            due = time.monotonic() + _seconds(reply.headers["Retry-After"])
            with self._lock:
                self._due[entry.same] = due
                self._closed[entry.app, entry.mailbox] = due

    @contextmanager
    def counted(self, caller: Caller | None) -> Iterator[int]:
        """Count a request as under way; yields how many of this caller now are."""
        if caller is None:
            yield 0
            return
        with self._lock:
            self._busy[caller] += 1
            crowd = self._busy[caller]
            self.peak[caller] = max(self.peak.get(caller, 0), crowd)
        try:
            yield crowd
        finally:
            with self._lock:
                self._busy[caller] -= 1


def _seconds(retry_after: str) -> float:
    if retry_after.isdecimal():
        return float(retry_after)
    return parsedate_to_datetime(retry_after).timestamp() - time.time()
