"""The connection that an import holds from beginning to end, replaced where it breaks.

On it alone are messages set apart that no server gives: nothing else is asked for meanwhile.
"""

import threading
from array import array
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

from services.errors import ConnectionFailed
from services.protocols.base import Surroundings
from services.protocols.imap_fetch import Answers
from services.protocols.imap_session import ImapSession, Inbox
from services.protocols.imap_settings import ImapSettings
from services.protocols.imap_wire import Dripped, Refused, Trouble

REVIVALS = 28
"""How often a run connects again after a message broke the connection: enough to isolate two."""

T = TypeVar("T")


class OwnConnection:
    """Used by one thread at a time, which holds its `lock`."""

    def __init__(self, settings: ImapSettings, surroundings: Surroundings) -> None:
        """Connect and log in. Raises ConnectionFailed, LoginRefused, Cancelled."""
        self._settings, self._around = settings, surroundings
        self.session = ImapSession.opened(settings, surroundings)
        self.lock = threading.RLock()
        self.uidvalidity = 0
        self._revivals = REVIVALS

    def close(self) -> None:
        """Log out; never raises."""
        self.session.close()

    def examine(self) -> Inbox:
        """Open the INBOX for reading only, to stay the same for the whole run."""
        with self.lock:
            inbox = self.session.examine()
        self.uidvalidity = inbox.uidvalidity
        return inbox

    def fetch(self, uids: Sequence[int], what: str) -> Answers:
        """Fetch, with nothing else going on. Raises Trouble where a message may be to blame.

        Raises ConnectionFailed where it is the server: it drips, or refuses for now.
        """
        with self.lock:
            self._revive()
            try:
                return self.session.fetch(uids, what)
            except Trouble as trouble:
                self.check(trouble)
                raise

    def search(self, *criteria: str) -> "array[int]":
        """Search; no single message can be to blame."""
        return self._surely(lambda session: session.search(*criteria))

    def noop(self) -> None:
        """Let the server tell what has vanished meanwhile."""
        self._surely(lambda session: session.noop())

    def check(self, trouble: Trouble) -> None:
        """Raise ConnectionFailed for a trouble that no message is to blame for."""
        if isinstance(trouble, Dripped) or (isinstance(trouble, Refused) and trouble.for_now):
            raise self._failed(trouble) from None

    def _surely(self, command: Callable[[ImapSession], T]) -> T:
        with self.lock:
            self._revive()
            try:
                return command(self.session)
            except Trouble as trouble:
                raise self._failed(trouble) from None

    def _revive(self) -> None:
        """Connect again where the connection broke. Raises ConnectionFailed, LoginRefused."""
        if not self.session.broken:
            return
        self.session.close()
        if self._revivals == 0:
            raise ConnectionFailed(
                f"{self._settings.server} breaks off again and again: {self.session.broken}.",
                "What was imported is kept; the next run goes on from there.",
            )
        self._revivals -= 1
        self.session = self._reopened()

    def _reopened(self) -> ImapSession:
        """Return a session of the same mailbox, for UIDs mean other messages in any other."""
        with ExitStack() as stack:
            session = ImapSession.opened(self._settings, self._around)
            stack.callback(session.close)
            if session.examine().uidvalidity != self.uidvalidity:
                raise ConnectionFailed(
                    "The mailbox was rebuilt during the run.", "The next run looks at it again."
                )
            stack.pop_all()
            return session

    def _failed(self, trouble: Trouble) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self._settings.server} fails: {trouble.words}.", "Try again later."
        )
