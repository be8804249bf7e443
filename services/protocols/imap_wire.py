"""The wire under an IMAP session: imaplib's protocol over a transport of our own.

imaplib opens sockets that nobody can cancel, and gives up on lines above a megabyte, which the
UIDs of a large mailbox are. What goes wrong is told apart here: was it the answer, or the wire?
"""

import base64
import imaplib
import io
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from services.cancel import Cancel
from services.network import DRIP_FACTOR, start_tls

_LONGEST_LINE = 64 * 1024 * 1024
"""A SEARCH answer of five million UIDs."""

# RFC 5530: a refusal for now, whatever was asked for.
_FOR_NOW = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|OVERQUOTA)\b", re.IGNORECASE)
# What nonsense from a server makes imaplib and imapclient's parser raise beside their own errors.
NONSENSE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
FAILURES = (OSError, imaplib.IMAP4.error, *NONSENSE)


class Trouble(Exception):
    """A command failed; perhaps one message is to blame. `words` are for people, secret-free."""

    def __init__(self, words: str) -> None:
        """Take what happened."""
        super().__init__(words)
        self.words = words


class Refused(Trouble):
    """The server answered NO or BAD, or with nonsense; the session goes on."""

    @property
    def for_now(self) -> bool:
        """Whether the server says that it may answer otherwise later (RFC 5530)."""
        return _FOR_NOW.search(self.words) is not None


class Broken(Trouble):
    """The connection is gone or out of step; only a new session goes on."""


class Dripped(Broken):
    """The server kept sending, but too slowly; asking again would only take as long again."""


class _Arriving(io.RawIOBase):
    """What a socket receives until a moment: its own timeout bounds single waits only."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self.until = sock, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if time.monotonic() > self.until:
            raise TimeoutError
        return self._sock.recv_into(buffer)


class Wire(imaplib.IMAP4):
    """imaplib over a socket that is connected already, bounded by bytes and by time.

    Constructing it hears the greeting. Raises one of FAILURES, as every command does.
    """

    def __init__(self, sock: socket.socket, host: str, largest: int, patience: float) -> None:
        """Take the socket and the host for the record.

        A literal has `largest` bytes at most, and a command `patience` seconds, however it drips.
        """
        self._largest, self._patience = largest, patience
        self._take(sock)
        super().__init__(host)

    def _take(self, sock: socket.socket) -> None:
        self.sock = sock
        self._arriving = _Arriving(sock)
        self._reader = io.BufferedReader(self._arriving)
        self.begin()

    def begin(self) -> None:
        """Begin a command, all of whose answers together have bounds too."""
        self._room = self._largest + _LONGEST_LINE
        self._arriving.until = time.monotonic() + self._patience

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Called by imaplib where it would connect."""
        self.host, self.port = host, port

    def read(self, size: int) -> bytes:
        """Read a literal; one that no message needs is not taken."""
        if size > self._largest:
            raise self.abort(f"it announces {size:,} bytes at once")
        self._make_room(size)
        data = self._reader.read(size)
        if len(data) < size:
            raise ConnectionResetError("closed in the middle of a literal")
        return data

    def readline(self) -> bytes:
        """Read a line, however many UIDs it holds."""
        line = self._reader.readline(_LONGEST_LINE + 1)
        if not line:
            raise ConnectionResetError("closed")
        if len(line) > _LONGEST_LINE:
            raise self.abort("it sends an endless line")
        self._make_room(len(line))
        return line

    def _make_room(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise self.abort("its answer has no end")

    def shutdown(self) -> None:
        """Close both ends of the transport; never raises."""
        with suppress(OSError, ValueError):
            self._reader.close()
        self.sock.close()

    def _get_capabilities(self) -> None:
        """Called by imaplib after the greeting, which usually tells them (RFC 3501 §7.1)."""
        told = self.response("CAPABILITY")[1][-1] or self.capability()[1][-1]
        if told is None:
            raise self.error("it does not say what it can")
        self.capabilities = tuple(told.decode("ascii", "replace").upper().split())

    def ask(self, *words: str) -> bytes:
        """Send a command without a wait for its answer; return the tag to wait by."""
        tag: bytes = self._new_tag()
        self.send(b" ".join((tag, *(word.encode() for word in words))) + b"\r\n")
        return tag

    def answered(self, tag: bytes, what: str) -> tuple[str, list[Any]]:
        """Wait for a command's answer, and return how it ended and the data of one kind."""
        kind, data = self._command_complete("UID", tag)
        found: tuple[str, list[Any]] = self._untagged_response(kind, data, what)
        return found

    def upgrade(self, host: str, context: ssl.SSLContext, cancel: Cancel) -> None:
        """STARTTLS (RFC 3501 §6.2.1); what came in clear before it is forgotten."""
        kind, data = self._simple_command("STARTTLS")
        if kind != "OK":
            raise self.error(data[-1])
        self._take(start_tls(self.sock, host, context, cancel))
        self.untagged_responses.clear()
        self._get_capabilities()

    def log_in(self, user: str, password: str) -> None:
        """LOGIN where it can carry both, else AUTHENTICATE PLAIN (RFC 4616), which is UTF-8."""
        if (user + password).isascii() and "LOGINDISABLED" not in self.capabilities:
            self.login(quoted(user), password)
        else:
            self.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())


def quoted(text: str) -> str:
    """Quote a string (RFC 3501 §4.3), which imaplib's login does for the password only."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def trouble_of(error: Exception, took: float, timeout: float) -> Trouble:
    """Return what one of FAILURES means, after a command `took` so many seconds."""
    if took >= timeout * DRIP_FACTOR:
        return Dripped(f"it did not finish its answer within {took:.0f} seconds")
    if isinstance(error, TimeoutError):
        return Broken(f"it did not answer within {timeout:g} seconds")
    if isinstance(error, OSError):
        return Broken("it closed the connection")
    if isinstance(error, imaplib.IMAP4.abort):
        return Broken(_server_words(error))
    if isinstance(error, imaplib.IMAP4.error):
        return Refused(_server_words(error))
    return Refused("it answers with what is no IMAP")


def _server_words(error: Exception) -> str:
    """Return the server's own words out of what imaplib wraps around them."""
    raw = error.args[0] if error.args else ""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    if found := re.search(r"command error: BAD \[b(['\"].*['\"])\]", text, re.DOTALL):
        text = found[1][1:-1]
    return re.sub(r"^command: \w+ => ", "", text)


def _written(secret: str) -> Iterator[str]:
    """Yield what a secret looks like where imaplib shows bytes as Python would write them.

    An apostrophe is escaped where a quotation mark stands beside it.
    """
    yield repr(f"{secret}'\"".encode())[2:-4]
    yield repr(secret.encode())[2:-1]
    yield secret


def redacted(words: str, user: str, password: str) -> str:
    """Take a password out of a server's words, should it echo what it was sent; cut them short.

    Only then are they put on one line, which would change a password with two blanks in a row.
    """
    plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    for secret in (plain, quoted(password)[1:-1], password) if password else ():
        for form in _written(secret):
            words = words.replace(form, "•••")
    return " ".join(words.replace("\0", "\ufffd").split()).rstrip(".")[:300]  # no store takes NUL
