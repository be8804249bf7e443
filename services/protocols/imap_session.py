"""One IMAP session: encrypted as the account says, never downgraded, its failures told apart."""

import re
import socket
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from models.fields import to_ascii_host
from services.errors import ConnectionFailed, LoginRefused
from services.network import DRIP_FACTOR, connect, shut, start_tls, tls_context
from services.protocols.base import Surroundings
from services.protocols.imap_fetch import Answers, answers
from services.protocols.imap_settings import ImapSettings
from services.protocols.imap_wire import (
    FAILURES,
    Broken,
    Refused,
    Trouble,
    Wire,
    redacted,
    trouble_of,
)

SECONDS_PER_MINUTE = 60.0
_LITERAL_SLACK = 8 * 1024 * 1024
_MOST = 2**32
"""Messages in a mailbox: their UIDs have 32 bits (RFC 3501 §2.3.1.1)."""
# Not every server has RFC 5530's codes: Gmail says "Too many simultaneous connections".
_TOO_MANY = re.compile(
    r"\[LIMIT\b|too many|maximum number of connections|connection limit", re.IGNORECASE
)


@dataclass(frozen=True)
class Inbox:
    """What EXAMINE tells."""

    uidvalidity: int
    uidnext: int | None
    exists: int


class ImapSession:
    """A session in steps: `open_socket`, `encrypt`, `greet`, `login`, `examine`, then commands.

    Steps raise ConnectionFailed in words, commands raise Trouble; both raise Cancelled.
    """

    def __init__(self, settings: ImapSettings, surroundings: Surroundings) -> None:
        """Take the settings with the password filled in; nothing is connected yet."""
        self._settings, self._around = settings, surroundings
        self._timeout = settings.timeout * SECONDS_PER_MINUTE
        self._exit = ExitStack()
        self._plain: socket.socket | None = None
        self._wire: Wire | None = None
        self._asked: deque[tuple[bytes, Sequence[int]]] = deque()
        self._brought: Answers = {}
        self.broken = ""
        """Why only a new session goes on, in words; "" as long as this one does."""
        self.quickest = float("inf")
        """Seconds that the quickest command took: a round trip, and a little more."""

    @classmethod
    def opened(cls, settings: ImapSettings, surroundings: Surroundings) -> "ImapSession":
        """Return a session that is logged in. Raises ConnectionFailed, LoginRefused, Cancelled."""
        session = cls(settings, surroundings)
        try:
            session.open_socket()
            session.encrypt()
            session.greet()
            session.login()
        except BaseException:
            session.close()
            raise
        return session

    # ------------------------------------------------------------------ steps

    def open_socket(self) -> None:
        """Connect; the error names the field."""
        settings, cancel = self._settings, self._around.cancel
        self._plain = connect(settings.server, settings.port, self._timeout, cancel)
        self._exit.enter_context(cancel.closing(lambda: shut(self.sock)))

    def encrypt(self) -> None:
        """Start TLS where the account wants it; Start TLS that is not offered is an error."""
        if self._settings.security == "none":
            return
        context = tls_context(self._around.config.ca_bundle)
        if self._settings.security == "tls":
            self._plain = start_tls(self.sock, self._settings.server, context, self._around.cancel)
            return
        self.greet()
        if "STARTTLS" not in self.capabilities:
            raise ConnectionFailed(
                f"{self._settings.server} does not offer Start TLS on port {self._settings.port}.",
                "Choose TLS with the port for it, usually 993. The connection is never made in "
                "clear instead.",
                "settings.security",
            )
        with self._step():
            self._live.upgrade(self._settings.server, context, self._around.cancel)

    def greet(self) -> None:
        """Hear the server's greeting, once."""
        if self._wire is not None:
            return
        largest = 2 * self._around.config.max_message_bytes + _LITERAL_SLACK
        try:
            with self._command():
                host, patience = to_ascii_host(self._settings.server), self._timeout * DRIP_FACTOR
                self._wire = Wire(self.sock, host, largest, patience)
        except Trouble as trouble:
            raise self._no_greeting(trouble) from None

    def login(self) -> None:
        """Log in. Raises LoginRefused, or ConnectionFailed where it may work later."""
        self._refuse_hopeless_login()
        try:
            with self._command():
                self._live.log_in(self._settings.user, self._password)
        except Refused as refusal:
            raise self._login_error(refusal) from None
        except Broken as trouble:
            raise self._failed(trouble) from None

    def examine(self) -> Inbox:
        """Open the INBOX for reading only."""
        with self._step():
            kind, data = self._live.select("INBOX", readonly=True)
            self._check(kind, data)
            exists = int(data[-1] or 0)
            if exists > _MOST:
                raise ValueError("no mailbox holds so many messages")
            return Inbox(self._uidvalidity(), self._number("UIDNEXT"), exists)

    def close(self) -> None:
        """Log out, without waiting for the answer; never raises."""
        self._exit.close()
        if self._wire is not None:
            with suppress(*FAILURES):
                self._wire.send(b"bye LOGOUT\r\n")
            self._wire.shutdown()
        elif self._plain is not None:
            self._plain.close()

    # ------------------------------------------------------------------ commands

    def search(self, *criteria: str) -> "array[int]":
        """UID SEARCH: return the UIDs in the server's order."""
        with self._command():
            kind, data = self._live.uid("SEARCH", *criteria)
            self._check(kind, data)
            words = (word for line in data for word in (line or b"").split())
            return array("Q", map(int, filter(bytes.isdigit, words)))

    def fetch(self, uids: Sequence[int], what: str) -> Answers:
        """UID FETCH: return what came, by UID and data item."""
        self.ask(uids, what)
        return self.answered()

    def ask(self, uids: Sequence[int], what: str) -> None:
        """Send UID FETCH alone; `answered` returns what came, in the order of asking."""
        with self._command(timed=False):
            tag = self._live.ask("UID", "FETCH", ",".join(map(str, uids)), what)
            self._asked.append((tag, uids))

    def answered(self) -> Answers:
        """Return the answer to the longest waiting `ask`.

        Servers mix the answers to several commands, so what came for later ones is kept for them.
        """
        with self._command(timed=False):
            tag, uids = self._asked.popleft()
            kind, data = self._live.answered(tag, "FETCH")
            self._check(kind, data)
            self._brought.update(answers(data))
            found = {uid: self._brought.pop(uid) for uid in uids if uid in self._brought}
            if not self._asked:
                self._brought.clear()  # flags that somebody changed, which nobody asked for
            return found

    def noop(self) -> None:
        """Let the server tell what has vanished meanwhile."""
        with self._command():
            self._live.noop()

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the server says it can, in capitals."""
        return tuple(self._live.capabilities)

    @property
    def sock(self) -> socket.socket:
        """The connection as it is now, encrypted or not."""
        found = self._wire.sock if self._wire is not None else self._plain
        if found is None:
            raise RuntimeError("open_socket comes first")
        return found

    # ------------------------------------------------------------------ parts

    @property
    def _live(self) -> Wire:
        if self._wire is None:
            raise RuntimeError("greet comes first")
        return self._wire

    @property
    def _password(self) -> str:
        secret = self._settings.password
        return secret.get_secret_value() if secret else ""

    @contextmanager
    def _command(self, *, timed: bool = True) -> Iterator[None]:
        """Bound a command by the drip limit; raise Trouble, or Cancelled, where it fails."""
        self._around.cancel.check()
        timed = timed and self._wire is not None  # not the wait for a greeting either
        started = time.monotonic()
        if self._wire is not None:
            self._wire.begin()
        try:
            yield
        except FAILURES as error:
            self._around.cancel.check()
            trouble = trouble_of(error, time.monotonic() - started, self._timeout)
            words = redacted(trouble.words, self._settings.user, self._password)
            if isinstance(trouble, Broken):
                self.broken = words
            raise type(trouble)(words) from None
        if timed:
            self.quickest = min(self.quickest, time.monotonic() - started)

    @contextmanager
    def _step(self) -> Iterator[None]:
        """Run a command that no message can be to blame for."""
        try:
            with self._command():
                yield
        except Trouble as trouble:
            raise self._failed(trouble) from None

    def _check(self, kind: str, data: Sequence[Any]) -> None:
        if kind != "OK":
            raise self._live.error(data[-1])

    def _number(self, code: str) -> int | None:
        _, data = self._live.response(code)
        return int(data[-1]) if data and data[-1] else None

    def _uidvalidity(self) -> int:
        found = self._number("UIDVALIDITY")
        if found is None:
            raise ConnectionFailed(
                f"{self._settings.server} gives no UIDVALIDITY for the INBOX.",
                "Without it mail cannot be told apart safely (RFC 3501). Ask the provider.",
            )
        return found

    # ------------------------------------------------------------------ failures in words

    def _failed(self, trouble: Trouble) -> ConnectionFailed:
        if _TOO_MANY.search(trouble.words):
            return self._too_many(trouble)
        return ConnectionFailed(
            f"{self._settings.server} fails: {trouble.words}.", "Try again later."
        )

    def _no_greeting(self, trouble: Trouble) -> ConnectionFailed:
        if _TOO_MANY.search(trouble.words):
            return self._too_many(trouble)
        return ConnectionFailed(
            f"{self._settings.server} does not greet as an IMAP server on port "
            f"{self._settings.port}: {trouble.words}.",
            "Check Port Number and Security Protocol: usually 993 with TLS, 143 with Start TLS.",
            "settings.port",
        )

    def _too_many(self, trouble: Trouble) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self._settings.server} allows no further connection to this mailbox: "
            f"{trouble.words}.",
            "Lower Limit Mailbox Connections, or close other programs that use the mailbox.",
            "limit.limit_to",
        )

    def _login_error(self, refusal: Refused) -> ConnectionFailed:
        if _TOO_MANY.search(refusal.words):
            return self._too_many(refusal)
        if refusal.for_now:
            return ConnectionFailed(
                f"{self._settings.server} takes no logins just now: {refusal.words}.",
                "Try again later. If it often says so, lower Limit Mailbox Connections.",
                "limit.limit_to",
            )
        return LoginRefused(
            f"{self._settings.server} refuses the login: {refusal.words}.",
            "Check User Name and Password. Some providers ask for an app password, or for IMAP "
            "to be switched on.",
            "settings.password",
        )

    def _refuse_hopeless_login(self) -> None:
        if "LOGINDISABLED" not in self.capabilities or "AUTH=PLAIN" in self.capabilities:
            return
        if self._settings.security == "none":
            raise LoginRefused(
                f"{self._settings.server} takes no password over an unencrypted connection.",
                "Choose Start TLS or TLS.",
                "settings.security",
            )
        raise LoginRefused(
            f"{self._settings.server} takes no passwords at all.",
            "Ask the provider how programs log in.",
            "settings.server",
        )
