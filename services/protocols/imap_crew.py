"""Fetches many messages where round trips are long: over several connections, without pauses.

Each connection is asked for its next few messages before it has given the last ones (RFC 3501
§5.5), and further ones are opened where the mailbox's limit allows. All this only ever helps: what
does not come so is left to the import's own connection, where messages to blame are set apart.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from services.errors import ServiceError
from services.protocols.base import Surroundings
from services.protocols.imap_fetch import Answers
from services.protocols.imap_own import OwnConnection
from services.protocols.imap_session import ImapSession
from services.protocols.imap_settings import ImapSettings
from services.protocols.imap_wire import Refused, Trouble

FAR_SECONDS = 0.02
"""Commands that all take longer make it worth while."""
MOST = 2
"""Connections beside the import's own."""
SHIFT_SECONDS = 30.0
"""After so long a helper gives its slot back, in case somebody else waits for one."""
_MANY = 50
"""Messages for which it pays to open them."""
_ASKED = 2
"""Commands that a connection has been given and has not answered."""


@dataclass(frozen=True, eq=False)
class _Piece:
    uids: Sequence[int]
    what: str
    answers: Future[Answers | None] = field(default_factory=Future)
    """None where they did not come."""


@dataclass(eq=False)
class _Line:
    """A connection that takes part, the import's own or a helper."""

    session: Callable[[], ImapSession]
    lock: AbstractContextManager[Any] = field(default_factory=nullcontext)
    until: float = inf
    leaving: ExitStack = field(default_factory=ExitStack)
    """Closes a helper's session and gives its slot back."""
    busy: bool = False

    @property
    def fit(self) -> bool:
        return not self.session().broken and time.monotonic() < self.until


class Crew:
    """The import's own connection and those that help it."""

    def __init__(
        self, own: OwnConnection, settings: ImapSettings, surroundings: Surroundings
    ) -> None:
        """Take what connects; nothing is opened until it is worth it."""
        self._own, self._settings = own, settings
        self._open = ExitStack()
        self._cancel = self._open.enter_context(surroundings.cancel.own())
        self._around = replace(surroundings, cancel=self._cancel)
        self._threads = ThreadPoolExecutor(MOST + 1, "crew")
        # Whoever looks at or changes what follows holds this, for a moment only.
        self._state = threading.Lock()
        self._pieces: deque[_Piece] = deque()
        self._lines = [_Line(lambda: own.session, own.lock)]
        self._joining, self._most = 0, MOST
        self._closed = False

    def close(self) -> None:
        """Send everybody home; never raises."""
        with self._state:
            self._closed = True
            _lose(self._pieces)
            idle = [line for line in self._lines if not line.busy]
        for line in idle:
            line.leaving.close()  # logs out, which those who are cut off now cannot
        self._cancel.cancel()
        self._threads.shutdown()
        for line in self._lines:
            line.leaving.close()
        self._open.close()

    @property
    def far(self) -> bool:
        """Whether round trips are long."""
        return self._own.session.quickest >= FAR_SECONDS

    def hire(self, messages: int) -> None:
        """Have helpers connect meanwhile, if round trips and so many messages are worth it."""
        if not self.far or messages < _MANY:
            return
        with self._state:
            wanted = self._most - self._joining - len(self._helpers)
            self._joining += wanted
        for _ in range(wanted):
            self._threads.submit(self._join)

    def fetch(self, uids: Sequence[int], what: str) -> tuple[Answers, Collection[int]]:
        """Return what came, and which messages nothing is known of yet."""
        self.hire(len(uids))
        with self._state:
            size = -(-len(uids) // (_ASKED * len(self._lines)))
            pieces = [_Piece(uids[at : at + size], what) for at in range(0, len(uids), size)]
            self._pieces.extend(pieces)
            self._start()
        found: Answers = {}
        left: set[int] = set()
        for piece in pieces:
            answers = piece.answers.result()
            found.update(answers or {})
            left.update(piece.uids if answers is None else ())
        return found, left

    # ------------------------------------------------------------------ who works

    @property
    def _helpers(self) -> Sequence[_Line]:
        return self._lines[1:]

    def _start(self) -> None:
        """Have those who are fit begin, if there is anything to do, and the others leave.

        Called under the lock.
        """
        for line in () if self._closed else tuple(self._lines):
            if line.busy:
                continue
            if line.fit and self._pieces:
                line.busy = True
                self._threads.submit(self._work, line)
            elif line in self._helpers and not line.fit:
                self._lines.remove(line)
                self._most -= line.session().broken != ""
                self._threads.submit(line.leaving.close)
        if not any(line.busy for line in self._lines):
            _lose(self._pieces)

    def _work(self, line: _Line) -> None:
        try:
            with line.lock:
                self._converse(line.session(), line.until)
        finally:
            with self._state:
                line.busy = False
                self._start()

    def _converse(self, session: ImapSession, until: float) -> None:
        """Fetch pieces while there are any, each asked for before the last one has come."""
        asked: deque[_Piece] = deque()
        try:
            while not session.broken:
                if len(asked) < _ASKED and (piece := self._next(until)) is not None:
                    asked.append(piece)
                    session.ask(piece.uids, piece.what)
                elif asked:
                    asked[0].answers.set_result(_answered(session))
                    asked.popleft()
                else:
                    break
        except (Trouble, ServiceError):
            pass
        finally:
            _lose(asked)

    def _next(self, until: float) -> _Piece | None:
        with self._state:
            return self._pieces.popleft() if self._pieces and time.monotonic() < until else None

    # ------------------------------------------------------------------ who joins

    def _join(self) -> None:
        line = self._connected()
        with self._state:
            self._joining -= 1
            if line is None:  # refused, or no slot is free: those who are here will do
                self._most = min(self._most, len(self._helpers) + self._joining)
            else:
                self._lines.append(line)
                self._start()

    def _connected(self) -> _Line | None:
        with ExitStack() as stack:
            try:
                if not stack.enter_context(self._around.more_slots(1)):
                    return None
                session = ImapSession.opened(self._settings, self._around)
                stack.callback(session.close)
                if session.examine().uidvalidity != self._own.uidvalidity:
                    return None
            except ServiceError:
                return None
            until = time.monotonic() + SHIFT_SECONDS
            return _Line(lambda: session, until=until, leaving=stack.pop_all())


def _answered(session: ImapSession) -> Answers | None:
    try:
        return session.answered()
    except Refused:
        return None


def _lose(pieces: deque[_Piece]) -> None:
    while pieces:
        pieces.popleft().answers.set_result(None)
