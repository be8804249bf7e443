"""Faults on demand: what goes wrong, for which requests, how often."""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Literal

from tests.servers.cloud.wire import Reply, Request


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. Without `status` and `drop` the work is still done.

    The order is: `run` is called, `hang` seconds pass, then the request is answered with `status`
    or dropped before any work. With `after_work` (a 504 that sent the mail all the same) the work
    is done first, then comes the hang, and the true answer is thrown away. `drop` "after" breaks
    the connection after the work, "midway" within the body of the answer.

    `retry_after` is in seconds, sent as a number or `as_date`. `code` is Graph's error code, or
    for the login host the number of an AADSTS code. `link_base` replaces the Graph host in
    @odata.nextLink and @odata.deltaLink.
    """

    status: int | None = None
    code: str = ""
    message: str = "A fault on demand."
    retry_after: float | None = None
    as_date: bool = False
    after_work: bool = False
    drop: Literal["before", "after", "midway"] | None = None
    hang: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    link_base: str | None = None
    run: Callable[[], object] | None = None

    @property
    def works_first(self) -> bool:
        """Whether the work is done before anything goes wrong."""
        return self.after_work or self.drop in ("after", "midway")

    def extra_headers(self) -> dict[str, str]:
        """Return the headers of the answer, Retry-After among them."""
        if self.retry_after is None:
            return dict(self.headers)
        # An HTTP date has whole seconds: rounded up, so that it is never too early.
        when = formatdate(math.ceil(time.time() + self.retry_after), usegmt=True)
        text = when if self.as_date else str(math.ceil(self.retry_after))
        return {"Retry-After": text} | dict(self.headers)


class Rule:
    """A fault with the requests that it is for; `hits` counts how often it struck."""

    def __init__(
        self,
        path: str,
        fault: Fault,
        *,
        method: str | None,
        host: str | None,
        times: int | None,
        skip: int,
        every: int,
    ) -> None:
        self.fault = fault
        self.hits = 0
        self._path = re.compile(path)
        self._method = method
        self._host = host
        self._times = times
        self._skip = skip
        self._every = every
        self._seen = 0

    def cancel(self) -> None:
        """Strike no more."""
        self._times = 0

    def strikes(self, request: Request) -> bool:
        """Count the request where it fits, and tell whether the fault strikes it."""
        if not self._fits(request) or self._times == self.hits or self._times == 0:
            return False
        self._seen += 1
        place = self._seen - self._skip
        if place < 1 or (place - 1) % self._every:
            return False
        self.hits += 1
        return True

    def _fits(self, request: Request) -> bool:
        if self._method not in (None, request.method) or self._host not in (None, request.host):
            return False
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        text = f"{request.path}?{query}" if query else request.path
        return self._path.search(text) is not None


class FaultBook:
    """The rules in force; the first that strikes wins."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> Rule:
        """Put a rule in force."""
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Put all rules out of force."""
        with self._lock:
            self._rules.clear()

    def take(self, request: Request) -> Fault | None:
        """Return the fault that strikes this request."""
        with self._lock:
            found = (rule.fault for rule in self._rules if rule.strikes(request))
            return next(found, None)


def twisted(fault: Fault, reply: Reply, graph_url: str) -> Reply:
    """Return the true answer with what the fault does to it."""
    body = reply.body
    if fault.link_base is not None:
        body = body.replace(f'Link": "{graph_url}'.encode(), f'Link": "{fault.link_base}'.encode())
    headers = reply.headers | fault.extra_headers()
    return replace(reply, body=body, headers=headers, cut=fault.drop == "midway")
