"""Further connections that help an import where round trips are long and the limit allows it.

They only ever help: what one of them does not bring, the import's own connection asks for, and
that is where messages to blame are set apart.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from services.errors import ServiceError
from services.protocols.base import Surroundings
from services.protocols.imap import ImapSettings
from services.protocols.imap_session import ImapSession
from services.protocols.imap_wire import Trouble

FAR_SECONDS = 0.02
"""Commands that all take longer make further connections worth their while."""
MOST = 2
_WORTH = 8
"""Messages in a command for which several connections pay."""
SHIFT_SECONDS = 30.0
"""After so long a helper gives its slot back, in case somebody else waits for one."""

Answers = dict[int, dict[bytes, Any]]


@dataclass(frozen=True)
class _Helper:
    session: ImapSession
    until: float
    leaving: ExitStack
    """Closes the session and gives its slot back."""


class Crew:
    """Fetches over the import's own connection and, at once, over those that help."""

    def __init__(self, settings: ImapSettings, surroundings: Surroundings) -> None:
        """Take what connects; nothing is opened until it is worth it."""
        self._settings, self._around = settings, surroundings
        self._helpers: list[_Helper] = []
        self._hiring: Future[_Helper | None] | None = None
        self._most = MOST
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Send everybody home; never raises."""
        if self._hiring is not None:
            wait([self._hiring])
            self._welcome()
        for helper in self._helpers:
            helper.leaving.close()
        self._helpers.clear()
        if self._pool is not None:
            self._pool.shutdown()

    def fetch(self, own: ImapSession, uids: Sequence[int], what: str, uidvalidity: int) -> Answers:
        """Fetch as `ImapSession.fetch` does. Raises what the own connection raises."""
        if len(uids) < _WORTH or own.quickest < FAR_SECONDS:
            return own.fetch(uids, what)
        self._hire(uidvalidity)
        share, *others = (
            uids[at :: len(self._helpers) + 1] for at in range(len(self._helpers) + 1)
        )
        futures = [
            self._threads.submit(_brought, helper.session, part, what)
            for helper, part in zip(self._helpers, others, strict=True)
        ]
        try:
            found = own.fetch(share, what)
        finally:
            wait(futures)
        failed = [number for number, future in enumerate(futures) if future.result() is None]
        for future in futures:
            found.update(future.result() or {})
        for number in reversed(failed):
            self._dismiss(number)
            found.update(own.fetch(others[number], what))
        return found

    @property
    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MOST + 1, "crew")
        return self._pool

    def _hire(self, uidvalidity: int) -> None:
        """Let one helper after the other connect meanwhile, and send home whose shift is over."""
        now = time.monotonic()
        for helper in [helper for helper in self._helpers if helper.until < now]:
            self._helpers.remove(helper)
            helper.leaving.close()
        if self._hiring is not None and self._hiring.done():
            self._welcome()
        if self._hiring is None and len(self._helpers) < self._most:
            self._hiring = self._threads.submit(self._connected, uidvalidity)

    def _welcome(self) -> None:
        helper = self._hiring.result() if self._hiring is not None else None
        self._hiring = None
        if helper is None:
            self._most = len(self._helpers)  # refused, or no slot is free: that will do
        else:
            self._helpers.append(helper)

    def _dismiss(self, number: int) -> None:
        self._helpers.pop(number).leaving.close()
        self._most = len(self._helpers)

    def _connected(self, uidvalidity: int) -> _Helper | None:
        with ExitStack() as stack:
            try:
                if not stack.enter_context(self._around.more_slots(1)):
                    return None
                session = ImapSession.opened(self._settings, self._around)
                stack.callback(session.close)
                if session.examine().uidvalidity != uidvalidity:
                    return None
            except ServiceError:
                return None
            return _Helper(session, time.monotonic() + SHIFT_SECONDS, stack.pop_all())


def _brought(session: ImapSession, uids: Sequence[int], what: str) -> Answers | None:
    try:
        return session.fetch(uids, what)
    except (Trouble, ServiceError):
        return None
